"""ARM resource ids taken apart and compared; their case never matters."""

from __future__ import annotations

from imagebake.kernel.errors import CloudError


def parts(resource_id: str) -> dict[str, str]:
    """Return the names in an id by the lower-case type before each: `galleries` → `imagebake`."""
    words = resource_id.strip("/").split("/")
    return {word.lower(): name for word, name in zip(words[::2], words[1::2], strict=False)}


def names(resource_id: str, *words: str) -> tuple[str, ...]:
    """Return the names after the types *words* in an id; `CloudError` where one is missing."""
    found = parts(resource_id)
    if missing := [word for word in words if word not in found]:
        raise CloudError(
            f"{resource_id!r} is not the id that is wanted here: it names no {missing[0]}",
            code="InvalidResourceId",
        )
    return tuple(found[word] for word in words)


def scope_of(extension_id: str, provider: str) -> str:
    """Return the id that a lock, or another extension resource of *provider*, applies to."""
    return extension_id[: extension_id.lower().rfind(f"/providers/{provider.lower()}/")]


LATEST = "/versions/latest"


def key(identifier: str) -> str:
    """Return *identifier* in the form used to compare ids, whose case Azure ignores."""
    return identifier.rstrip("/").lower()


def definition_of(identifier: str) -> str:
    """Return the id, in lower case, of the definition that *identifier* names or belongs to."""
    return key(identifier).partition("/versions/")[0]


def is_version(identifier: str) -> bool:
    """Return whether *identifier* names a fixed version, not a definition or `latest`."""
    low = key(identifier)
    return "/versions/" in low and not low.endswith(LATEST)


def name_of(identifier: str) -> str:
    """Return the last part of *identifier*."""
    return identifier.rstrip("/").rsplit("/", 1)[-1]


def spoken(identifier: str) -> str:
    """Return a short name: `debian-12-base@2026.1122.0`, `web/0`, or the id's last part."""
    if "/virtualmachinescalesets/" in (low := identifier.lower()) and "/virtualmachines/" in low:
        owner = identifier[: low.index("/virtualmachines/")]
        return f"{name_of(owner)}/{name_of(identifier)}"
    definition, versions, version = identifier.rstrip("/").rpartition("/versions/")
    return f"{name_of(definition)}@{version}" if versions else name_of(identifier)
