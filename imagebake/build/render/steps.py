"""Inputs of all script templates, and the rendering of a spec's own steps."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from imagebake.kernel.digest import canonical_json
from imagebake.kernel.templating import Fragment, Templates
from imagebake.spec.catalogue.component import Catalogue, Component, DropIn
from imagebake.spec.lock import Lock
from imagebake.spec.model.base import Value
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.steps import (
    Customizer,
    InlineCustomizer,
    InlineValidator,
    Network,
    RestartCustomizer,
    ScriptCustomizer,
    ScriptValidator,
    UpdateCustomizer,
    Validator,
)
from imagebake.spec.plan import Script, StepKind

SOURCE_DATE_EPOCH = 1760000000
"""Timestamp of all written files; the local builder clamps to it."""

AGENT = "azure-linux-agent"
"""Catalogue name of the guest agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext:
    """Inputs that all scripts of one image are rendered from."""

    spec: ImageSpec
    lock: Lock
    catalogue: Catalogue
    manifest: bytes

    @property
    def guest_agent(self) -> Component | None:
        """The guest agent, if the image pins it."""
        pinned = any(pin.agent == AGENT for pin in self.spec.agents)
        return self.catalogue.components.get(AGENT) if pinned else None


def root_script(name: str, template: str, templates: Templates, **values: Any) -> Script:  # noqa: ANN401
    """Render the step *name* from the template `install/TEMPLATE.sh.j2`, to run as root."""
    body = templates.shell(f"install/{template}.sh.j2", epoch=SOURCE_DATE_EPOCH, **values)
    return Script(name=name, text=templates.shell("install/as_root.sh.j2", body=body))


def drop_in_values(drop_in: DropIn) -> dict[str, str]:
    """Return *drop_in* as template values."""
    return {
        "path": drop_in.path,
        "folder": drop_in.path.rpartition("/")[0],
        "text": "\n".join(drop_in.lines),
    }


def render_spec_step(step: Customizer | Validator, spec: ImageSpec, templates: Templates) -> Script:
    """Render *step* of *spec*; the text of a step that Azure performs itself is JSON."""
    # Image Builder runs shell steps on Linux and PowerShell steps on Windows only.
    runs = StepKind.POWERSHELL if spec.gallery.is_windows else StepKind.SHELL
    match step:
        case InlineCustomizer() | InlineValidator():
            text = (
                _shell(step, templates) if runs is StepKind.SHELL else _powershell(step, templates)
            )
            return _with_rights(Script(name=step.name, text=text, kind=runs), step)
        case ScriptCustomizer() | ScriptValidator():
            document = _asked(step.script)
            script = Script(name=step.name, text=document, kind=runs, fetched=step.script)
            return _with_rights(script, step)
        case RestartCustomizer(restart=restart):
            document = _asked(restart)
            return Script(name=step.name, text=document, kind=StepKind.RESTART, restart=restart)
        case UpdateCustomizer(update=update):
            document = _asked(update)
            return Script(name=step.name, text=document, kind=StepKind.UPDATE, update=update)
    return Script(name=step.name, text=_asked(step.upload), kind=StepKind.FILE, fetched=step.upload)


def _shell(step: InlineCustomizer | InlineValidator, templates: Templates) -> str:
    return templates.shell(
        "install/customizer.sh.j2",
        network=isinstance(step, InlineCustomizer) and step.network is Network.REQUIRED,
        epoch=SOURCE_DATE_EPOCH,
        body=Fragment("\n".join(step.inline)),
    )


def _powershell(step: InlineCustomizer | InlineValidator, templates: Templates) -> str:
    """Prepend the lines that make the first error end the step."""
    return templates.powershell("windows/own.ps1.j2", body=Fragment("\n".join(step.inline)))


def _with_rights(
    script: Script,
    step: InlineCustomizer | InlineValidator | ScriptCustomizer | ScriptValidator,
) -> Script:
    return dataclasses.replace(
        script, elevated=step.elevated, as_system=step.as_system, exit_codes=step.exit_codes
    )


def _asked(terms: Value) -> str:
    return canonical_json(terms.to_json()).decode()
