from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.inspection.contents import Password, User
from imagebake.inspection.tree import hashed_accounts, parse_groups, parse_users, password_state

PASSWD = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n"  # noqa: S105 - a file, not a password
SHADOW = "root:*:20000:0:99999:7:::\nann:$y$j9T$salt$hash:20000:0:99999:7:::\n"


def test_accounts_are_read_with_the_state_of_their_password() -> None:
    assert parse_users(PASSWD, SHADOW) == (
        User("root", 0, 0, "/root", "/bin/bash", Password.LOCKED),
        User("ann", 1000, 1000, "/home/ann", "/bin/sh", Password.SET),
    )


def test_an_account_without_a_shadow_is_locked() -> None:
    assert [user.password for user in parse_users(PASSWD, "")] == [Password.LOCKED] * 2


def test_a_password_may_stand_in_the_account_itself() -> None:
    (user,) = parse_users("old::5:5::/:/bin/sh\n", "")

    assert user.password is Password.EMPTY


@pytest.mark.parametrize(
    ("field", "state"),
    [
        ("", Password.EMPTY),
        ("*", Password.LOCKED),
        ("!", Password.LOCKED),
        ("!!", Password.LOCKED),
        ("!$y$abc", Password.LOCKED),
        ("$6$abc", Password.SET),
        ("aB1", Password.SET),
    ],
)
def test_shadow_fields_mean_what_the_manual_says(field: str, state: Password) -> None:
    assert password_state(field) is state


def test_a_locked_hash_is_still_a_hash() -> None:
    assert hashed_accounts("a:!$y$x:1::::::\nb:!*:1::::::\nc::1::::::\n") == ("a",)


def test_groups_are_names() -> None:
    assert parse_groups("root:x:0:\nsudo:x:27:ann\n\n") == ("root", "sudo")


@pytest.mark.parametrize(
    "line", ["", "root", "a:x:b:c::/:/", "a:x:-1:0::/:/", f"a:x:{'9' * 5000}:0::/:/"]
)
def test_what_is_no_account_is_passed_over(line: str) -> None:
    assert parse_users(line + "\n", "") == ()


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_the_parsers(passwd: str, shadow: str) -> None:
    parse_users(passwd, shadow)
    parse_groups(passwd)
    hashed_accounts(shadow)
