from __future__ import annotations

from pathlib import Path

from imagebake.lock.apt_sources import parse_configuration, read_configuration


def dump(etc: Path, *more: str) -> str:
    return "\n".join(['Dir "/";', f'Dir::Etc "{etc}";', *more, ""])


def test_the_files_are_those_that_apt_reads(tmp_path: Path) -> None:
    for name in (
        "sources.list.d/a.list",
        "sources.list.d/b.sources",
        "sources.list.d/c.disabled",
        "trusted.gpg.d/k.asc",
        "trusted.gpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    read = parse_configuration(dump(tmp_path))

    assert [path.name for path in read.sources] == ["a.list", "b.sources"]
    assert [path.name for path in read.keyrings] == ["trusted.gpg", "k.asc"]
    assert read.check_dates
    assert read.proxies == {}


def test_dates_and_proxies_are_as_apt_was_told(tmp_path: Path) -> None:
    read = parse_configuration(
        dump(
            tmp_path,
            'Acquire::Check-Valid-Until "false";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::https::Proxy "DIRECT";',
        )
    )

    assert not read.check_dates
    assert read.proxies == {"http": "http://proxy.example:3128"}


def test_this_machine_can_be_asked() -> None:
    assert all(path.is_file() for path in read_configuration().sources)
