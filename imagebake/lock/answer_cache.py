"""A new lock that says of an old one whatever has not moved."""

from __future__ import annotations

from collections.abc import Mapping

from imagebake.kernel.digest import sha256_json
from imagebake.lock.resolve import locked_files
from imagebake.spec.lock import Lock, Repository
from imagebake.spec.model.image_spec import ImageSpec


def with_same_packages(previous: Lock, spec: ImageSpec, sizes: Mapping[str, int]) -> Lock:
    """The lock of *spec*, which asks for the packages that *previous* has, and for other things.

    *sizes* has the size of every file by its digest.
    """
    return previous.model_copy(
        update={
            "inputs_sha256": sha256_json(spec.lock_inputs()),
            "source": spec.source,
            "files": locked_files(spec, sizes),
            "extensions": spec.extensions,
        }
    )


def packages_asked(spec: ImageSpec) -> object:
    """What the packages of a lock follow from."""
    agents = tuple((pin.agent, pin.version) for pin in spec.agents)
    packages = tuple((pin.package, pin.version) for pin in spec.packages)
    return agents, packages, spec.local, spec.gallery.architecture, spec.name


def with_old_dates(previous: Lock, lock: Lock) -> Lock:
    """*lock* with *previous*' line for every repository of which nothing new is used."""
    old = {repository.id: repository for repository in previous.repositories}
    there = {(package.repository, package.sha256) for package in previous.packages}
    moved = {
        package.repository
        for package in lock.packages
        if (package.repository, package.sha256) not in there
    }
    repositories = tuple(
        one if one.id in moved or not _is_same(old.get(one.id), one) else old[one.id]
        for one in lock.repositories
    )
    return lock.model_copy(update={"repositories": repositories})


def _is_same(old: Repository | None, new: Repository) -> bool:
    """Whether two lines are about one repository at two times."""
    return old is not None and (old.suite, old.components) == (new.suite, new.components)
