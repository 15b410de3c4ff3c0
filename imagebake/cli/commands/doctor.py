"""The task `doctor`."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import open_context
from imagebake.kernel.flags import JSON, Flag
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.system_packages import NEEDS, ON_DEMAND


def doctor(
    *,
    cloud: Annotated[
        str, Flag("examine a subscription instead: azure, or local for the emulator's")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print which programs each task needs and which are missing; or check the *cloud*."""
    from imagebake.lab.engine import probe

    if cloud:
        from imagebake.bootstrap.preflight import doctor_cloud

        doctor_cloud(cloud, as_json=as_json)
        return

    context = open_context(quiet=as_json)
    rows = [
        (verb, need.program, "yes" if not system_packages.missing([need]) else "no", need.purpose)
        for verb, needs in (NEEDS | ON_DEMAND).items()
        for need in needs
    ]
    lacking = [need for needs in NEEDS.values() for need in system_packages.missing(needs)]
    able = probe.probe(context.workspace.engine)
    if as_json:
        print_json(
            {
                "can_bake": able.can_build,
                "mode": able.mode,
                "problems": [
                    {"what": problem.what, "mend": problem.fix} for problem in able.problems
                ],
                "programs": [
                    {"for": row[0], "program": row[1], "present": row[2] == "yes"} for row in rows
                ],
                "mend": system_packages.command_for(lacking) if lacking else None,
            }
        )
        return
    print_table(("for", "program", "here", "what it does"), rows)
    if able.can_build:
        print(f"\nThis machine can bake ({able.mode}).")
    for problem in able.problems:
        print(f"\nThis machine cannot bake: {problem.what}\n  = hint: {problem.fix}")
    if lacking:
        print(
            f"\nMissing programs: ./inv setup as root, or: {system_packages.command_for(lacking)}"
        )
