"""Inputs of the rules: values only, so that every rule is a pure function."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from imagebake.inspection.contents import Contents, Leak
from imagebake.lab.disk.result import DiskBoot
from imagebake.lab.proof_result import Proof
from imagebake.spec.catalogue.component import Catalogue
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFacts:
    """A spec before it is baked.

    *lock* is None where there is none; *fresh* is whether it is of this very spec, as of a
    stale one only its staleness is reported. *location* is the gallery's region, and *gallery*
    its id, where they are known; *others* are the other specs of the repository; *leaks* are
    the secrets found in the spec and in the files rendered from it.
    """

    spec: ImageSpec
    lock: Lock | None
    fresh: bool
    catalogue: Catalogue
    location: str
    today: dt.date
    gallery: str = ""
    others: tuple[ImageSpec, ...] = ()
    leaks: tuple[Leak, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """A baked image, with the lock that it should have been baked from."""

    spec: ImageSpec
    lock: Lock
    contents: Contents
    catalogue: Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFacts:
    """The proof of a version, *subject*; without it, *hindrance* is the reason, *mend* the fix.

    With an empty *mend* the rule's own fix applies.
    """

    spec: ImageSpec
    subject: str
    proof: Proof | None
    hindrance: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """The boot of a version's exported disk, *subject*, and the file with its *console*.

    Without a boot *hindrance* is the reason.
    """

    spec: ImageSpec
    subject: str
    boot: DiskBoot | None
    console: str = ""
    hindrance: str = ""
