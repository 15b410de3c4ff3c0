"""The apt configuration of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.host import process

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
