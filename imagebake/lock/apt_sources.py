"""The apt configuration of this machine."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host import process
from imagebake.kernel.host.debs import parse_stanza

_OPTION = re.compile(r'^(\S+) "(.*)";$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AptConfiguration:
    """The parts of apt's configuration that locking respects.

    *sources* and *keyrings* are the files apt reads. *check_dates* is false where apt is
    configured to accept archives whose `Valid-Until` has passed.
    """

    sources: tuple[Path, ...]
    keyrings: tuple[Path, ...]
    check_dates: bool
    proxies: Mapping[str, str]


def read_configuration() -> AptConfiguration:
    """Read this machine's configuration with `apt-config`; without it there are no sources."""
    outcome = process.run(["apt-config", "dump"], check=False)
    return parse_configuration(outcome.text)


def parse_configuration(dump: str) -> AptConfiguration:
    """Parse the output of `apt-config dump`."""
    options = {name.lower(): value for name, value in _OPTION.findall(dump)}
    etc = Path(options.get("dir") or "/") / options.get("dir::etc", "etc/apt")
    listed = [etc / options.get("dir::etc::sourcelist", "sources.list")]
    listed += _files(
        etc / options.get("dir::etc::sourceparts", "sources.list.d"), "list", "sources"
    )
    trusted = [etc / options.get("dir::etc::trusted", "trusted.gpg")]
    trusted += _files(etc / options.get("dir::etc::trustedparts", "trusted.gpg.d"), "gpg", "asc")
    proxies = {
        scheme: options[f"acquire::{scheme}::proxy"]
        for scheme in ("http", "https")
        if options.get(f"acquire::{scheme}::proxy", "DIRECT").upper() != "DIRECT"
    }
    return AptConfiguration(
        sources=tuple(path for path in listed if path.is_file()),
        keyrings=tuple(path for path in trusted if path.is_file()),
        check_dates=all(
            _is_on(options.get(f"acquire::{name}", "true"))
            for name in ("check-valid-until", "check-date")
        ),
        proxies={scheme: proxy for scheme, proxy in proxies.items() if proxy},
    )


def _files(folder: Path, *suffixes: str) -> list[Path]:
    return sorted(path for suffix in suffixes for path in folder.glob(f"*.{suffix}"))


def _is_on(value: str) -> bool:
    return value.strip().lower() not in ("false", "no", "0", "off", "without", "disable")


VARIANTS = ("", "-updates", "-security")
"""Suites that accompany a suite, in the order in which packages are looked up."""

_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<address>\S+)\s+(?P<rest>.+)")
_ADDRESSES = ("http://", "https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """One suite at one base address.

    *signed_by* are paths of keyrings, fingerprints, or a key itself, as the source file says;
    empty when it says nothing. *architectures* is empty when unrestricted.
    """

    address: str
    suite: str
    components: tuple[str, ...]
    signed_by: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()


def read_sources(paths: Iterable[Path]) -> tuple[AptSource, ...]:
    """Return every source of binary packages in *paths*, in apt's order."""
    found: list[AptSource] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"the apt source file {path} cannot be read: {error}") from error
        parse = _parse_deb822 if _is_deb822(path, text) else _parse_one_line
        found += parse(text)
    return tuple(found)


def select(sources: Sequence[AptSource], suite: str, architecture: str) -> tuple[AptSource, ...]:
    """Return the sources of *suite*, its updates and its security fixes, in this order.

    Where no source names *suite*, they are derived from the machine's own distribution: the
    same archives with the suite's name. Other vendors' sources are ignored. Raises
    `ArtifactError` where there is nothing to derive from.
    """
    usable = [
        source
        for source in sources
        if source.address.startswith(_ADDRESSES)
        and (not source.architectures or architecture in source.architectures)
    ]
    stem = suite if any(source.suite == suite for source in usable) else _own_suite(usable)
    if stem is None:
        raise ArtifactError(
            f"no apt source of this machine leads to an archive with {suite}",
            hint="name an apt source file for it in the setting archive",
        )
    return tuple(
        dataclasses.replace(source, suite=suite + variant)
        for variant in VARIANTS
        for source in _first(source for source in usable if source.suite == stem + variant)
    )


def source_file(sources: Sequence[AptSource]) -> str:
    """Return the sources as an apt source file (deb822)."""
    return "\n".join(_paragraph(source) for source in sources)


def _paragraph(source: AptSource) -> str:
    lines = [
        "Types: deb",
        f"URIs: {source.address}",
        f"Suites: {source.suite}",
        f"Components: {' '.join(source.components)}",
    ]
    if source.signed_by:
        keys = [key.replace("\n\n", "\n.\n").replace("\n", "\n ") for key in source.signed_by]
        lines.append(f"Signed-By: {' '.join(keys)}")
    return "\n".join([*lines, ""])


def _first(sources: Iterable[AptSource]) -> list[AptSource]:
    """Return the first of several mirrors, with the components of all its entries."""
    entries = list(sources)
    same = [source for source in entries if source.address == entries[0].address]
    components = dict.fromkeys(name for source in same for name in source.components)
    return [dataclasses.replace(same[0], components=tuple(components))] if same else []


def _own_suite(sources: Sequence[AptSource]) -> str | None:
    """Return the machine's own suite: the one with updates or security fixes beside it."""
    suites = {source.suite for source in sources}
    own = [
        suite
        for suite in sorted(suites)
        if any(suite + variant in suites for variant in VARIANTS if variant)
    ]
    if own:
        return own[0]
    return suites.pop() if len(suites) == 1 else None


def _is_deb822(path: Path, text: str) -> bool:
    return path.suffix == ".sources" or bool(re.search(r"^Types:", text, re.MULTILINE))


def _parse_deb822(text: str) -> Iterator[AptSource]:
    for paragraph in re.split(r"\n[ \t]*(?:\n[ \t]*)+", text.replace("\r\n", "\n")):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        fields = {name.lower(): value for name, value in parse_stanza("\n".join(lines)).items()}
        if "deb" not in fields.get("types", "").split() or _is_no(fields.get("enabled", "yes")):
            continue
        for address in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield from _source(
                    address,
                    suite,
                    tuple(fields.get("components", "").split()),
                    _signers(fields.get("signed-by", "")),
                    tuple(fields.get("architectures", "").split()),
                )


def _parse_one_line(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if not match:
            continue
        pairs = (word.partition("=") for word in (match["options"] or "").split())
        options = {name.lower(): value for name, _, value in pairs}
        suite, *components = match["rest"].split()
        signers = tuple(filter(None, options.get("signed-by", "").split(",")))
        architectures = tuple(filter(None, options.get("arch", "").split(",")))
        yield from _source(match["address"], suite, tuple(components), signers, architectures)


def _source(
    address: str,
    suite: str,
    components: tuple[str, ...],
    signed_by: tuple[str, ...],
    architectures: tuple[str, ...],
) -> Iterator[AptSource]:
    if suite.endswith("/"):  # a flat repository has no suite
        return
    yield AptSource(
        address=address.rstrip("/"),
        suite=suite,
        components=components,
        signed_by=signed_by,
        architectures=architectures,
    )


def _signers(value: str) -> tuple[str, ...]:
    """Split Signed-By into paths and fingerprints, or the one inline key."""
    if "BEGIN PGP" in value:
        lines = [line.strip() for line in value.splitlines()]
        return ("\n".join("" if line == "." else line for line in lines),)
    return tuple(value.split())


def _is_no(value: str) -> bool:
    return value.strip().lower() in ("no", "false", "0", "off", "disable", "without")
