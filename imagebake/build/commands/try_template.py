"""The task `try`: run any image template on this machine."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from imagebake.azure.client.clients import Clients
from imagebake.build.run_template import run_template
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, ensure_programs, open_context
from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import SpecError, UsageError
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.files import write_atomically
from imagebake.lab.engine.recipe import BaseRecipe
from imagebake.lab.local_cloud import make_engine, open_local_backend
from imagebake.lock import artifact_sources
from imagebake.lock.apt_sources import source_file
from imagebake.session.session import local_endpoint, retry_clock
from imagebake.spec.catalogue.marketplace import BASE_PACKAGES, STAND_INS, StandIn, find_stand_in
from imagebake.spec.model.foreign_template import NotATemplate, template_body

_LARGEST = 4 << 20


def try_template(
    path: Annotated[str, Word("an Azure Image Builder template (JSON)", name="template")] = "",
    *,
    offline: Annotated[bool, Flag("unplug every step from the network")] = False,
    suite: Annotated[
        str, Flag("the Debian suite to stand in for the template's source image")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Run the image template in the file *path*, and print its outputs."""
    context = open_context(quiet=as_json)
    if not path:
        raise UsageError("name an image template", hint="./inv try TEMPLATE.json")
    body = read_template(Path(path))
    ensure_programs(system_packages.BAKE, progress=context.progress)
    engine = make_engine(
        context.workspace, artifact_sources.make_fetcher(context), network=not offline
    )
    source = body["properties"].get("source") or {}
    wanted = engine.marketplace.find(source) is None and not _is_windows(source)
    if wanted or suite:
        engine.marketplace.register(source, _recipe(context, source, suite))
    with (
        open_local_backend(context.workspace, context.settings, engine) as session,
        Clients(local_endpoint(context, session), retry_clock()) as cloud,
    ):
        result = run_template(
            body,
            cloud=cloud,
            connect=lambda endpoint: Clients(endpoint, retry_clock()),
            progress=context.progress,
        )
        rows = [(name, made, session.content(made) or None) for name, made in result.made]
    if as_json:
        print_json([{"output": of, "made": made, "content_sha256": has} for of, made, has in rows])
        return
    print_table(("output", "made", "content"), [(of, made, has or "-") for of, made, has in rows])


def _is_windows(source: Mapping[str, Any]) -> bool:
    """Whether the engine had better say by itself that it cannot run a template."""
    return str(source.get("publisher", "")).lower().startswith("microsoftwindows")


def read_template(path: Path) -> dict[str, Any]:
    """Read the image template in the file *path*; raises `UsageError` or `SpecError`."""
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path} is larger than any image template")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} cannot be read: {reason}") from error
    try:
        return template_body(json.loads(text))
    except json.JSONDecodeError as error:
        raise SpecError([_misread(path, text, error)]) from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deeply") from error
    except NotATemplate as error:
        raise UsageError(
            f"{path} cannot be tried: {error}",
            hint="it is the JSON of an imageTemplates resource, with every value filled in",
        ) from error


def _misread(path: Path, text: str, error: json.JSONDecodeError) -> Diagnostic:
    lines = text.splitlines()
    return Diagnostic(
        path=str(path),
        line=error.lineno,
        column=error.colno,
        code="J001",
        message=f"this is not JSON: {error.msg}",
        hint="image templates are JSON without comments or trailing commas",
        source=lines[error.lineno - 1] if error.lineno <= len(lines) else "",
    )


def _recipe(context: Context, source: dict[str, Any], suite: str) -> BaseRecipe:
    chosen = _chosen(source, suite)
    known = artifact_sources.find_machine_archives(context)
    own = system_packages.architecture()
    sources = known.select(chosen.suite, own)
    path = context.workspace.engine / "sources" / f"{chosen.suite}.sources"
    write_atomically(path, source_file(sources).encode())
    return BaseRecipe(
        suite=chosen.suite,
        architecture=own,
        packages=BASE_PACKAGES[chosen.distribution],
        sources=str(path),
    )


def _chosen(source: dict[str, Any], suite: str) -> StandIn:
    own = "ubuntu" if platform.freedesktop_os_release().get("ID") == "ubuntu" else "debian"
    if suite:
        return StandIn("", "", own, suite)
    found = find_stand_in(source)
    shown = ":".join(str(source.get(part, "")) for part in ("publisher", "offer", "sku"))
    if found is None:
        known = ", ".join(stand_in.offer for stand_in in STAND_INS if stand_in.distribution == own)
        raise UsageError(
            f"nothing on this machine stands in for the source {shown!r}",
            hint=f"--suite bookworm makes the base from that suite; known offers: {known}",
        )
    if found.distribution != own:
        raise UsageError(
            f"the source {shown!r} is {found.distribution}, and this machine's archives are {own}",
            hint="--suite names a suite of this machine's archives to build on instead",
        )
    return found
