"""The catalogue as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imagebake.spec.catalogue import windows
from imagebake.spec.catalogue.component import Component, SelfUpdateStop
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.adoption import DeniedVersions

_HEAD = """\
# The catalogue

What a spec may pin as `agent:`, and what every image masks. Generated from
`imagebake/spec/catalogue/`; do not edit.
"""


def catalogue_page() -> str:
    """Return the page: every component, then the units that would download."""
    components = [CATALOGUE.components[name] for name in sorted(CATALOGUE.components)]
    extensions = [
        component for component in CATALOGUE.others if component not in windows.COMPONENTS
    ]
    masks = _table(
        ("unit", "would fetch"),
        ((f"`{download.unit}`", download.fetches) for download in CATALOGUE.downloads),
    )
    parts = [
        _HEAD,
        "## Components\n\nA spec pins them by name, as `agent:`.\n",
        _agents(components),
        *map(_section, components),
        "## Extensions and files\n\nA spec has them under `extensions`, or as a `file:`.\n",
        _others(extensions),
        *map(_section, extensions),
        "## Windows\n",
        (
            "A spec of Windows pins `windows-guest-agent` and its like as `agent:`, each with its"
            " `installer`; the extensions are for reviewers of machine models.\n"
        ),
        _others(windows.COMPONENTS),
        *map(_section, windows.COMPONENTS),
        "## Turned off in every image of Windows\n",
        _turned_off(),
        "## Masked in every image\n",
        "These would download when a machine starts for the first time.\n",
        masks,
    ]
    return "\n".join(parts)


def _turned_off() -> str:
    known = CATALOGUE.windows
    rows = [
        (f"`{policy.number.key}\\{policy.number.name}` = {policy.number.value}", policy.fetches)
        for policy in known.policies
    ]
    rows += [
        (
            f"the service `{updater.service}`"
            if updater.service
            else f"the tasks `{updater.task}`",
            updater.fetches,
        )
        for updater in known.updaters
    ]
    return _table(("policy, service or task", "would fetch"), rows)


def _agents(components: Iterable[Component]) -> str:
    return _table(
        ("agent", "Debian packages", "services that must start", "version query", "extension"),
        (
            (
                _link(component),
                _codes(component.packages),
                _codes(component.services),
                _codes(filter(None, (component.version_query,))),
                _codes(filter(None, (component.handler,))),
            )
            for component in components
        ),
    )


def _others(components: Iterable[Component]) -> str:
    return _table(
        ("component", "publisher and type", "on the create path", "into an image"),
        (
            (
                _link(component),
                _codes(filter(None, (component.publisher, component.type))),
                component.create_path.value,
                component.install,
            )
            for component in components
        ),
    )


def _link(component: Component) -> str:
    return f"[`{component.name}`](#{component.name})"


def _section(component: Component) -> str:
    lines = [f"### {component.name}", "", f"**{component.title}.** {component.docs}", ""]
    if component.ubuntu:
        lines.append(f"- On Ubuntu: {_codes(component.ubuntu)}")
    lines.append(f"- Into an image: {component.install}")
    if not component.packages:
        lines += _asked(component)
    lines += [f"- No self-update{_since(stop)}: {_how(stop)}" for stop in component.stops]
    if not component.stops:
        lines.append(f"- No self-update: {component.self_update}")
    lines.append(f"- Offline: {component.offline}")
    lines += [f"- Denied: {_range(denied)}, which {denied.reason}" for denied in component.denied]
    if component.hygiene:
        lines.append(f"- Never in an image: {_codes(component.hygiene)}")
    return "\n".join(lines).rstrip() + "\n"


def _asked(component: Component) -> Iterator[str]:
    if component.services:
        yield f"- Services: {_codes(component.services)}"
    if component.version_query:
        yield f"- Version: {_codes((component.version_query,))}"


def _range(denied: DeniedVersions) -> str:
    return f"`{denied.first}`" + (f" to `{denied.last}`" if denied.last else "")


def _since(stop: SelfUpdateStop) -> str:
    return "" if stop.since == "0" else f", from {stop.since} on"


def _how(stop: SelfUpdateStop) -> str:
    settings = [f"`{setting.line}` in `{setting.path}`" for setting in stop.settings]
    return ", ".join((*settings, *(f"`{file.path}`" for file in stop.drop_ins)))


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
