from __future__ import annotations

from pathlib import Path

import pytest

from imagebake.kernel.host import namespaces
from imagebake.kernel.host.namespaces import Sandbox, SandboxFailed, Stopped

pytestmark = pytest.mark.root


def host(*argv: str, **more: bool) -> Sandbox:
    """A program of this machine in namespaces, with the machine's own root."""
    return Sandbox(argv=argv, chroot=False, **more)  # type: ignore[arg-type]


def run(sandbox: Sandbox) -> tuple[int, list[str]]:
    lines: list[str] = []
    code = namespaces.run(sandbox, on_line=lines.append, stop=lambda: False)
    return code, lines


@pytest.mark.parametrize("code", [0, 1, 125, 255])
def test_the_exit_code_is_the_programs(code: int) -> None:
    assert run(host("sh", "-c", f"exit {code}")) == (code, [])


def test_a_killed_program_ends_as_a_shell_would_say_it() -> None:
    assert run(host("sh", "-c", "kill -9 $$")) == (137, [])


def test_both_outputs_are_told_line_by_line() -> None:
    script = "echo one; echo two >&2; printf 'three\\r\\nfour'"

    assert run(host("sh", "-c", script)) == (0, ["one", "two", "three", "four"])


def test_nothing_of_the_environment_gets_in() -> None:
    assert run(Sandbox(argv=("env",), chroot=False, env={"A": "b"}))[1] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "A=b",
    ]


def test_no_open_file_gets_in(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w"):
        _, lines = run(host("ls", "/proc/self/fd"))

    assert lines == ["0", "1", "2", "3"]  # the fourth is ls reading the directory


def test_a_program_that_is_not_there_is_127() -> None:
    code, lines = run(host("no-such-program"))

    assert code == 127
    assert lines == ["cannot start: No such file or directory"]


def test_stopping_kills_everything_inside() -> None:
    lines: list[str] = []

    with pytest.raises(Stopped):
        namespaces.run(
            host("sh", "-c", "trap '' TERM; sleep 600 & echo up; sleep 600"),
            on_line=lines.append,
            stop=lambda: bool(lines),
        )

    assert lines == ["up"]


def test_a_stream_ends_with_an_error_when_its_program_does() -> None:
    with (
        pytest.raises(SandboxFailed, match="sh ended with 3: sorry"),
        namespaces.stream(host("sh", "-c", "echo data; echo sorry >&2; exit 3")) as output,
    ):
        assert output.read() == b"data\n"


def test_a_stream_may_be_left_early() -> None:
    with namespaces.stream(host("yes")) as output:
        assert output.read(2) == b"y\n"


def test_a_mount_that_the_kernel_refuses_is_not_the_programs_failure(tmp_path: Path) -> None:
    sandbox = Sandbox(argv=("true",), lowers=(tmp_path / "gone",), at=tmp_path)

    with pytest.raises(SandboxFailed, match="this machine refused a sandbox: mount overlay"):
        run(sandbox)


def test_sizes_are_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a\tb").mkdir()
    (tmp_path / "a\tb/file").write_bytes(bytes(1 << 20))

    found = namespaces.sizes([tmp_path / "a\tb"])

    assert found[tmp_path / "a\tb"] >= 1 << 20


def test_removing_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    namespaces.remove(tmp_path / "gone")
