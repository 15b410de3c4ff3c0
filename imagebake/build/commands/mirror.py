"""The task `mirror`: verify the mirror, and push it to Blob storage."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from imagebake.azure.blob.address import mirror_address
from imagebake.azure.blob.exposure import exposure_of
from imagebake.azure.blob.uploads import merged
from imagebake.azure.model.preflight_finding import PreflightFinding
from imagebake.build.workspace_bake import build_upload_plan
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import ArtifactError, CloudError, UsageError
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.lock import artifact_sources
from imagebake.lock.selection import fresh_lock, select_specs
from imagebake.mirror.local import Mirror, verify
from imagebake.mirror.remote import inspect, push
from imagebake.mirror.store import DirectoryStore
from imagebake.session.session import connect, mirror_container
from imagebake.spec.lock import Lock

ACTIONS = ("push", "verify")


def mirror(
    action: Annotated[
        str,
        Word(
            "verify: hash every artifact again; push: fill the mirror that Azure reads",
            actions=("push", "verify"),
        ),
    ] = "",
    image: Annotated[str, Word("push what this image needs (default: what all do)")] = "",
    *,
    remote: Annotated[bool, Flag("verify the mirror that Azure reads, and who else can")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Carry out *action* on the mirror; *remote* means the one in the cloud."""
    if action not in ACTIONS:
        hint = "./inv mirror verify, or ./inv mirror push IMAGE"
        raise UsageError(f"mirror has no action {action!r}", hint=hint)
    if image and action == "verify":
        raise UsageError("verify reads the whole mirror, and takes no image")
    context = open_context(quiet=as_json)
    if action == "push":
        _push(context, image, as_json=as_json)
    elif remote:
        _verify_remote(context, as_json=as_json)
    else:
        _verify(context, as_json=as_json)


def _push(context: Context, image: str, *, as_json: bool) -> None:
    mirror_address(
        context.settings.mirror_url
    )  # a mistake there is found before anything is fetched
    locks = [fresh_lock(context, spec) for spec in select_specs(context, image, every=not image)]
    uploads = [build_upload_plan(_mirrored(context, lock), lock) for lock in locks]
    with mirror_container(context) as container:
        done = push(merged(uploads), container=container, progress=context.progress)
        where = container.address.url
    if as_json:
        print_json({"mirror": where, **dataclasses.asdict(done)})
        return
    print(f"{done.files} files are in {where}, {done.new} of them new")


def _mirrored(context: Context, lock: Lock) -> Mirror:
    """Return the local mirror, filled with the artifacts that a build of *lock* fetches."""
    here = artifact_sources.open_mirror(context)
    wanted = [package for step in lock.customizing for package in step.packages]
    missing = here.missing([*wanted, *lock.loose])
    if missing:
        filled = artifact_sources.open_mirror(
            context, artifact_sources.find_machine_archives(context), lock
        )
        total = sum(artifact.size or 0 for artifact in missing)
        with context.progress.step("Mirror artifacts", total=total, unit="B") as step:
            filled.ensure(missing, step=step)
    return here


def _verify(context: Context, *, as_json: bool) -> None:
    folder = context.workspace.mirror
    with context.progress.step("Hash the mirror") as step:
        found = verify(DirectoryStore(folder), folder / "bundles", step=step)
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        print(f"{found.checked} artifacts hashed, {len(found.wrong)} wrong")
    if not found.is_good:
        wrong = [f"{sha256}: put aside, it is something else" for sha256 in found.wrong]
        missing = [f"{sha256}: missing, and a bundle needs it" for sha256 in found.missing]
        broken = [f"bundle {digest}: removed, it was not whole" for digest in found.broken]
        raise ArtifactError(
            "\n".join(["the mirror is not what it says", *wrong, *missing, *broken]),
            hint="./inv bake IMAGE fetches and makes them again",
        )


def _verify_remote(context: Context, *, as_json: bool) -> None:
    with mirror_container(context) as container:
        found = inspect(container, progress=context.progress)
    exposed = _exposed(context)
    if as_json:
        print_json(
            dataclasses.asdict(found) | {"exposed": [exposure.to_json() for exposure in exposed]}
        )
    else:
        print(f"{found.checked} files read, {len(found.wrong)} wrong")
        for digest in found.unfinished:
            print(f"bundle {digest}: no index, so no build reads it; a push finishes it")
        for name in found.foreign:
            print(f"{name}: no file of the mirror has such a name")
        for finding in exposed:
            print(finding)
    if found.is_good:
        return
    lines = [f"{name} {why}" for name, why in sorted(found.wrong.items())]
    lines += [f"{name} is missing, although an index lists it" for name in found.missing]
    if found.open:
        lines.append("it can be read without a token")
    raise ArtifactError(
        "\n".join(["the mirror in Blob storage failed verification", *lines]),
        hint="nothing was changed: find out who did that; ./inv mirror push uploads missing files",
    )


def _exposed(context: Context) -> tuple[PreflightFinding, ...]:
    """Return findings about public access to the storage account; none where it is unreadable."""
    if context.settings.cloud != "azure":
        return ()
    try:
        with connect(context) as session:
            accounts = (
                f"{session.cloud.endpoint.group_id}/providers/Microsoft.Storage/storageAccounts"
            )
            name = mirror_address(context.settings.mirror_url).account
            return tuple(exposure_of(session.cloud, f"{accounts}/{name}"))
    except CloudError as error:
        context.progress.note(f"cannot check public access to the storage account: {error.message}")
        return ()
