"""Retirement: hide a version with an end of life, delete it after a grace period."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_RETIRED, GalleryVersion, read_time
from imagebake.azure.resources.resource_ids import definition_of, key, name_of
from imagebake.rollout.freezes import RolloutGate
from imagebake.rollout.model.actions import Action, Delete, OverrideFreeze, Retire
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import PendingAction, Refusal, RolloutPlan
from imagebake.rollout.protections import Policies, Protection, Protections, RetirementPolicy
from imagebake.rollout.quota import QuotaRelief, quotas
from imagebake.rollout.usage import Usage
from imagebake.spec.model.image_spec import ImageSpec


@dataclass(slots=True)
class RetirementDecisions:
    """Decisions on every version of a gallery, in the order of definitions and versions."""

    deletes: list[tuple[RetirementPolicy, Action]] = field(default_factory=list)
    retires: list[tuple[RetirementPolicy, Action]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    due: list[PendingAction] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    unasked: int = 0


def retire_plan(
    policies: Policies,
    inventory: Inventory,
    *,
    now: dt.datetime,
    gate: RolloutGate,
    override: str | None = None,
    sparing: Collection[str] = (),
) -> RolloutPlan:
    """Plan the retirement and deletion of unprotected versions.

    Definitions without a policy are skipped. If anything could not be read, nothing is
    retired. *sparing* are ids of versions that stay in any case.
    """
    found = decide_retirement(policies, inventory, now=now, sparing=sparing)
    chosen = [*_few(found.deletes), *_few(found.retires)]
    notes = (
        *_notes(found, chosen, inventory),
        *_way_out(quota_relief(found, policies, inventory)),
    )
    unread = tuple(_unread(reason) for reason in inventory.unread)
    if unread:  # whatever could not be read may use any of the versions
        chosen = []
    if chosen and override and not gate.open:
        chosen = [*_overruled(chosen, override, now), *chosen]
    plan = RolloutPlan(
        title=f"Retire versions of gallery {name_of(inventory.gallery)}",
        at=now,
        actions=tuple(chosen),
        refusals=(*unread, *found.refusals),
        due=tuple(found.due),
        notes=notes,
        facts={"protected": dict(sorted(found.kinds.items()))},
    )
    return plan.gated_by(gate, override)


def decide_retirement(
    policies: Policies,
    inventory: Inventory,
    *,
    now: dt.datetime,
    sparing: Collection[str] = (),
) -> RetirementDecisions:
    """Decide on each version, without the limit per run."""
    index = VersionIndex(inventory)
    usage = Usage(index)
    spared = {key(identifier) for identifier in sparing}
    found = RetirementDecisions()
    named = {
        index.named(name) if "/" not in name else key(name): policy_of(policy)
        for name, policy in policies.items()
    }
    by_key = {key(name): policy for name, policy in named.items()}
    for definition in sorted({definition_of(name) for name in index.versions}):
        policy = by_key.get(definition)
        if policy is None:
            found.unasked += len(index.of(definition))
            continue
        protections = Protections(index, usage, definition, policy, now)
        for version in index.of(definition):
            if key(version.id) not in spared:
                _judge(found, version, policy, protections.of(version), now)
    return found


def policy_of(policy: RetirementPolicy | tuple[object, ...]) -> RetirementPolicy:
    """Return *policy* as a `RetirementPolicy`; a tuple may lack the image's name."""
    if isinstance(policy, RetirementPolicy):
        return policy
    return RetirementPolicy(*policy)  # type: ignore[arg-type]


def quota_relief(
    found: RetirementDecisions, policies: Policies, inventory: Inventory
) -> QuotaRelief:
    """Compute how the number of versions gets below the warning by retirement alone."""
    quota = next(quota for quota in quotas(inventory) if quota.kind == "versions")
    needed = max(quota.used - quota.target, 0) if quota.warns else 0
    going, later = len(found.deletes), len(found.due) + len(found.retires)
    terms = [policy_of(policy).retirement for policy in policies.values()]
    # A run's limit is the largest of the images' limits.
    per_run = max((term.most_per_run for term in terms), default=1)
    return QuotaRelief(
        needed=needed,
        now=going,
        later=later,
        runs=math.ceil(needed / per_run) if going + later >= needed else None,
        last=max((due.at for due in found.due if due.at), default=None),
        protected=tuple(found.kinds.most_common()),
    )


def _judge(
    found: RetirementDecisions,
    version: GalleryVersion,
    policy: RetirementPolicy,
    protections: tuple[Protection, ...],
    now: dt.datetime,
) -> None:
    if protections:
        found.kinds.update({protection.kind for protection in protections})
        found.refusals.append(_refusal(version, protections))
        return
    over, why = end_of_retirement(version, policy.retirement.grace_days)
    if over is None:
        grace = dt.timedelta(days=policy.retirement.grace_days)
        # A later end of life that is set already is kept.
        end = max(now + grace, version.end_of_life or now)
        action = Retire(subject=version.id, reason=why, at=now, end_of_life=end)
        found.retires.append((policy, action))
    elif over > now:
        found.due.append(PendingAction(subject=version.id, wanted="delete", at=over))
    else:
        reason = f"its end of life was on {over:%F}, and nothing protects it"
        found.deletes.append((policy, Delete(subject=version.id, reason=reason)))


def end_of_retirement(version: GalleryVersion, grace_days: int) -> tuple[dt.datetime | None, str]:
    """Return when *version* may be deleted; or None and the reason for retiring it.

    Hiding, dating and tagging are three writes. The grace period starts only when all three
    have been done.
    """
    since = read_time(version.tags.get(TAG_RETIRED, ""))
    if since is None:
        return None, "nothing uses it, and nothing protects it"
    if version.shown or version.end_of_life is None:
        return None, "its retirement was begun and is not complete"
    return max(version.end_of_life, since + dt.timedelta(days=grace_days)), ""


def _few(candidates: list[tuple[RetirementPolicy, Action]]) -> Iterator[Action]:
    """Yield the actions of one run, at most `most_per_run` per image.

    The total is limited by the largest of these numbers.
    """
    counts: Counter[str] = Counter()
    most = max((policy.retirement.most_per_run for policy, _ in candidates), default=0)
    for policy, action in candidates:
        definition = definition_of(action.subject)
        if counts.total() < most and counts[definition] < policy.retirement.most_per_run:
            counts[definition] += 1
            yield action


def _refusal(version: GalleryVersion, protections: tuple[Protection, ...]) -> Refusal:
    first, *others = protections
    more = "".join(f"; {protection.why}" for protection in others)
    return Refusal(
        subject=version.id,
        wanted="delete" if TAG_RETIRED in version.tags else "retire",
        reason=first.why + more,
        protector=first.protector,
        command=first.command,
    )


def _unread(reason: str) -> Refusal:
    return Refusal(
        subject="",
        wanted="retire anything",
        reason=f"the fleet could not be read completely: {reason}",
        protector="unread",
        command="./inv status",
    )


def _notes(
    found: RetirementDecisions, chosen: list[Action], inventory: Inventory
) -> tuple[str, ...]:
    left = len(found.deletes) + len(found.retires) - len(chosen)
    notes = []
    if left:
        notes.append(
            f"{left:,} more may be retired or deleted; retirement.most_per_run leaves them to"
            " later runs."
        )
    if found.unasked:
        notes.append(f"{found.unasked:,} versions belong to definitions without a spec.")
    if any(isinstance(action, Delete) for action in chosen):
        notes.append(
            "The gallery keeps what is deleted for a while (soft delete)."
            if inventory.soft_delete
            else "The gallery has no soft delete: what is deleted is gone."
        )
    notes += [quota.sentence for quota in quotas(inventory) if quota.warns]
    return tuple(notes)


def _way_out(found: QuotaRelief) -> tuple[str, ...]:
    return found.sentences if found.needed else ()


def _overruled(chosen: list[Action], override: str, now: dt.datetime) -> Iterator[Action]:
    """Record on every definition that *chosen* touches that a freeze was overruled."""
    definitions: Mapping[str, None] = dict.fromkeys(
        action.subject.rpartition("/versions/")[0] for action in chosen
    )
    for definition in definitions:
        yield OverrideFreeze(subject=definition, reason=override, at=now)


def retirement_policies(specs: Iterable[ImageSpec]) -> dict[str, RetirementPolicy]:
    """Return the retirement policies of the images, by the names of their definitions."""
    return {
        spec.gallery.definition: RetirementPolicy(spec.rollout_rings, spec.retirement, spec.name)
        for spec in specs
    }
