"""The footer that makes a raw disk a fixed VHD which Azure takes."""

from __future__ import annotations

import struct
import uuid

MIB = 1 << 20
FOOTER = 512

_VHD_EPOCH = 946_684_800
"""2000-01-01: VHD counts seconds from there."""


def footer(size: int, *, identity: uuid.UUID, epoch: int) -> bytes:
    """The last 512 bytes of a fixed VHD of *size* bytes, a multiple of 1 MiB.

    The creator is spelled as QEMU spells itself with `force_size`, and the geometry is the
    largest: whoever sees this creator takes the size from its own field, to the byte, where
    any other creator's would be rounded down to cylinders.
    """
    head = struct.pack(
        ">8sIIQI4sI4sQQHBBI",
        b"conectix",
        2,
        0x10000,
        0xFFFFFFFFFFFFFFFF,
        max(0, epoch - _VHD_EPOCH),
        b"qem2",
        0x50003,
        b"Wi2k",
        size,
        size,
        65535,
        16,
        255,
        2,
    )
    tail = struct.pack(">16sB427s", identity.bytes, 0, b"")
    checksum = ~sum(head + tail) & 0xFFFFFFFF
    return head + struct.pack(">I", checksum) + tail


def aligned(size: int) -> int:
    """*size* rounded up to the whole MiB that Azure asks for."""
    return -(-size // MIB) * MIB
