"""Parse the serial console of a booting disk: stages reached, and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagebake.lab.disk.result import BootStage, BootTrouble

_SHOWN_LINES, _SHOWN_AFTER = 12, 3

_REDRAWN = re.compile(rb"[^\n]*\n\x1bM\r*\x1b\[K")
"""A line that systemd writes again in place while it waits for a unit."""
_ESCAPES = re.compile(
    rb"\x1b(\[[0-9;?=!]*[A-Za-z]?|\][^\x07]*\x07|M)?|(?<=\xe2\x80\xa6)\[?[0-9;]*m(?=\s)"
)
"""Escape sequences; where systemd shortens a name, it may leave half of one."""
_MOVES = re.compile(rb"\x1b\[[0-9]+;[0-9]+H")
"""Cursor moves: firmware and boot loader place text with them instead of line ends."""

# Printed by EDK2's boot manager, GRUB, the kernel, ext4, systemd and agetty.
_SIGNS = (
    (BootStage.FIRMWARE, re.compile(r"^BdsDxe: ", re.MULTILINE)),
    (BootStage.LOADER, re.compile(r"Welcome to GRUB!")),
    (BootStage.KERNEL, re.compile(r"^\[ *[0-9.]+\] Linux version (?P<kernel>\S+)", re.MULTILINE)),
    (BootStage.ROOT, re.compile(r"\bEXT4-fs \(\S+\): mounted filesystem|VFS: Mounted root")),
    (BootStage.SYSTEM, re.compile(r"\bsystemd\[1\]: systemd \S+ running in system mode")),
    (BootStage.LOGIN, re.compile(r"^\S+ login: ", re.MULTILINE)),
)
_TROUBLES = (
    (
        BootTrouble.NO_LOADER,
        BootStage.KERNEL,
        r"(BdsDxe: (failed to load Boot.*: Not Found|No bootable option)|UEFI Interactive Shell).*",
    ),
    (
        BootTrouble.UNSIGNED,
        BootStage.KERNEL,
        r".*(Security Violation|bad shim signature|Verification failed|Access Denied).*",
    ),
    (BootTrouble.NO_CONFIGURATION, BootStage.KERNEL, r"grub( rescue)?> ?$"),
    (
        BootTrouble.NO_KERNEL,
        BootStage.KERNEL,
        r"error: (file .* not found|no such device: .*|you need to load the kernel first)\.?",
    ),
    (BootTrouble.NO_ROOT, BootStage.SYSTEM, r"ALERT! .*|No init found\..*|\(initramfs\) ?$"),
    (BootTrouble.PANIC, BootStage.LOGIN, r".*Kernel panic - not syncing: .*"),
    (
        BootTrouble.EMERGENCY,
        BootStage.LOGIN,
        r"(You are in|.*Reached target) (emergency|rescue)\b.*|Cannot open access to console.*",
    ),
)
"""Each with the stage after which the same words no longer mean this trouble."""
_TROUBLE = tuple(
    (trouble, moot, re.compile(rf"^\W*({words})", re.MULTILINE))
    for trouble, moot, words in _TROUBLES
)

_FAILED = re.compile(r"^\[FAILED\] Failed to start (\S+)", re.MULTILINE)
_GIVEN_UP = re.compile(r"^\[(?:FAILED|DEPEND| TIME )\] (.*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ConsoleReading:
    """The state that a console shows so far.

    *trouble_line* is the line that shows *trouble*; of several troubles the first one counts,
    because the others follow from it. *last* are the lines up to just after that line, or the last
    of all.
    """

    stages: tuple[BootStage, ...]
    trouble: BootTrouble | None
    trouble_line: str
    kernel: str
    failed: tuple[str, ...]
    last: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether the boot reached its end."""
        return BootStage.LOGIN in self.stages


def read_console(content: bytes) -> ConsoleReading:
    """Parse the output of a serial console, which may be cut off anywhere."""
    text = plain(content)
    seen = {stage: found for stage, sign in _SIGNS if (found := sign.search(text))}
    # A later stage implies the earlier ones: with `quiet`, the kernel prints nothing of its own.
    order = tuple(BootStage)
    stages = order[: max((order.index(stage) + 1 for stage in seen), default=0)]
    hits = [
        (hit, trouble)
        for trouble, moot, sign in _TROUBLE
        if moot not in stages and (hit := sign.search(text))
    ]
    hits.sort(key=lambda match: match[0].start())
    hit, trouble = hits[0] if hits else (None, None)
    return ConsoleReading(
        stages=stages,
        trouble=trouble,
        trouble_line=_trouble_line(text, hit, trouble) if hit else "",
        kernel=seen[BootStage.KERNEL]["kernel"] if BootStage.KERNEL in seen else "",
        failed=tuple(dict.fromkeys(_FAILED.findall(text))),
        last=_last(text, hit.end() if hit else len(text)),
    )


def _trouble_line(text: str, hit: re.Match[str], trouble: BootTrouble | None) -> str:
    """Return the line that shows *trouble*; in emergency mode, the first unit given up on."""
    first = _GIVEN_UP.search(text) if trouble is BootTrouble.EMERGENCY else None
    return (first or hit).group(1).strip()


def _last(text: str, end: int) -> tuple[str, ...]:
    until = [line for line in text[:end].split("\n") if line.strip()]
    after = [line for line in text[end:].split("\n")[1:] if line.strip()]
    return tuple((until + after[:_SHOWN_AFTER])[-_SHOWN_LINES:])


def plain(content: bytes) -> str:
    """Return the text of a console: no colours, no overwritten lines, lines trimmed."""
    kept = _ESCAPES.sub(b"", _MOVES.sub(b"\n", _REDRAWN.sub(b"", content)))
    # Firmware draws boxes in an encoding that is not UTF-8.
    text = kept.decode(errors="replace").replace("\N{REPLACEMENT CHARACTER}", " ")
    lines = (line.strip() for line in re.split(r"[\r\n]", text))
    # Only a prompt ends in a blank: it must survive the trimming to be recognised.
    return "\n".join(f"{line} " if line.endswith((" login:", ">")) else line for line in lines)
