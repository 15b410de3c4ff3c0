"""The accounts of an image: who there is, and who could log in with a password."""

from __future__ import annotations

import re

from imagebake.model.contents import Password, User

_ACCOUNT = re.compile(
    r"(?P<name>[^:]+):(?P<password>[^:]*):(?P<uid>[0-9]{1,10}):(?P<gid>[0-9]{1,10}):"
    r"[^:]*:(?P<home>[^:]*):(?P<shell>[^:]*)"
)


def parse_users(passwd: str, shadow: str) -> tuple[User, ...]:
    """Read the accounts in *passwd*'s order; a line that is not one is passed over."""
    shadows = _shadow_fields(shadow)
    users: list[User] = []
    for line in passwd.splitlines():
        if not (account := _ACCOUNT.fullmatch(line)):
            continue
        name, field = account["name"], account["password"]
        password = password_state(shadows.get(name, "*") if field == "x" else field)
        uid, gid = int(account["uid"]), int(account["gid"])
        users.append(User(name, uid, gid, account["home"], account["shell"], password))
    return tuple(users)


def parse_groups(group: str) -> tuple[str, ...]:
    """The names of the groups, in the file's order."""
    return tuple(line.split(":")[0] for line in group.splitlines() if ":" in line)


def password_state(field: str) -> Password:
    """What shadow(5) means by a password field: no hash can match a locked one."""
    if not field:
        return Password.EMPTY
    return Password.LOCKED if field[0] in "!*" else Password.SET


def hashed_accounts(shadow: str) -> tuple[str, ...]:
    """The accounts that a shadow file, or an old copy of one, holds a hash of."""
    fields = _shadow_fields(shadow).items()
    return tuple(name for name, field in fields if field.lstrip("!*"))


def _shadow_fields(shadow: str) -> dict[str, str]:
    rows = (line.split(":") for line in shadow.splitlines() if line.count(":") > 1)
    return {row[0]: row[1] for row in rows}
