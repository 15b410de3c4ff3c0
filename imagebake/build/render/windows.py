"""Render the customizers and validators of a Windows image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from imagebake.build.render.steps import RenderContext, render_spec_step
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.errors import LockError
from imagebake.kernel.templating import Fragment, Templates
from imagebake.spec.catalogue.component import (
    DEPROVISIONING,
    MANIFEST,
    MODULES,
    MODULES_OF_7,
    POWERSHELL_7,
    STATE,
    Component,
    Installation,
)
from imagebake.spec.lock import LockedInstaller
from imagebake.spec.model.pins import AgentPin
from imagebake.spec.model.steps import RestartTerms
from imagebake.spec.plan import WINDOWS_MIRROR_LINE, Script, StepKind

_RESTART = RestartTerms(timeout="15m")
"""Azure's default is five minutes, which a machine that installs updates may exceed."""


def render_customizers(facts: RenderContext, templates: Templates) -> tuple[Script, ...]:
    """Render the customizers in execution order.

    A restart follows the installers: some complete only after it, and neither Windows Update
    nor sysprep works while one is pending.
    """
    agents = tuple(_agents(facts))
    return (
        _as_system("prevent-downloads", "downloads", templates, **_prevented(facts)),
        *(_install(pin, component, facts, templates) for pin, component in agents),
        *_install_modules(facts, templates),
        *_put_files(facts, templates),
        _as_system(
            "write-manifest",
            "manifest",
            templates,
            folder=STATE,
            manifest=facts.manifest.decode(),
        ),
        # A pending restart of an installer would make sysprep fail.
        *([_restart()] if agents else []),
        *(render_spec_step(step, facts.spec, templates) for step in facts.spec.customizers),
        _as_system(
            "write-deprovisioning-script",
            "generalize",
            templates,
            path=DEPROVISIONING,
            script=render_deprovisioning(facts, templates),
        ),
    )


def render_validators(facts: RenderContext, templates: Templates) -> tuple[Script, ...]:
    """Render the validators: one per agent, for modules and the image, then the spec's own."""
    return (
        *(_check(pin, component, templates) for pin, component in _agents(facts)),
        *_check_modules(facts, templates),
        _script(
            "check-image",
            "check_image",
            templates,
            manifest=MANIFEST,
            manifest_sha256=sha256_bytes(facts.manifest),
            files=facts.lock.files,
            numbers=_prevented(facts)["numbers"],
            disabled=_prevented(facts)["services"],
            tasks=_prevented(facts)["tasks"],
            services=(),
            variables=(),
        ),
        *(render_spec_step(step, facts.spec, templates) for step in facts.spec.validators),
    )


def render_deprovisioning(facts: RenderContext, templates: Templates) -> str:
    """Render the script that generalises the machine after the last customizer."""
    pinned = {pin.name for pin in facts.spec.agents}
    known = facts.catalogue.windows
    there = (
        component
        for name, component in known.components.items()
        if component.distributed or name in pinned
    )
    paths = {path for component in there for path in component.hygiene}
    return templates.powershell(
        "windows/deprovision.ps1.j2",
        hygiene=sorted({*paths, *known.hygiene}),
        path=DEPROVISIONING,
    )


def escape_non_ascii(manifest: bytes) -> bytes:
    """Escape all characters beyond ASCII in *manifest*, which is embedded in a script."""
    if manifest.isascii():
        return manifest
    text = json.dumps(json.loads(manifest), ensure_ascii=True, indent=2, sort_keys=True)
    return f"{text}\n".encode()


def _agents(facts: RenderContext) -> Iterator[tuple[AgentPin, Component]]:
    """Yield the agents in the spec's order with their catalogue entries."""
    known = facts.catalogue.windows.components
    for pin in facts.spec.agents:
        if pin.agent not in known:
            raise LockError(
                f"{facts.spec.name} pins the agent {pin.agent!r},"
                " which the catalogue does not have for Windows",
                hint=f"known: {', '.join(sorted(known))}",
            )
        yield pin, known[pin.agent]


def _locked(name: str, facts: RenderContext) -> LockedInstaller:
    for installer in facts.lock.installers or ():
        if installer.name == name:
            return installer
    raise LockError(
        f"the lock of {facts.spec.name} has nothing to install {name!r} from",
        hint=f"./inv lock {facts.spec.name}",
    )


def _installation(component: Component) -> Installation:
    assert component.installation  # noqa: S101 - what can be pinned has one
    return component.installation


def _install(
    pin: AgentPin, component: Component, facts: RenderContext, templates: Templates
) -> Script:
    how = _installation(component)
    arguments = pin.installer.arguments if pin.installer else ()
    own = {argument.partition("=")[0] for argument in arguments}
    # A property in the pin replaces the catalogue's default of the same name.
    kept = (default for default in how.properties if default.partition("=")[0] not in own)
    return _as_system(
        f"install-{pin.name}",
        "agent",
        templates,
        mirror_line=Fragment(WINDOWS_MIRROR_LINE),
        kind=how.kind.value,
        sha256=_locked(pin.name, facts).sha256,
        properties=(*kept, *arguments),
        folder=how.folder,
        program=how.program,
        variables=how.variables,
        numbers=how.numbers,
    )


def _check(pin: AgentPin, component: Component, templates: Templates) -> Script:
    how = _installation(component)
    return _script(
        f"check-{pin.name}",
        "check_agent",
        templates,
        version=pin.version,
        at_least=how.at_least,
        query=Fragment(component.version_query),
        services=component.services,
        variables=how.variables,
        numbers=how.numbers,
    )


def _modules(facts: RenderContext) -> dict[str, Any]:
    """Return the modules and their destination folders."""
    seven = POWERSHELL_7 in {pin.name for pin in facts.spec.agents}
    return {
        "parents": (MODULES, MODULES_OF_7) if seven else (MODULES,),
        "modules": [_locked(pin.name, facts) for pin in facts.spec.modules],
    }


def _install_modules(facts: RenderContext, templates: Templates) -> Iterator[Script]:
    if facts.spec.modules:
        line = Fragment(WINDOWS_MIRROR_LINE)
        yield _as_system(
            "install-modules", "modules", templates, mirror_line=line, **_modules(facts)
        )


def _check_modules(facts: RenderContext, templates: Templates) -> Iterator[Script]:
    if facts.spec.modules:
        yield _script("check-modules", "check_modules", templates, **_modules(facts))


def _put_files(facts: RenderContext, templates: Templates) -> Iterator[Script]:
    if files := facts.lock.files:
        line = Fragment(WINDOWS_MIRROR_LINE)
        yield _as_system("put-files", "files", templates, mirror_line=line, files=files)


def _prevented(facts: RenderContext) -> dict[str, Any]:
    known = facts.catalogue.windows
    return {
        "numbers": [policy.number for policy in known.policies],
        "services": [updater.service for updater in known.updaters if updater.service],
        "tasks": [updater.task for updater in known.updaters if updater.task],
    }


def _restart() -> Script:
    text = canonical_json(_RESTART.to_json()).decode()
    return Script(
        name="restart-after-installers", text=text, kind=StepKind.RESTART, restart=_RESTART
    )


def _script(name: str, template: str, templates: Templates, **values: Any) -> Script:  # noqa: ANN401
    """Render the step *name* from the template `windows/TEMPLATE.ps1.j2`."""
    text = templates.powershell(f"windows/{template}.ps1.j2", **values)
    return Script(name=name, text=text, kind=StepKind.POWERSHELL)


def _as_system(name: str, template: str, templates: Templates, **values: Any) -> Script:  # noqa: ANN401
    """Render the step *name* to run as SYSTEM, so that no user profile is left behind."""
    text = templates.powershell(f"windows/{template}.ps1.j2", **values)
    return Script(name=name, text=text, kind=StepKind.POWERSHELL, elevated=True, as_system=True)
