"""Examine a subscription: everything that would break a build, found before the build."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from imagebake.azure.blob.exposure import exposure
from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import run_concurrently
from imagebake.azure.model.preflight_finding import PreflightFinding, SubscriptionRequirements
from imagebake.bootstrap import capacity, permissions
from imagebake.bootstrap.desired_state import desired_foundation
from imagebake.bootstrap.policies import check_policies
from imagebake.bootstrap.resources import BootstrapLayout
from imagebake.kernel.console import print_json, print_table, print_text
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import CloudError, UsageError, ValidationFailed
from imagebake.session.session import connect
from imagebake.spec.load import load_all
from imagebake.spec.model.image_spec import ImageSpec

Check = Callable[[Clients, SubscriptionRequirements], Iterator[PreflightFinding]]

_FIRST = "providers, and Image Builder's regions"
CHECKS: Mapping[str, tuple[Check, str]] = {
    _FIRST: (capacity.check_providers, ""),
    "machine sizes and cores": (capacity.check_sizes, "Microsoft.Compute"),
    "container cores": (capacity.check_container_cores, "Microsoft.ContainerInstance"),
    "galleries, and room in them": (capacity.check_galleries, "Microsoft.Compute"),
    "what you may do": (permissions.check_caller, ""),
    "what the templates' identity may do": (
        permissions.check_build_identities,
        "Microsoft.ManagedIdentity",
    ),
    "policies that deny": (check_policies, ""),
    "the mirror is closed": (exposure, "Microsoft.Storage"),
}
"""Every check by its subject, with the resource provider that it reads.

A provider that is not registered is not read: Azure's clients would register it on the way.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Result of one check."""

    name: str
    complaints: tuple[PreflightFinding, ...]
    left_out: bool = False

    @property
    def word(self) -> str:
        """The result in a word or two."""
        sure = sum(complaint.sure for complaint in self.complaints)
        if not self.complaints:
            return "not asked" if self.left_out else "well"
        maybe = len(self.complaints) - sure
        counts = [(sure, "wrong"), (maybe, "may be")]
        return ", ".join(f"{count} {word}" for count, word in counts if count)


def examine(needs: SubscriptionRequirements, *, clients: Clients) -> tuple[CheckResult, ...]:
    """Run every check in parallel; a check that cannot be read is a complaint of its own."""
    first = _done(_FIRST, CHECKS[_FIRST][0], clients, needs)
    providers = " ".join(
        complaint.what for complaint in first.complaints if complaint.check == "provider"
    )
    works = [
        functools.partial(_done, name, check, clients, needs)
        if not provider or f"{provider} is" not in providers
        else functools.partial(CheckResult, name=name, complaints=(), left_out=True)
        for name, (check, provider) in CHECKS.items()
        if name != _FIRST
    ]
    return (first, *run_concurrently(works))


def _done(
    name: str, check: Check, clients: Clients, needs: SubscriptionRequirements
) -> CheckResult:
    try:
        return CheckResult(name=name, complaints=tuple(check(clients, needs)))
    except CloudError as error:
        complaint = PreflightFinding(
            check="unread",
            what=f"cannot check {name}: {error.message}",
            why="a check that cannot be read may hide a problem",
            command=error.hint or "ask for a role that reads it, such as Reader",
            sure=False,
        )
        return CheckResult(name=name, complaints=(complaint,))


CLOUDS = ("azure", "local")


def doctor_cloud(cloud: str, *, as_json: bool) -> None:
    """Check the subscription, in Azure or the emulator; raise `ValidationFailed` for problems."""
    if cloud not in CLOUDS:
        raise UsageError(f"--cloud is {cloud!r}", hint="it is 'azure', or 'local' for the emulator")
    context = open_context(quiet=as_json)
    context = replace(context, settings=replace(context.settings, cloud=cloud))
    needs = needs_of(context, desired_foundation(context))
    with connect(context) as session:
        found = examine(needs, clients=session.cloud)
    complaints = [complaint for each in found for complaint in each.complaints]
    sure = [complaint for complaint in complaints if complaint.sure]
    if as_json:
        report = {"checks": {result.name: result.word for result in found}}
        print_json(report | {"healthy": not sure, "complaints": [c.to_json() for c in complaints]})
    else:
        _print(context, found)
    if sure:
        things = "1 thing" if len(sure) == 1 else f"{len(sure)} things"
        raise ValidationFailed(f"{things} would break a build", hint=sure[0].command)


def _print(context: Context, found: tuple[CheckResult, ...]) -> None:
    where = "subscription" if context.settings.cloud == "azure" else "the emulator's subscription"
    print_text(f"Examined {where} {context.settings.subscription}\n")
    print_table(("what", "how it is"), ((result.name, result.word) for result in found))
    for complaint in (complaint for each in found for complaint in each.complaints):
        print_text(f"\n{complaint}")
    if not any(each.complaints for each in found):
        print_text("\nNothing here would break a build.")


def needs_of(context: Context, it: BootstrapLayout) -> SubscriptionRequirements:
    """Return what the specs and settings of *context* need of a subscription."""
    specs = load_all(context.workspace.specs, root=context.workspace.root).values()
    settings = context.settings
    mine = "blob.core.windows.net" in settings.mirror_url
    account = it.id("Microsoft.Storage/storageAccounts", it.account) if mine else ""
    scopes: dict[str, tuple[str, ...]] = {}
    for assignment in it.assignments:
        known = scopes.get(assignment.role.grant.scope.value, ())
        scopes[assignment.role.grant.scope.value] = tuple(dict.fromkeys((*known, assignment.scope)))
    for name, named in (("service", settings.identity), ("build", settings.build_identity)):
        if named:
            scopes[name] = (named,)
    if not mine:
        scopes.pop("mirror", None)
    return SubscriptionRequirements(
        location=settings.location,
        sizes=_sizes(settings.location, specs),
        regions=tuple(sorted({region.name for spec in specs for region in spec.regions})),
        galleries=tuple(
            (gallery.group, gallery.name, gallery.location) for gallery in it.galleries
        ),
        identity=settings.identity,
        build_identity=settings.build_identity,
        account=account,
        managed_tags=_managed_tags(specs),
        own_network=any(getattr(spec.build, "subnet", None) for spec in specs),
        scopes=scopes,
    )


def _sizes(location: str, specs: Collection[ImageSpec]) -> dict[str, dict[str, int]]:
    """Count machines by region and size: one build in *location*, one heartbeat elsewhere."""
    found: dict[str, Counter[str]] = {location: Counter()}
    for spec in specs:
        found[location][spec.build.vm_size] = 1
        for region in spec.regions:
            found.setdefault(region.name, Counter())[spec.build.vm_size] += 1
    return {region: dict(sizes) for region, sizes in sorted(found.items())}


def _managed_tags(specs: Collection[ImageSpec]) -> dict[str, str]:
    """Return the tags that the builds of all images give to Azure's managed resources."""
    all_tags = [dict(getattr(spec.build, "managed_tags", {})) for spec in specs]
    return {
        name: value
        for name, value in (all_tags[0] if all_tags else {}).items()
        if all(name in tags for tags in all_tags)
    }
