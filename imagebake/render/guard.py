"""Render the allow-list that has the guest agent refuse what the image does not deliver."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.templating import Templates
from imagebake.render.delivery import AGENT_CONFIGURATION
from imagebake.render.steps import Facts, as_root
from imagebake.spec.catalogue.component import Setting
from imagebake.spec.delivery import POLICY, SWITCH, policy
from imagebake.spec.plan import Script

_SETTING = Setting(path=AGENT_CONFIGURATION, key=SWITCH[0], value=SWITCH[1])


def render_guard(facts: Facts, templates: Templates) -> Iterator[Script]:
    """The customizer that writes it, where the image's agent obeys it."""
    if (text := _text(facts)) is not None:
        yield as_root("guard", "guard", templates, path=POLICY, text=text, setting=_SETTING)


def render_guard_check(facts: Facts, templates: Templates) -> Iterator[Script]:
    """The validator that finds it, on a machine made from the image."""
    if (text := _text(facts)) is None:
        return
    yield Script(
        name="check-guard",
        text=templates.shell(
            "validate/delivery.sh.j2",
            agent=None,
            packages=(),
            texts=[{"path": POLICY, "sha256": sha256_bytes(text.encode())}],
            unit=None,
            settings=(_SETTING,),
        ),
    )


def _text(facts: Facts) -> str | None:
    allowed = facts.spec.allowed
    return None if allowed is None else canonical_json(policy(allowed)).decode()
