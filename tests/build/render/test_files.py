"""Rendered files on the disk: only what differs is written."""

from __future__ import annotations

from pathlib import Path

from imagebake.build.render.files import write_files


def test_what_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    files = {"a.json": b"{}\n", "scripts/one.sh": b"true\n", "scripts/two.sh": b"true\n"}
    write_files(files, tmp_path)
    (tmp_path / "scripts/two.sh").chmod(0o600)
    before = {name: (tmp_path / name).stat().st_ino for name in files}

    written = write_files(files | {"a.json": b"[]\n"}, tmp_path)

    assert written == tuple(tmp_path / name for name in files)
    assert (tmp_path / "a.json").read_bytes() == b"[]\n"
    assert (tmp_path / "scripts/one.sh").stat().st_ino == before["scripts/one.sh"]
    assert (tmp_path / "scripts/two.sh").stat().st_mode & 0o777 == 0o755
