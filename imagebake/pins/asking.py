"""Whom a question about versions goes to, as this machine and its settings have it."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.marketplace import MarketplaceSource
from imagebake.kernel import context
from imagebake.kernel.context import Site
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.http import PUBLIC
from imagebake.lock import artifact_sources
from imagebake.lock.apt_sources import read_configuration
from imagebake.lock.archive import Archives
from imagebake.pins.archive_versions import ArchiveSource
from imagebake.pins.github import GithubSource
from imagebake.pins.pypi import PypiSource
from imagebake.pins.web_listing import ListingSource
from imagebake.session import session
from imagebake.spec.model.candidates import Origin, Question, Source

_LARGEST_ANSWER = 64 << 20


@contextlib.contextmanager
def sources(site: Site, questions: Iterable[Question]) -> Iterator[Mapping[Origin, Source]]:
    """Every source, for *questions*; nobody is spoken to before something is asked of him."""
    packages = (one.names[-1] for one in questions if one.origin is Origin.ARCHIVE)
    loader = artifact_sources.downloader(site, read_configuration().proxies)
    read = functools.partial(loader.read, reach=PUBLIC, limit=_LARGEST_ANSWER)
    with contextlib.ExitStack() as stack:
        marketplace = MarketplaceSource(_once(site, stack))
        yield {
            Origin.ARCHIVE: ArchiveSource(
                archives=functools.partial(_archives, site),
                packages=frozenset(packages),
                connections=loader.connections,
                now=site.now,
            ),
            Origin.GITHUB: GithubSource(read),
            Origin.PYPI: PypiSource(read),
            Origin.LISTING: ListingSource(read),
            Origin.IMAGES: marketplace,
            Origin.EXTENSIONS: marketplace,
        }


def _archives(site: Site) -> Archives:
    context.provide(system_packages.LOCK, progress=site.progress)
    return artifact_sources.archives(site)


def _once(site: Site, stack: contextlib.ExitStack) -> Callable[[], Clients]:
    """The clients of the cloud, connected by the first who asks, for all threads."""
    lock = threading.Lock()
    connected: list[Clients] = []

    def connect() -> Clients:
        with lock:
            if not connected:
                connected.append(stack.enter_context(session.connect(site)).cloud)
            return connected[0]

    return connect
