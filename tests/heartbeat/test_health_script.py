"""The script of a heartbeat, run by a shell here, and what is read from a console."""

from __future__ import annotations

import subprocess
from pathlib import Path

from imagebake.heartbeat.health_script import CheckReport, health_script, read_reports


def run(folder: Path, *lines: str) -> str:
    """What the script prints on a console, without its token and without saying it again."""
    console = folder / "console"
    text = health_script(lines, "n-1").replace("/dev/console", str(console))
    text = text.replace("/run/imagebake-beat", f"{folder}/beat").replace("left=300", "left=0")
    (folder / "script").write_text(text.replace("169.254.169.254", "127.0.0.1:1"))
    subprocess.run(["sh", folder / "script"], check=True, timeout=30, stdin=subprocess.DEVNULL)
    return console.read_text()


def test_a_script_that_goes_well_and_a_token_that_does_not_come(tmp_path: Path) -> None:
    reports = read_reports(run(tmp_path, "test 1 = 1", "echo 'it is fine'"), "n-1")

    assert reports["script"].ok
    assert reports["script"].message == "it is fine"
    assert not reports["token"].ok
    assert "URLError" in reports["token"].message


def test_the_first_line_that_fails_ends_the_script(tmp_path: Path) -> None:
    reports = read_reports(run(tmp_path, "echo before", "false", "echo after"), "n-1")

    assert reports["script"] == CheckReport(
        ok=False, seconds=reports["script"].seconds, message="before"
    )


def test_without_lines_there_is_no_check_of_them() -> None:
    assert "check script" not in health_script((), "n-1")


def test_a_console_mixes_and_repeats_lines() -> None:
    console = (
        "[   12.3] cloud-init[9]: imagebake-beat n-1 token ok 10.00 10.50 \r\n"
        "imagebake-beat n-2 script failed 1.00 2.00 of another machine\n"
        "imagebake-beat n-1 scri\nimagebake-beat n-1 token failed 10.00 10.50\n"
        "imagebake-beat n-1 script failed 10.50 12.75 no disk\n"
    )

    assert read_reports(console, "n-1") == {
        "token": CheckReport(ok=True, seconds=0.5, message=""),
        "script": CheckReport(ok=False, seconds=2.25, message="no disk"),
    }


def test_shellcheck_has_nothing_to_say() -> None:
    text = health_script(("true",), "n-1")

    subprocess.run(["shellcheck", "-"], input=text.encode(), check=True)
