"""The ids of Azure's resources taken apart; no two spellings of a word differ."""

from __future__ import annotations

from imagebake.kernel.errors import CloudError


def parts(resource_id: str) -> dict[str, str]:
    """The names in an id, by the lower-case word before each: `galleries` → `imagebake`."""
    words = resource_id.strip("/").split("/")
    return {word.lower(): name for word, name in zip(words[::2], words[1::2], strict=False)}


def names(resource_id: str, *words: str) -> tuple[str, ...]:
    """The names that stand after *words* in an id; `CloudError` where one does not."""
    found = parts(resource_id)
    if missing := [word for word in words if word not in found]:
        raise CloudError(
            f"{resource_id!r} is not the id that is wanted here: it names no {missing[0]}",
            code="InvalidResourceId",
        )
    return tuple(found[word] for word in words)


def scope_of(extension_id: str, provider: str) -> str:
    """What a lock, or another resource that extends one, is on: the id before *provider*."""
    return extension_id[: extension_id.lower().rfind(f"/providers/{provider.lower()}/")]


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
