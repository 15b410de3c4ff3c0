"""The task `drill`: replay an incident with the image and with a plain one."""

from __future__ import annotations

import datetime as dt
import functools
import secrets
import time
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.manifest import BakeResult
from imagebake.build.plan import plan_plain
from imagebake.build.preconditions import reason_not_bakeable
from imagebake.build.workspace_bake import bake_from_plan, bake_image
from imagebake.drill import token_storm_report
from imagebake.drill.model import GOLDEN, PLAIN, DrillImage, DrillPlan, DrillRecord, february_outage
from imagebake.drill.replay import DrillEnvironment, DrillServices, replay_incident
from imagebake.drill.report import drill_page, markdown
from imagebake.drill.token_storm import StormPlan, simulate_token_storm
from imagebake.drill.verdict import DrillVerdict, judge_drill
from imagebake.emulator.calls import Pace
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import find_spec, fresh_lock, templates
from imagebake.session.machines import SAMPLE_EXTENSION, extension_request, prepare_local_machines
from imagebake.session.session import CloudSession, connect
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.load import load_all
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import DeliveryMode, ExtensionPin

OUTAGE, STORM = "outage", "storm"
_LOCAL_PACE = Pace(provisioning=90, extension=60)


def drill_image(
    image: Annotated[
        str, Word("an image: the name of a spec (default: the first that bakes here)")
    ] = "",
    *,
    scenario: Annotated[
        str, Flag("outage (2 and 3 February 2026), or storm (thousands ask for a token)")
    ] = "outage",
    out: Annotated[
        str, Flag("a directory for the report (default: reports/ in the state directory)")
    ] = "",
    minutes_per_second: Annotated[
        str, Flag("how many minutes of the incident pass in a second")
    ] = "10",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Replay the incident *scenario*, write its report, and exit 3 when the image failed it."""
    context = open_context(quiet=as_json)
    speed = _speed(minutes_per_second)
    if scenario not in (OUTAGE, STORM):
        raise UsageError(f"there is no scenario {scenario!r}", hint=f"{OUTAGE} or {STORM}")
    folder = Path(out) if out else None
    if scenario == STORM:
        _storm(context, folder, as_json=as_json)
        return
    spec = find_spec(context, image) if image else _first(context)
    prepare_local_machines(context, "./inv drill")
    with connect(context) as session:
        plan = _plan(context, spec, session, speed)
        record = replay_incident(
            plan, _settings(context, spec, session), services=_services(context, session)
        )
    _report(context, record, judge_drill(record), folder, as_json=as_json)


def _storm(context: Context, out: Path | None, *, as_json: bool) -> None:
    now = functools.partial(dt.datetime.now, dt.UTC)
    record = simulate_token_storm(
        StormPlan(), seed=context.now.toordinal(), now=now, progress=context.progress
    )
    folder = out or context.workspace.state / "reports" / "storm"
    text = token_storm_report.markdown(record)
    _write(
        context,
        folder,
        {
            "storm.md": text.encode(),
            "storm.html": token_storm_report.token_storm_page(record).encode(),
            "storm.json": canonical_json(record.to_json()),
        },
    )
    if as_json:
        print_json(record.to_json())
    else:
        print(text)
    if record.complaints:
        raise ValidationFailed(token_storm_report.headline(record).rstrip("."))


def _write(context: Context, folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        write_atomically(folder / name, content)
    context.progress.note(f"wrote {', '.join(files)} in {context.workspace.shown(folder)}")


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 60:  # noqa: PLR2004 - an hour in a second is a machine or two
        raise UsageError(
            f"--minutes-per-second is {text!r}", hint="a number up to 60; 10 is the default"
        )
    return speed


def _first(context: Context) -> ImageSpec:
    """Return the first spec that can be baked on this machine."""
    for spec in load_all(context.workspace.specs, root=context.workspace.root).values():
        if reason_not_bakeable(context, spec) is None:
            return spec
    raise UsageError("no spec can be baked on this machine", hint="./inv specs says why")


def _plan(context: Context, spec: ImageSpec, session: CloudSession, speed: float) -> DrillPlan:
    golden = bake_image(context, spec, session, locked=False, force=False)
    lock = fresh_lock(context, spec)
    bare = plan_plain(spec, lock, catalogue=CATALOGUE, templates=templates(context))
    context.progress.note(f"bake {spec.name} without imagebake's part")
    plain = bake_from_plan(context, bare, session, force=False)
    inside = [pin for pin in spec.extensions if pin.mode is not DeliveryMode.ABSENT]
    cached = [pin for pin in inside if pin.mode is DeliveryMode.CACHED]
    if session.local:
        for pin in (*inside, SAMPLE_EXTENSION):
            session.local.vm_host.publish(pin.handler, pin.version)
    return DrillPlan(
        image=spec.name,
        candidates=(
            _candidate(GOLDEN, golden, cached),
            _candidate(PLAIN, plain, inside or [SAMPLE_EXTENSION]),
        ),
        timeline=february_outage(),
        minutes_per_second=speed,
        objectives=spec.objectives,
    )


def _candidate(label: str, baked: BakeResult, extensions: list[ExtensionPin]) -> DrillImage:
    return DrillImage(
        label=label,
        version_id=baked.version.id,
        version=str(baked.version.version),
        extensions=tuple(extension_request(pin) for pin in extensions),
    )


def _settings(context: Context, spec: ImageSpec, session: CloudSession) -> DrillEnvironment:
    group = session.cloud.endpoint.group_id
    key = Ed25519PrivateKey.generate().public_key()  # the other half is forgotten at once
    return DrillEnvironment(
        run=f"drill-{secrets.token_hex(3)}",
        size=spec.build.vm_size,
        subnet_id=context.settings.subnet.replace("{region}", context.settings.location)
        or f"{group}/providers/Microsoft.Network/virtualNetworks/imagebake/subnets/machines",
        public_key=key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        patience=60.0 if session.local else 900.0,
    )


def _services(context: Context, session: CloudSession) -> DrillServices:
    if session.local:
        session.local.emulator.pace = _LOCAL_PACE
    return DrillServices(
        machines=Machines(session.cloud),
        incident=session.local.vm_host if session.local else None,
        now=functools.partial(dt.datetime.now, dt.UTC),
        sleep=time.sleep,
        progress=context.progress,
    )


def _report(
    context: Context, record: DrillRecord, verdict: DrillVerdict, out: Path | None, *, as_json: bool
) -> None:
    folder = out or context.workspace.state / "reports" / f"drill-{record.plan.image}"
    document = record.to_json() | {"verdict": verdict.to_json()}
    text = markdown(record, verdict)
    _write(
        context,
        folder,
        {
            "drill.md": text.encode(),
            "drill.html": drill_page(record, verdict).encode(),
            "drill.json": canonical_json(document),
        },
    )
    if as_json:
        print_json(document)
    else:
        print(text)
    if not verdict.passed:
        broken = next(point for point in verdict.points if not point.kept)
        raise ValidationFailed(
            f"the drill failed: {broken.name}: {broken.why}",
            hint="the report has every machine, with what Azure Resource Manager said",
        )
