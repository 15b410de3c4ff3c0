"""Sources of versions: archives, GitHub, PyPI, listings and the marketplace."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.marketplace import MarketplaceSource
from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.http import PUBLIC
from imagebake.lock import artifact_sources
from imagebake.lock.apt_sources import read_configuration
from imagebake.lock.archive import Archives
from imagebake.pins.archive_versions import ArchiveSource
from imagebake.pins.version_sources import GithubSource, ListingSource, PypiSource
from imagebake.session.session import connect
from imagebake.spec.model.candidates import Origin, Question, VersionSource

_LARGEST_ANSWER = 64 << 20


@contextlib.contextmanager
def sources(
    context: Context, questions: Iterable[Question]
) -> Iterator[Mapping[Origin, VersionSource]]:
    """Open every source for *questions*; a source connects when it is first read."""
    packages = (question.names[-1] for question in questions if question.origin is Origin.ARCHIVE)
    loader = artifact_sources.make_downloader(context, read_configuration().proxies)
    read = functools.partial(loader.read, reach=PUBLIC, limit=_LARGEST_ANSWER)
    with contextlib.ExitStack() as stack:
        marketplace = MarketplaceSource(_once(context, stack))
        yield {
            Origin.ARCHIVE: ArchiveSource(
                archives=functools.partial(_archives, context),
                packages=frozenset(packages),
                connections=loader.connections,
                now=context.now,
            ),
            Origin.GITHUB: GithubSource(read),
            Origin.PYPI: PypiSource(read),
            Origin.LISTING: ListingSource(read),
            Origin.IMAGES: marketplace,
            Origin.EXTENSIONS: marketplace,
        }


def _archives(context: Context) -> Archives:
    ensure_programs(system_packages.LOCK, progress=context.progress)
    return artifact_sources.find_machine_archives(context)


def _once(context: Context, stack: contextlib.ExitStack) -> Callable[[], Clients]:
    """Return a function that connects to the cloud once, for all threads."""
    lock = threading.Lock()
    connected: list[Clients] = []

    def connected_clients() -> Clients:
        with lock:
            if not connected:
                connected.append(stack.enter_context(connect(context)).cloud)
            return connected[0]

    return connected_clients
