"""The catalogue as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from imagebake.catalog.components import CATALOGUE
from imagebake.model.component import Component, SelfUpdateStop

_HEAD = """\
# The catalogue

What a spec may pin as `agent:`, and what every image masks. Generated from
`imagebake/catalog/`; do not edit.
"""


def catalogue_page() -> str:
    """Write the page: every component, then the units that would download."""
    components = [CATALOGUE.components[name] for name in sorted(CATALOGUE.components)]
    table = _table(
        ("agent", "Debian packages", "services that must start", "version query"),
        (
            (
                f"[`{component.name}`](#{component.name})",
                _codes(component.packages),
                _codes(component.services),
                _codes(filter(None, (component.version_query,))),
            )
            for component in components
        ),
    )
    masks = _table(
        ("unit", "would fetch"),
        ((f"`{download.unit}`", download.fetches) for download in CATALOGUE.downloads),
    )
    sections = "\n".join(_section(component) for component in components)
    return (
        f"{_HEAD}\n## Components\n\n{table}\n{sections}\n## Masked in every image\n\n"
        f"These would download when a machine starts for the first time.\n\n{masks}"
    )


def _section(component: Component) -> str:
    lines = [f"### {component.name}", "", f"**{component.title}.** {component.docs}", ""]
    if component.ubuntu:
        lines.append(f"- On Ubuntu: {_codes(component.ubuntu)}")
    lines += [f"- No self-update{_since(stop)}: {_how(stop)}" for stop in component.stops]
    if component.hygiene:
        lines.append(f"- Never in an image: {_codes(component.hygiene)}")
    return "\n".join(lines).rstrip() + "\n"


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
