"""Sources of artifacts: the machine's archives, the mirror and downloads."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from imagebake.kernel.context import Context
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.download import Downloader, DownloadRequest
from imagebake.kernel.host.http import PUBLIC, Connections
from imagebake.lock.apt_sources import read_configuration
from imagebake.lock.archive import Archives, find_archives
from imagebake.mirror.local import Mirror
from imagebake.mirror.store import DirectoryStore
from imagebake.spec.lock import Lock

_SILENCE_SECONDS = 30.0


def make_downloader(context: Context, proxies: Mapping[str, str]) -> Downloader:
    """Return a downloader with the limits of the settings."""
    return Downloader(
        connections=Connections(
            timeout=_SILENCE_SECONDS, proxies=proxies, context=ssl.create_default_context()
        ),
        max_bytes=_mebibytes(context.settings.max_artifact_mb),
        pause=time.sleep,
    )


def make_fetcher(context: Context) -> Callable[[str, str | None], Path]:
    """Return a function that downloads a file of an image template into the mirror."""
    store = DirectoryStore(context.workspace.mirror)

    def fetch(url: str, sha256: str | None) -> Path:
        loader = make_downloader(context, {})
        if sha256 is None:
            limit = _mebibytes(context.settings.max_artifact_mb)
            return store.path(store.put(loader.read(url, reach=PUBLIC, limit=limit)))
        target = store.path(sha256)
        if not target.exists():
            loader.fetch(DownloadRequest(url=url, sha256=sha256), target, reach=PUBLIC)
        return target

    return fetch


def find_machine_archives(context: Context) -> Archives:
    """Return the archives of this machine's sources, or of the setting `archive`."""
    machine = read_configuration()
    return find_archives(
        context.settings,
        machine,
        downloader=make_downloader(context, machine.proxies),
        cache=context.workspace.state / "indexes",
    )


def open_mirror(
    context: Context, known: Archives | None = None, lock: Lock | None = None
) -> Mirror:
    """Return the workspace's mirror; packages of *lock* are downloaded from *known* archives."""
    proxies = read_configuration().proxies if known else {}
    return Mirror(
        store=DirectoryStore(context.workspace.mirror),
        addresses=known.addresses(lock) if known and lock else {},
        downloader=make_downloader(context, proxies),
    )


def _mebibytes(text: str) -> int:
    try:
        return int(text) << 20
    except ValueError:
        raise ArtifactError(
            f"the setting max_artifact_mb is {text!r}", hint="it is a whole number of MiB"
        ) from None
