"""The project's own templates, and what scripts are rendered from."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.build.plan import plan_bake
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE, packages_on
from imagebake.spec.lock import Lock
from imagebake.spec.model.base import Distribution
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan, Script
from tests.support.builders import a_lock, a_package, a_spec
from tests.support.extension_cache import authority, cache, program, start

__all__ = ["authority", "cache", "program", "start"]

MIRROR = "file:///run/imagebake/mirror"
_AS_ROOT = re.compile(
    r"sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'\n(?P<body>.*)\nIMAGEBAKE_AS_ROOT\n", re.DOTALL
)

Planner = Callable[[ImageSpec], BakePlan]

PACKAGES = packages_on(Distribution.DEBIAN)


@pytest.fixture(scope="session")
def templates(project: Path) -> Templates:
    return Templates(project / "templates")


@pytest.fixture(scope="session")
def plan(templates: Templates) -> Planner:
    """Plans a spec with a lock that is fresh for it."""

    def made(spec: ImageSpec) -> BakePlan:
        return plan_bake(spec, lock_of(spec), catalogue=CATALOGUE, templates=templates)

    return made


def lock_of(spec: ImageSpec) -> Lock:
    """A lock whose agents are the packages that the catalogue says."""
    versions = {pin.name: pin.version for pin in spec.agents}
    steps = [
        step.model_copy(
            update={
                "pins": PACKAGES[step.name][:1],
                "packages": (a_package(PACKAGES[step.name][0], versions[step.name]),),
            }
        )
        if step.name in versions
        else step
        for step in a_lock(spec).steps
    ]
    return a_lock(spec, steps=tuple(steps))


def a_full_spec() -> ImageSpec:
    """A spec with something of everything that scripts are rendered from."""
    return a_spec(
        pins=(
            {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},
            {"agent": "cloud-init", "version": "22.4.2-1+deb12u3"},
            {"package": "jq", "version": "1.6-2.1+deb12u1"},
            {"package": "libstdc++6", "version": "1:12.2.0-14+deb12u1"},
            {
                "file": "https://files.example/tool-1.2",
                "version": "1.2",
                "sha256": "ab" * 32,
                "destination": "/usr/local/bin/tool",
                "mode": "0755",
            },
        ),
        extensions=(
            {
                "publisher": "Microsoft.Azure.Monitor",
                "type": "AzureMonitorLinuxAgent",
                "version": "1.35.1",
                "mode": "absent",
            },
        ),
        customizers=(
            {"name": "greet", "inline": ("echo 'hello, $USER'", "sudo touch /etc/greeted")},
            {
                "name": "fetch",
                "inline": ("curl -fsS https://files.example/x",),
                "network": "required",
                "reason": "nobody packages it",
            },
        ),
        validators=({"name": "greeted", "inline": ("test -f /etc/greeted",)},),
        tags={"team": "platform"},
    )


def text(script: Script) -> str:
    """The script as the engine and AIB run it, from the local mirror."""
    return "\n".join((*script.lines(MIRROR), ""))


def as_root(script: Script) -> str:
    """What the script runs as root; the shell's own linter does not look in there."""
    match = _AS_ROOT.fullmatch(text(script))
    assert match, script.name
    return match["body"] + "\n"
