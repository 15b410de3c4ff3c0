"""Resource ids: equal in any case, and spoken of by their last parts."""

from __future__ import annotations

LATEST = "/versions/latest"


def key(identifier: str) -> str:
    """*identifier* as it is compared: Azure does not heed the case of ids."""
    return identifier.rstrip("/").lower()


def definition_of(identifier: str) -> str:
    """The id, in lower case, of the definition that *identifier* is of, or is a version of."""
    return key(identifier).partition("/versions/")[0]


def is_version(identifier: str) -> bool:
    """Whether *identifier* names one version; a definition and `latest` name what moves."""
    low = key(identifier)
    return "/versions/" in low and not low.endswith(LATEST)


def name_of(identifier: str) -> str:
    """The last part of *identifier*."""
    return identifier.rstrip("/").rsplit("/", 1)[-1]


def spoken(identifier: str) -> str:
    """*identifier* as people say it: `debian-12-base@2026.1122.0`, `web/0`, or its last part."""
    if "/virtualmachinescalesets/" in (low := identifier.lower()) and "/virtualmachines/" in low:
        owner = identifier[: low.index("/virtualmachines/")]
        return f"{name_of(owner)}/{name_of(identifier)}"
    definition, versions, version = identifier.rstrip("/").rpartition("/versions/")
    return f"{name_of(definition)}@{version}" if versions else name_of(identifier)
