from __future__ import annotations

from imagebake.inspection.contents import Units
from tests.support.images import Node, contents_of, link, text

ETC = "/etc/systemd/system"
VENDOR = "/usr/lib/systemd/system"
UNIT = text("[Unit]\n")


def units(tree: dict[str, Node]) -> Units:
    return contents_of(tree).units


def test_a_unit_that_a_target_wants_is_enabled() -> None:
    found = units(
        {
            f"{ETC}/multi-user.target.wants/a.service": link(f"{VENDOR}/a.service"),
            f"{ETC}/timers.target.requires/b.timer": link(f"{VENDOR}/b.timer"),
            f"{VENDOR}/a.service": UNIT,
            f"{VENDOR}/b.timer": UNIT,
            f"{VENDOR}/c.service": UNIT,
        }
    )

    assert found.enabled == {"a.service", "b.timer"}
    assert found.known == {"a.service", "b.timer", "c.service"}
    assert found.masked == frozenset()


def test_a_unit_that_the_vendor_wants_is_enabled() -> None:
    found = units({f"{VENDOR}/sysinit.target.wants/a.service": link("../a.service")})

    assert found.enabled == {"a.service"}


def test_a_mask_is_a_link_to_nothing_or_an_empty_file() -> None:
    found = units(
        {
            f"{ETC}/a.timer": link("/dev/null"),
            f"{ETC}/b.timer": text(""),
            f"{VENDOR}/a.timer": UNIT,
        }
    )

    assert found.masked == {"a.timer", "b.timer"}


def test_the_administrators_unit_outranks_the_vendors_mask() -> None:
    found = units({f"{ETC}/a.service": UNIT, f"{VENDOR}/a.service": link("/dev/null")})

    assert found.masked == frozenset()


def test_an_alias_enables_what_it_points_at() -> None:
    found = units(
        {f"{ETC}/sshd.service": link(f"{VENDOR}/ssh.service"), f"{VENDOR}/ssh.service": UNIT}
    )

    assert found.enabled == {"sshd.service", "ssh.service"}


def test_a_vendors_alias_enables_nothing() -> None:
    assert units({f"{VENDOR}/dbus-x.service": link("x.service")}).enabled == frozenset()
