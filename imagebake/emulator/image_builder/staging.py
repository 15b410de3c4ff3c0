"""Staging resource groups of image templates, with the storage account of their logs."""

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
_LAST_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"


def make_staging(call: Call, template: Resource) -> str:
    """Create the staging group of *template*, or use the given one; return the group's id."""
    if given := template.properties["stagingResourceGroup"]:
        group = str(given)
    else:
        group = _make_group(call, template)
    # Account names have at most 24 lower-case letters and digits.
    account = f"ib{hashlib.sha256(template.key.encode()).hexdigest()[:18]}"
    # The account of the customization logs: documented as blobs of `packerlogs`.
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
    # Recorded name; documented tags.
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
    """Remove the staging resources; a group that the template named itself stays."""
    group = template.properties.get("exactStagingResourceGroup")
    if not group:
        return
    if template.properties["stagingResourceGroup"]:
        for account in session.list(ACCOUNTS, f"{group}/"):
            if account.private.get("template") == template.key:
                session.remove(account.id)
    else:
        session.remove(group)


class PackerLogRoutes:
    """Blobs of the staging storage accounts: customization logs, read with a bearer token."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def routes(self) -> tuple[Route, ...]:
        """Return the blob routes of the staging accounts."""
        return (
            Route("GET", "/<account>/packerlogs", self.blobs, open=True),
            Route("GET", "/<account>/packerlogs/<run>/<file>", self.blob, open=True),
        )

    def blobs(self, call: Call) -> Reply:
        """List the logs of the runs of the account's template, as List Blobs does."""
        rows = "".join(
            f"<Blob><Name>{escape(f'{path.parent.name}/{path.name}')}</Name><Properties>"
            f"<Last-Modified>{_LAST_MODIFIED}</Last-Modified>"
            f"<Content-Length>{path.stat().st_size}</Content-Length></Properties></Blob>"
            for path in self._logs(call)
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults'
            f' ContainerName="packerlogs"><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'
        )
        return Reply(200, text.encode(), {"x-ms-version": call.headers.get("x-ms-version", "")})

    def blob(self, call: Call) -> Reply:
        """Return a log, from the start of `x-ms-range` if that is given."""
        wanted = (call.names["run"], call.names["file"])
        found = [path for path in self._logs(call) if (path.parent.name, path.name) == wanted]
        if not found:
            raise _refused(404, "BlobNotFound", "The specified blob does not exist.")
        content = found[0].read_bytes()
        # A client that follows a log asks from where it stopped; only open ranges occur.
        asked = _RANGE.fullmatch(call.headers.get("x-ms-range", ""))
        if asked and int(asked[1]) >= len(content):
            raise _refused(416, "InvalidRange", "The range specified is invalid for this blob.")
        if asked:
            # An append blob, as Packer's logs are: the range ends wherever the log ends now.
            return Reply(206, content[int(asked[1]) :], {"x-ms-blob-type": "AppendBlob"})
        return Reply(200, content, {"x-ms-blob-type": "AppendBlob"})

    def _logs(self, call: Call) -> list[Path]:
        if not call.headers.get("authorization", "").startswith("Bearer "):
            raise _refused(401, "NoAuthenticationInformation", "Server failed to authenticate.")
        accounts = call.session.list(ACCOUNTS, "/subscriptions/")
        found = [account for account in accounts if account.name == call.names["account"]]
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
