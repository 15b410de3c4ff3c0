"""The one door to deletions: what imagebake stands on does not go through it, whoever asks.

Whatever has the tag `imagebake-protected`, and anything else that no bake, beat or retirement
makes, is not deleted by us: not by mistake, and not by a name that somebody chose.
"""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from imagebake.kernel.errors import RolloutRefused

_OURS = re.compile(
    r".*/providers/microsoft\.compute/galleries/[^/]+/images/[^/]+/versions/[^/]+"
    r"|.*/providers/microsoft\.compute/virtualmachines/[^/]+(?:/extensions/[^/]+)?"
    r"|.*/providers/microsoft\.virtualmachineimages/imagetemplates/[^/]+(?:/triggers/[^/]+)?"
    r"|/subscriptions/[^/]+/resourcegroups/it_[^/]+",
    re.IGNORECASE,
)
"""Versions, machines, image templates, and the groups that Image Builder leaves behind."""


def deletable(path: str) -> bool:
    """Whether what has the id *path* is of a kind that imagebake makes and takes away."""
    return _OURS.fullmatch(path.rstrip("/")) is not None


class Guard(SansIOHTTPPolicy[Any, Any]):
    """Refuses, before anything is sent, to delete what is not ours to delete."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raise `RolloutRefused` for such a deletion."""
        sent = request.http_request
        path = urllib.parse.unquote(urllib.parse.urlsplit(sent.url).path)
        if sent.method.upper() == "DELETE" and not deletable(path):
            raise RolloutRefused(
                f"imagebake does not delete {path.rpartition('/providers/')[2]}",
                hint="it deletes versions, machines of its own and image templates;"
                " what bootstrap made is taken away by hand",
            )
