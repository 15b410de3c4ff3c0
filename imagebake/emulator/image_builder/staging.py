"""Staging groups: what the service makes for each template, with the storage of its logs."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import Path
from xml.sax.saxutils import escape

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.store import Resource, Session

ACCOUNTS = "Microsoft.Storage/storageAccounts"
_GROUPS = "Microsoft.Resources/resourceGroups"
_RANGE = re.compile(r"bytes=(\d+)-")
_NEVER = "Thu, 01 Jan 2026 00:00:00 GMT"


def make_staging(call: Call, template: Resource) -> str:
    """Make the staging group of *template*, or use the one it names; returns the group's id."""
    if given := template.properties["stagingResourceGroup"]:
        group = str(given)
    else:
        group = _make_group(call, template)
    account = f"ib{hashlib.sha256(template.key.encode()).hexdigest()[:18]}"
    body = {
        "id": f"{group}/providers/{ACCOUNTS}/{account}",
        "name": account,
        "type": ACCOUNTS,
        "location": template.body["location"],
        "properties": {},
    }
    call.session.put(Resource(ACCOUNTS, body, private={"template": template.key}))
    return group


def _make_group(call: Call, template: Resource) -> str:
    name = f"IT_{call.names['group']}_{template.name}_{uuid.uuid4()}"
    group = f"/subscriptions/{call.names['subscription']}/resourceGroups/{name}"
    body = {
        "id": group,
        "name": name,
        "type": _GROUPS,
        "location": template.body["location"],
        "tags": {
            "createdBy": "AzureVMImageBuilder",
            "imageTemplateName": template.name,
            "imageTemplateResourceGroupName": call.names["group"],
        },
        "properties": {},
    }
    call.session.put(Resource(_GROUPS, body))
    return group


def remove_staging(session: Session, template: Resource) -> None:
    """Remove what `make_staging` made; a group that the template named stays, empty."""
    group = template.properties.get("exactStagingResourceGroup")
    if not group:
        return
    if template.properties["stagingResourceGroup"]:
        for account in session.list(ACCOUNTS, f"{group}/"):
            if account.private.get("template") == template.key:
                session.remove(account.id)
    else:
        session.remove(group)


class Logs:
    """The blobs of staging accounts: the logs of runs, read with a token."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def routes(self) -> tuple[Route, ...]:
        """What the storage accounts answer."""
        return (
            Route("GET", "/<account>/packerlogs", self.blobs, open=True),
            Route("GET", "/<account>/packerlogs/<run>/<file>", self.blob, open=True),
        )

    def blobs(self, call: Call) -> Reply:
        """List the logs of the runs of the account's template, as Blob storage lists."""
        rows = "".join(
            f"<Blob><Name>{escape(f'{path.parent.name}/{path.name}')}</Name><Properties>"
            f"<Last-Modified>{_NEVER}</Last-Modified>"
            f"<Content-Length>{path.stat().st_size}</Content-Length></Properties></Blob>"
            for path in self._logs(call)
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults'
            f' ContainerName="packerlogs"><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'
        )
        return Reply(200, text.encode(), {"x-ms-version": call.headers.get("x-ms-version", "")})

    def blob(self, call: Call) -> Reply:
        """Show one log, or what is in it from a place on."""
        wanted = (call.names["run"], call.names["file"])
        found = [path for path in self._logs(call) if (path.parent.name, path.name) == wanted]
        if not found:
            raise _refused(404, "BlobNotFound", "The specified blob does not exist.")
        content = found[0].read_bytes()
        asked = _RANGE.fullmatch(call.headers.get("x-ms-range", ""))
        if asked and int(asked[1]) >= len(content):
            raise _refused(416, "InvalidRange", "The range specified is invalid for this blob.")
        if asked:
            return Reply(206, content[int(asked[1]) :], {"x-ms-blob-type": "AppendBlob"})
        return Reply(200, content, {"x-ms-blob-type": "AppendBlob"})

    def _logs(self, call: Call) -> list[Path]:
        if not call.headers.get("authorization", "").startswith("Bearer "):
            raise _refused(401, "NoAuthenticationInformation", "Server failed to authenticate.")
        accounts = call.session.list(ACCOUNTS, "/subscriptions/")
        found = [one for one in accounts if one.name == call.names["account"]]
        if not found:
            raise _refused(404, "ResourceNotFound", "The account does not exist.")
        rows = call.session.sql.execute(
            "SELECT runs.id FROM runs JOIN operations USING (id) WHERE template = ?"
            " ORDER BY started",
            (found[0].private["template"],),
        )
        paths = (self._folder / "packerlogs" / run / "customization.log" for (run,) in rows)
        return [path for path in paths if path.is_file()]


def _refused(status: int, code: str, message: str) -> ArmError:
    return ArmError(status, code, message, headers={"x-ms-error-code": code})
