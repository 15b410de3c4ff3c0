"""The task `bootstrap`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

from imagebake.bootstrap.desired_state import (
    desired_foundation,
    next_settings,
    next_variables,
    notes,
)
from imagebake.bootstrap.reconcile import (
    BootstrapPlan,
    apply_bootstrap,
    plan_bootstrap,
    require_no_refusals,
)
from imagebake.bootstrap.report import (
    BootstrapRequest,
    ResourceRow,
    assignment_title,
    permitted_actions,
    render_request,
    resource_purpose,
)
from imagebake.bootstrap.resources import BootstrapDeployment, BootstrapLayout, render_bootstrap
from imagebake.kernel.console import print_json, require_digest
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EXPECT, JSON, Flag
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import templates
from imagebake.session.session import connect

_AGAIN = "./inv bootstrap"


def bootstrap(
    *,
    plan: Annotated[
        bool, Flag("only show what there will be and what differs (the default)")
    ] = False,
    apply: Annotated[bool, Flag("make it")] = False,
    expect: Annotated[str, Flag(EXPECT)] = "",
    out: Annotated[
        str, Flag("a directory for ARM templates and their parameters, to be deployed with az")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the plan that brings the subscription to its desired state; with *apply*, apply it."""
    if apply and (plan or out):
        raise UsageError("--apply does it, --plan and --out only show it", hint="give one of them")
    context = open_context(quiet=as_json)
    it = desired_foundation(context)
    deployments, parameters = render_bootstrap(it, templates(context)), {"tags": dict(it.tags)}
    if out:
        _write(Path(out), it, deployments, parameters)
        print(f"wrote {out}/README.txt, which says how the templates beside it are deployed")
        return
    with connect(context) as session:
        look = functools.partial(plan_bootstrap, deployments, parameters, clients=session.cloud)
        found = look()
        if not apply:
            _show(context, it, found, as_json=as_json)
            return
        if not as_json:
            print(render_request(_request(context, it, found)), end="", flush=True)
        require_digest(found.digest, expect)
        require_no_refusals(found)
        if found.due:
            apply_bootstrap(found, look, clients=session.cloud, progress=context.progress)
    _say_done(context, it, found, as_json=as_json)


def _show(context: Context, it: BootstrapLayout, found: BootstrapPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(found.to_json() | _request(context, it, found).to_json())
        return
    print(render_request(_request(context, it, found)), end="")
    if found.due and not found.refused:
        print(f"\nApply it with: {_AGAIN} --apply --expect {found.digest[:12]}")
        print(f"Or take it as ARM templates: {_AGAIN} --out DIR")


def _say_done(
    context: Context, it: BootstrapLayout, found: BootstrapPlan, *, as_json: bool
) -> None:
    if as_json:
        outcome = {"applied": bool(found.due)}
        print_json(found.to_json() | outcome | _request(context, it, found).to_json())
    elif found.due:
        print(f"\nMade {len(found.due)} things and looked again: all are as planned.")
        print(f"Next: ./inv doctor --cloud {context.settings.cloud}")


def _request(context: Context, it: BootstrapLayout, found: BootstrapPlan) -> BootstrapRequest:
    cloud = "subscription" if context.settings.cloud == "azure" else "the emulator's subscription"
    return BootstrapRequest(
        where=f"{cloud} {it.subscription}",
        digest=found.digest,
        rows=_rows(it, found),
        notes=notes(it),
        settings=next_settings(context.settings, it),
        variables=next_variables(it),
    )


def _rows(it: BootstrapLayout, found: BootstrapPlan) -> tuple[ResourceRow, ...]:
    roles = {role.name: role for role in it.roles}
    assignments = {assignment.name: assignment for assignment in it.assignments}
    rows = []
    for change in found.changes:
        wanted = change.wanted
        differences = [str(difference) for difference in change.differences]
        lines = [change.why, *differences] if change.why else differences
        title, words = wanted.title, resource_purpose(wanted.kind, wanted.title, wanted.body)
        name = wanted.id.rpartition("/")[2]
        if name in roles:
            title, words = roles[name].title, roles[name].grant.why
            lines = lines or list(permitted_actions(roles[name]))
        elif name in assignments:
            title = assignment_title(assignments[name], it)
            words = assignments[name].role.grant.why
        row = ResourceRow(
            kind=wanted.kind, mark=change.what, title=title, about=words, lines=tuple(lines)
        )
        rows.append(row)
    return tuple(rows)


def _write(
    folder: Path,
    it: BootstrapLayout,
    deployments: tuple[BootstrapDeployment, ...],
    parameters: dict[str, dict[str, str]],
) -> None:
    """Write the template and parameters of each deployment, and a README with the commands."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {str(folder)!r} cannot be made: {error.strerror}") from error
    lines = [
        "Deploy these in this order. It takes an account that may assign roles (Owner, or User",
        f"Access Administrator with Contributor) in subscription {it.subscription}:",
    ]
    for number, deployment in enumerate(deployments, 1):
        stem = f"{number}-{deployment.name}"
        write_atomically(folder / f"{stem}.json", canonical_json(deployment.template))
        values = {name: {"value": parameters[name]} for name in deployment.parameters}
        document = canonical_json(_PARAMETERS | {"parameters": values})
        write_atomically(folder / f"{stem}.parameters.json", document)
        lines += ["", *_az(deployment, stem, it.subscription)]
    write_atomically(folder / "README.txt", ("\n".join(lines) + "\n").encode())


_PARAMETERS: dict[str, object] = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
    "contentVersion": "1.0.0.0",
}


def _az(deployment: BootstrapDeployment, stem: str, subscription: str) -> tuple[str, ...]:
    files = f"--template-file {stem}.json --parameters @{stem}.parameters.json"
    name = f"--subscription {subscription} --name imagebake-{deployment.name}"
    if deployment.group:
        return (
            f"az deployment group create {name} \\",
            f"  --resource-group {deployment.group} {files}",
        )
    return (f"az deployment sub create {name} \\", f"  --location {deployment.location} {files}")
