"""Following a build's output to its end."""

from __future__ import annotations

from imagebake.build.build_log import LogSource, follow_log


def test_output_is_followed_to_the_last_word() -> None:
    """The run ends between two looks, and what it said last is not missed."""
    written, rests, states = bytearray(), 0, list[str]()

    def rest() -> None:
        nonlocal rests
        rests += 1
        written.extend(b"one\n" if rests == 1 else b"")

    def state() -> str | None:
        if rests < 2:
            return "Customizing" if rests else "Building"
        if not written.endswith(b"last\n"):
            written.extend(b"last\n")
        return None

    source = LogSource(read=lambda offset: bytes(written[offset:]), state=state, rest=rest)

    assert list(follow_log(source, states.append)) == [b"one\n", b"last\n"]
    assert states == ["Building", "Customizing"]
    assert rests == 2


def test_what_ended_before_is_read_once() -> None:
    source = LogSource(read=lambda offset: b"all\n"[offset:], state=lambda: None, rest=lambda: None)

    assert list(follow_log(source, lambda _: None)) == [b"all\n"]
