"""One heartbeat: throw-away machines in every region, their records and their incidents."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from imagebake.azure.client.errors import NotFound
from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_INCIDENT, GalleryVersion
from imagebake.build.plan import plan_plain
from imagebake.build.workspace_bake import bake_from_plan
from imagebake.heartbeat.history_report import incidents_of, records, write_metrics
from imagebake.heartbeat.model import Beat
from imagebake.heartbeat.provision import HeartbeatRun, HeartbeatServices, provision_machines
from imagebake.heartbeat.targets import Target, golden_targets, plain_targets
from imagebake.heartbeat.verdict import Cause, Verdict, judge_beats
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context
from imagebake.kernel.errors import CloudError, HeartbeatMissed, UsageError, ValidationFailed
from imagebake.kernel.host.process_identity import ProcessIdentity, current_process, has_ended
from imagebake.lock.selection import fresh_lock, templates
from imagebake.rollout.operation import RolloutContext, open_rollout
from imagebake.session.machines import (
    CUSTOM_SCRIPT,
    SAMPLE_EXTENSION,
    extension_request,
    prepare_local_machines,
)
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import DeliveryMode

COLUMNS = (
    "IMAGE", "VERSION", "REGION", "RINGS", "LABEL", "READY", "TOKEN", "SCRIPT", "ASKED", "RESULT",
)  # fmt: skip


def beat_once(
    context: Context,
    specs: Sequence[ImageSpec],
    wanted: set[str] | None,
    *,
    metrics: str,
    as_json: bool,
) -> None:
    """Run a heartbeat, print its results, and raise the failure that the scheduler acts on."""
    prepare_local_machines(context, "./inv heartbeat")
    with open_rollout(context) as at:
        beats = run_heartbeat(at, specs, wanted)
    if metrics:
        write_metrics(context, specs, metrics)
    verdicts = judge_beats(beats)
    if as_json:
        open_ones = [incident for incident in incidents_of(context, specs) if incident.open]
        print_json(
            {
                "beats": [beat.to_json() for beat in beats],
                "verdicts": [verdict.to_json() for verdict in verdicts],
                "incidents": [incident.to_json() for incident in open_ones],
            }
        )
    else:
        print_table(COLUMNS, (_cells(beat) for beat in beats))
    raise_worst(verdicts)


def run_heartbeat(
    at: RolloutContext, specs: Sequence[ImageSpec], wanted: set[str] | None = None
) -> tuple[Beat, ...]:
    """Run a heartbeat for *specs*, record its beats, and open or close incidents."""
    definitions = [name for spec in specs for name in _definitions(spec)]
    inventory = at.inventory(tuple(definitions))
    targets = [target for spec in specs for target in _targets(at, spec, inventory, wanted)]
    if not targets:
        names = ", ".join(spec.name for spec in specs)
        first = specs[0]
        raise UsageError(
            f"no ring of {names} has a current version to beat with",
            hint=f"./inv promote {first.name} --ring {first.rollout_rings[0].name}",
        )
    beats = provision_machines(targets, _round(at), services=_services(at, specs))
    records(at.context).add(beats)
    for spec in specs:
        _publish(at, spec, beats)
    for beat in beats:
        if beat.cleanup_error:
            at.context.progress.note(
                f"not deleted: {beat.cleanup_error}; the next beat tries again"
            )
    return beats


def raise_worst(verdicts: Iterable[Verdict]) -> None:
    """Raise `ValidationFailed` for a failing image, else `HeartbeatMissed` for another failure."""
    sick = [verdict for verdict in verdicts if verdict.cause is not Cause.HEALTHY]
    if not sick:
        return
    worst = next((verdict for verdict in sick if verdict.cause is Cause.IMAGE), sick[0])
    more = f" (and {len(sick) - 1} more)" if len(sick) > 1 else ""
    message = f"{worst.region}: {worst.sentence}{more}"
    if worst.cause is Cause.IMAGE:
        raise ValidationFailed(message, hint=f"./inv rollback {worst.image}")
    hint = "docs/how-to/heartbeat.md says what to do"
    if worst.cause is Cause.UNKNOWN:
        hint = "heartbeat: {plain: true} in the spec tells whose fault it is"
    raise HeartbeatMissed(message, hint=hint)


def _definitions(spec: ImageSpec) -> tuple[str, ...]:
    mine = spec.gallery.definition
    return (mine, f"{mine}-plain") if spec.heartbeat.plain else (mine,)


def _targets(
    at: RolloutContext, spec: ImageSpec, inventory: Inventory, wanted: set[str] | None
) -> list[Target]:
    """The golden machines of *spec*, and the plain ones beside them."""
    inside = [pin for pin in spec.extensions if pin.mode is not DeliveryMode.ABSENT]
    cached = [pin for pin in inside if pin.mode is DeliveryMode.CACHED]
    if local := at.session.local:
        for pin in (*inside, SAMPLE_EXTENSION):
            local.vm_host.publish(pin.handler, pin.version)
    golden = golden_targets(
        spec, inventory, [extension_request(pin) for pin in cached], regions=wanted
    )
    if not (golden and spec.heartbeat.plain):
        return golden
    canary = inside or [SAMPLE_EXTENSION if local else CUSTOM_SCRIPT]
    plain = _plain(at, spec, inventory)
    return [
        *golden,
        *plain_targets(spec, plain, golden, [extension_request(pin) for pin in canary]),
    ]


def _plain(at: RolloutContext, spec: ImageSpec, inventory: Inventory) -> GalleryVersion:
    """The newest version without imagebake's part; made, where there is none yet."""
    known = inventory.of(f"{spec.gallery.definition}-plain")
    usable = [version for version in known if version.healthy]
    if usable:
        return usable[-1]
    at.context.progress.note(f"bake {spec.name} without imagebake's part, once")
    lock = fresh_lock(at.context, spec)
    bare = plan_plain(spec, lock, catalogue=CATALOGUE, templates=templates(at.context))
    return bake_from_plan(at.context, bare, at.session, force=False).version


def _round(at: RolloutContext) -> HeartbeatRun:
    subnet = at.context.settings.subnet or (
        f"{at.session.cloud.endpoint.group_id}/providers/Microsoft.Network/virtualNetworks"
        "/imagebake-{region}/subnets/machines"
    )
    key = Ed25519PrivateKey.generate().public_key()  # the other half is forgotten at once
    return HeartbeatRun(
        run=f"{at.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        owner=str(current_process()),
        subnet=lambda region: subnet.replace("{region}", region),
        public_key=key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    )


def _services(at: RolloutContext, specs: Iterable[ImageSpec]) -> HeartbeatServices:
    local = at.session.local
    if local:
        limit = max(float(spec.heartbeat.timeout_seconds) for spec in specs)
        known = local.emulator.pace
        local.emulator.pace = replace(known, provisioning=limit, extension=limit)
    return HeartbeatServices(
        machines=Machines(at.session.cloud),
        ledger=local.vm_host.ledger if local else None,
        orphaned=_orphaned,
        now=at.now,
        patience=at.session.cloud.patience,
        progress=at.context.progress,
    )


def _orphaned(owner: str) -> bool:
    known = ProcessIdentity.parse(owner)
    return known is not None and has_ended(known)


def _publish(at: RolloutContext, spec: ImageSpec, beats: Iterable[Beat]) -> None:
    """Write the incidents of the regions beaten into the tags of *spec*'s definition.

    Promotions on any machine read them there. A tag that cannot be written now is
    written by the next heartbeat, which looks again.
    """
    beaten = {beat.region for beat in beats if beat.image == spec.name}
    open_ones = {
        incident.region: incident for incident in incidents_of(at.context, [spec]) if incident.open
    }
    try:
        known = at.fleet.definition_tags(spec.gallery.definition)
        wanted = {TAG_INCIDENT + name: open_ones[name].text for name in beaten & set(open_ones)}
        new = {name: text for name, text in wanted.items() if known.get(name) != text}
        over = [TAG_INCIDENT + name for name in sorted(beaten - set(open_ones))]
        if new:
            at.fleet.merge_tags(at.definition(spec), new)
        if gone := [name for name in over if name in known]:
            at.fleet.delete_tags(at.definition(spec), gone)
    except NotFound:
        return
    except CloudError as error:
        at.context.progress.note(
            f"{spec.name} does not tell of its incidents: {error.azure_message}"
        )


def _cells(beat: Beat) -> tuple[str, ...]:
    seconds = {phase.name: f"{phase.seconds:.1f} s" for phase in beat.phases if not phase.failed}
    ready, failed = beat.ready_seconds, beat.failure
    where = f" at {failed.host}" if failed and failed.host else ""
    return (
        beat.image,
        beat.version,
        beat.region,
        ",".join(beat.rings) or "-",
        beat.label,
        "-" if ready is None else f"{ready:.1f} s",
        seconds.get("token", "-"),
        seconds.get("script", "-"),
        "-" if beat.requests is None else str(beat.requests.total),
        f"{failed.name} failed{where}: {failed.code}" if failed else "good",
    )
