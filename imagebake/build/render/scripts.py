"""Render the customizers and validators of an image from its spec and its lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from imagebake.build.render import windows
from imagebake.build.render.delivery import (
    AGENT_CONFIGURATION,
    extension_entry,
    render_delivery,
    render_delivery_check,
)
from imagebake.build.render.steps import (
    SOURCE_DATE_EPOCH,
    RenderContext,
    drop_in_values,
    render_spec_step,
    root_script,
)
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.errors import LockError
from imagebake.kernel.templating import Fragment, Templates
from imagebake.spec.catalogue.component import Catalogue, Component, Setting
from imagebake.spec.lock import PACKAGES, Bundle, Lock, LockedFile, LockedStep
from imagebake.spec.model.delivery import POLICY, SWITCH, policy
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import MIRROR_LINE, Script

_SETTING = Setting(path=AGENT_CONFIGURATION, key=SWITCH[0], value=SWITCH[1])


def render_guard(facts: RenderContext, templates: Templates) -> Iterator[Script]:
    """Yield the customizer that writes the agent's extension policy, if the agent supports it."""
    if (text := _text(facts)) is not None:
        yield root_script("guard", "guard", templates, path=POLICY, text=text, setting=_SETTING)


def render_guard_check(facts: RenderContext, templates: Templates) -> Iterator[Script]:
    """Yield the validator that checks the policy on a machine made from the image."""
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


def _text(facts: RenderContext) -> str | None:
    allowed = facts.spec.allowed
    return None if allowed is None else canonical_json(policy(allowed)).decode()


HYGIENE = (
    "/etc/adjtime",
    "/etc/docker/key.json",
    "/etc/nvme/hostid",
    "/etc/nvme/hostnqn",
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/udev/rules.d/75-persistent-net-generator.rules",
    "/home/*/.azure",
    "/home/*/.cache",
    "/home/*/.*_history",
    "/home/*/.lesshst",
    "/home/*/.ssh/authorized_keys*",
    "/home/*/.ssh/known_hosts",
    "/home/*/.sudo_as_admin_successful",
    "/home/*/.viminfo",
    "/home/*/.wget-hsts",
    "/root/.azure",
    "/root/.cache",
    "/root/.*_history",
    "/root/.lesshst",
    "/root/.ssh/authorized_keys*",
    "/root/.ssh/known_hosts",
    "/root/.viminfo",
    "/root/.wget-hsts",
    "/var/cache/ldconfig/aux-cache",
    "/var/lib/docker/engine-id",
    "/var/lib/logrotate/status",
    "/var/lib/ntp/ntp.drift",
    "/var/lib/ntpsec/ntp.drift",
    "/var/lib/systemd/credential.secret",
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
)
"""Files that no component owns and no image may contain."""


def image_manifest(spec: ImageSpec, lock: Lock, *, lock_sha256: str) -> bytes:
    """Render the manifest of the image: contents and lock, nothing that varies between builds.

    *packages* are those that the customizers install; the base's belong to the marketplace
    image.
    """
    installers = {} if lock.installers is None else {"installers": _installers(lock)}
    return canonical_json(
        installers
        | {
            "image": spec.name,
            "source": lock.source.urn,
            "lock_sha256": lock_sha256,
            "pins": [
                {"name": pin.name, "version": pin.version, "kind": kind}
                for kind, pins in (
                    ("agent", spec.agents),
                    ("package", spec.packages),
                    ("file", spec.files),
                    ("module", spec.modules),
                )
                for pin in pins
            ]
            + [
                {"name": pin.name, "version": own.version, "kind": "goal-state agent"}
                for pin in spec.agents
                if (own := pin.goal_state_agent)
            ],
            "packages": [
                {
                    "name": package.name,
                    "version": package.version,
                    "architecture": package.architecture,
                    "sha256": package.sha256,
                }
                for step in lock.customizing
                for package in step.packages
            ],
            "files": [
                {"path": file.destination, "mode": file.mode, "sha256": file.sha256}
                for file in lock.files
            ],
            "extensions": [extension_entry(pin) for pin in lock.extensions],
        }
    )


def _installers(lock: Lock) -> list[dict[str, str]]:
    return [
        {"name": installer.name, "version": installer.version, "sha256": installer.sha256}
        for installer in lock.installers or ()
    ]


def render_customizers(facts: RenderContext, templates: Templates) -> tuple[Script, ...]:
    """Render the customizers in execution order.

    Masking comes first, so that nothing downloads in the background of later steps on Azure.
    Generalising comes last.
    """
    if facts.spec.gallery.is_windows:
        return windows.render_customizers(facts, templates)
    return (
        root_script("mask-downloads", "mask", templates, units=_units(facts)),
        *(_install(step, component, facts, templates) for step, component in _install_steps(facts)),
        *_put_files(facts, templates),
        *render_delivery(facts, templates),
        *render_guard(facts, templates),
        root_script("write-manifest", "manifest", templates, manifest=facts.manifest.decode()),
        *(render_spec_step(step, facts.spec, templates) for step in facts.spec.customizers),
        root_script(
            "write-deprovisioning-script",
            "generalize",
            templates,
            script=render_deprovisioning(
                facts.catalogue, templates, pinned=[pin.name for pin in facts.spec.pins]
            ),
        ),
    )


def render_validators(facts: RenderContext, templates: Templates) -> tuple[Script, ...]:
    """Render the validators: one per locked step, one for the image, then the spec's own."""
    if facts.spec.gallery.is_windows:
        return windows.render_validators(facts, templates)
    return (
        *(_check(step, component, facts, templates) for step, component in _install_steps(facts)),
        Script(
            name="check-image",
            text=templates.shell(
                "validate/image.sh.j2",
                files=[file for file in facts.lock.files if _readable(file)],
                secluded=[file for file in facts.lock.files if not _readable(file)],
                units=_units(facts),
                manifest_sha256=sha256_bytes(facts.manifest),
            ),
        ),
        *render_delivery_check(facts, templates),
        *render_guard_check(facts, templates),
        *(render_spec_step(step, facts.spec, templates) for step in facts.spec.validators),
    )


def render_deprovisioning(
    catalogue: Catalogue, templates: Templates, *, pinned: Collection[str] = ()
) -> str:
    """Render the script that generalises the machine after the last customizer.

    *pinned* are names of agents and packages. A component that the distribution lacks and the
    image does not pin leaves no files behind.
    """
    there = (
        component
        for component in catalogue.components.values()
        if component.distributed or {component.name, *component.packages} & set(pinned)
    )
    paths = {path for component in there for path in component.hygiene}
    return templates.shell(
        "install/deprovision.sh.j2",
        epoch=SOURCE_DATE_EPOCH,
        hygiene=[Fragment(path) for path in sorted({*paths, *HYGIENE})],
    )


def _install_steps(facts: RenderContext) -> tuple[tuple[LockedStep, Component | None], ...]:
    """Return the steps of the lock in the spec's order; a missing step means a stale lock."""
    steps = {step.name: step for step in facts.lock.customizing}
    wanted: list[tuple[str, Component | None]] = [
        (pin.name, _component(pin.name, facts)) for pin in facts.spec.agents
    ]
    if facts.spec.packages:
        wanted.append((PACKAGES, None))
    found = []
    for name, component in wanted:
        if name not in steps:
            raise LockError(
                f"the lock of {facts.spec.name} has no step {name!r}",
                hint=f"./inv lock {facts.spec.name}",
            )
        found.append((steps[name], component))
    return tuple(found)


def _component(name: str, facts: RenderContext) -> Component:
    if component := facts.catalogue.components.get(name):
        return component
    raise LockError(
        f"{facts.spec.name} pins the agent {name!r}, which the catalogue does not have",
        hint=f"known: {', '.join(sorted(facts.catalogue.components))}",
    )


def _pinned(step: LockedStep, lock: Lock) -> list[tuple[str, str]]:
    """Return the packages that a step requests, each with its version."""
    versions = {package.name: package.version for package in step.packages}
    missing = [name for name in step.pins if name not in versions]
    if missing or not step.pins:
        raise LockError(
            f"the step {step.name!r} of the lock of {lock.image} asks for "
            + (f"{missing[0]!r}, which it does not have" if missing else "nothing"),
            hint=f"./inv lock {lock.image}",
        )
    return [(name, versions[name]) for name in step.pins]


def _install(
    step: LockedStep, component: Component | None, facts: RenderContext, templates: Templates
) -> Script:
    pins = _pinned(step, facts.lock)
    return root_script(
        f"install-{step.name}",
        "packages",
        templates,
        mirror_line=Fragment(MIRROR_LINE),
        bundle=Bundle(step.packages).digest,
        pins=pins,
        **_stop(component, facts, pins),
    )


def _check(
    step: LockedStep, component: Component | None, facts: RenderContext, templates: Templates
) -> Script:
    pins = _pinned(step, facts.lock)
    text = templates.shell(
        "validate/packages.sh.j2",
        pins=pins,
        query=Fragment(component.version_query) if component and component.version_query else None,
        upstream=_upstream(pins[0][1]),
        services=component.services if component else (),
        **_stop(component, facts, pins),
    )
    return Script(name=f"check-{step.name}", text=text)


def _stop(
    component: Component | None, facts: RenderContext, pins: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return the settings that stop self-updates, as known to the newest agent on the disk."""
    if component is None:
        return {"settings": (), "drop_ins": ()}
    newest = {pin.name: pin.newest for pin in facts.spec.agents}
    stop = component.stop(newest.get(component.name, pins[0][1]))
    return {"settings": stop.settings, "drop_ins": [drop_in_values(file) for file in stop.drop_ins]}


def _upstream(version: str) -> str:
    """Return the upstream part of a Debian version: 4.3.1 for `4.3.1+ds1-8`."""
    rest = version.partition(":")[2] or version
    upstream = rest.rpartition("-")[0] or rest
    return upstream.partition("+")[0].partition("~")[0]


def _put_files(facts: RenderContext, templates: Templates) -> Iterable[Script]:
    if facts.lock.files:
        yield root_script(
            "put-files",
            "files",
            templates,
            mirror_line=Fragment(MIRROR_LINE),
            files=facts.lock.files,
        )


def _readable(file: LockedFile) -> bool:
    """Whether an unprivileged user, such as a validator, may read the file."""
    return bool(int(file.mode, 8) & 0o004)


def _units(facts: RenderContext) -> tuple[str, ...]:
    return tuple(download.unit for download in facts.catalogue.downloads)
