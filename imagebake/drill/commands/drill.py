"""`drill`: incidents replayed, with the image beside what it would be without us."""

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
from imagebake.build.commands.bake import attempt, bake_one
from imagebake.build.plan import plan_plain
from imagebake.build.preconditions import left_out
from imagebake.drill import token_storm_report as storms
from imagebake.drill.model import GOLDEN, PLAIN, Candidate, DrillPlan, DrillRecord, outage
from imagebake.drill.page import page
from imagebake.drill.replay import Hands, Place, drill
from imagebake.drill.report import markdown
from imagebake.drill.token_storm import StormPlan, storm
from imagebake.drill.verdict import Verdict, judge
from imagebake.emulator.calls import Pace
from imagebake.kernel import context
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Site
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import fresh_lock, spec_of, templates
from imagebake.session import session
from imagebake.session.machines import STAND_IN, require_machines, wish_for
from imagebake.session.session import End
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
    site = context.site(quiet=as_json)
    speed = _speed(minutes_per_second)
    if scenario not in (OUTAGE, STORM):
        raise UsageError(f"there is no scenario {scenario!r}", hint=f"{OUTAGE} or {STORM}")
    folder = Path(out) if out else None
    if scenario == STORM:
        _storm(site, folder, as_json=as_json)
        return
    spec = spec_of(site, image) if image else _first(site)
    require_machines(site, "./inv drill")
    with session.connect(site) as end:
        plan = _plan(site, spec, end, speed)
        record = drill(plan, _place(site, spec, end), hands=_hands(site, end))
    _report(site, record, judge(record), folder, as_json=as_json)


def _storm(site: Site, out: Path | None, *, as_json: bool) -> None:
    now = functools.partial(dt.datetime.now, dt.UTC)
    record = storm(StormPlan(), seed=site.now.toordinal(), now=now, progress=site.progress)
    folder = out or site.workspace.state / "reports" / "storm"
    text = storms.markdown(record)
    _write(
        site,
        folder,
        {
            "storm.md": text.encode(),
            "storm.html": storms.page(record).encode(),
            "storm.json": canonical_json(record.to_json()),
        },
    )
    if as_json:
        print_json(record.to_json())
    else:
        print(text)
    if record.complaints:
        raise ValidationFailed(storms.headline(record).rstrip("."))


def _write(site: Site, folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        write_atomically(folder / name, content)
    site.progress.note(f"wrote {', '.join(files)} in {site.workspace.shown(folder)}")


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


def _first(site: Site) -> ImageSpec:
    """The first image that can be baked here, for whoever names none."""
    for spec in load_all(site.workspace.specs, root=site.workspace.root).values():
        if left_out(site, spec) is None:
            return spec
    raise UsageError("no spec can be baked on this machine", hint="./inv specs says why")


def _plan(site: Site, spec: ImageSpec, end: End, speed: float) -> DrillPlan:
    golden = bake_one(site, spec, end, locked=False, force=False)
    lock = fresh_lock(site, spec)
    bare = plan_plain(spec, lock, catalogue=CATALOGUE, templates=templates(site))
    site.progress.note(f"bake {spec.name} without imagebake's part")
    plain = attempt(site, bare, end, force=False)
    inside = [pin for pin in spec.extensions if pin.mode is not DeliveryMode.ABSENT]
    cached = [pin for pin in inside if pin.mode is DeliveryMode.CACHED]
    if end.local:
        for pin in (*inside, STAND_IN):
            end.local.region.publish(pin.handler, pin.version)
    return DrillPlan(
        image=spec.name,
        candidates=(
            _candidate(GOLDEN, golden, cached),
            _candidate(PLAIN, plain, inside or [STAND_IN]),
        ),
        timeline=outage(),
        minutes_per_second=speed,
        objectives=spec.objectives,
    )


def _candidate(label: str, baked: BakeResult, extensions: list[ExtensionPin]) -> Candidate:
    return Candidate(
        label=label,
        version_id=baked.version.id,
        version=str(baked.version.version),
        extensions=tuple(wish_for(pin) for pin in extensions),
    )


def _place(site: Site, spec: ImageSpec, end: End) -> Place:
    group = end.cloud.endpoint.group_id
    key = Ed25519PrivateKey.generate().public_key()  # the other half is forgotten at once
    return Place(
        run=f"drill-{secrets.token_hex(3)}",
        size=spec.build.vm_size,
        subnet_id=site.settings.subnet.replace("{region}", site.settings.location)
        or f"{group}/providers/Microsoft.Network/virtualNetworks/imagebake/subnets/machines",
        public_key=key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        patience=60.0 if end.local else 900.0,
    )


def _hands(site: Site, end: End) -> Hands:
    if end.local:
        end.local.emulator.pace = _LOCAL_PACE
    return Hands(
        machines=Machines(end.cloud),
        incident=end.local.region if end.local else None,
        now=functools.partial(dt.datetime.now, dt.UTC),
        sleep=time.sleep,
        progress=site.progress,
    )


def _report(
    site: Site, record: DrillRecord, verdict: Verdict, out: Path | None, *, as_json: bool
) -> None:
    folder = out or site.workspace.state / "reports" / f"drill-{record.plan.image}"
    document = record.to_json() | {"verdict": verdict.to_json()}
    text = markdown(record, verdict)
    _write(
        site,
        folder,
        {
            "drill.md": text.encode(),
            "drill.html": page(record, verdict).encode(),
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
