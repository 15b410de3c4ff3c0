from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from imagebake.mirror.local import Mirror
from imagebake.spec.lock import Bundle, LockedPackage
from tests.mirror.conftest import Counter

Make = Callable[..., LockedPackage]


def filled(mirror: Mirror, make: Make, step: Counter) -> tuple[LockedPackage, ...]:
    packages = (make("jq"), make("bc"), make("dc"))
    mirror.ensure(packages, step=step)
    mirror.bundle(Bundle(packages[:2]))
    mirror.bundle(Bundle(packages[2:]))
    return packages


def damage(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"?")


def test_a_good_mirror_is_good(mirror: Mirror, make: Make, step: Counter) -> None:
    filled(mirror, make, step)

    found = mirror.verify(step=step)

    assert found.is_good
    assert found.checked == 3


def test_a_wrong_blob_goes_to_quarantine_with_its_bundles(
    mirror: Mirror, make: Make, step: Counter
) -> None:
    jq, bc, dc = filled(mirror, make, step)
    damage(mirror.store.path(jq.sha256))

    found = mirror.verify(step=step)

    assert found.wrong == (jq.sha256,)
    assert found.broken == (Bundle((jq, bc)).digest,)
    assert found.missing == ()
    assert (mirror.root / "quarantine" / jq.sha256).is_file()
    assert mirror.missing((jq, bc, dc)) == (jq,)
    assert [place.name for place in mirror.bundles.glob("[!.]*")] == [Bundle((dc,)).digest]


def test_a_bake_mends_what_verification_found(mirror: Mirror, make: Make, step: Counter) -> None:
    packages = filled(mirror, make, step)
    damage(mirror.store.path(packages[0].sha256))
    mirror.verify(step=step)

    mirror.ensure(packages, step=step)
    mirror.bundle(Bundle(packages[:2]))

    assert mirror.verify(step=step).is_good


def test_a_missing_blob_is_named(mirror: Mirror, make: Make, step: Counter) -> None:
    jq, bc, _ = filled(mirror, make, step)
    mirror.store.path(bc.sha256).unlink()

    found = mirror.verify(step=step)

    assert found.missing == (bc.sha256,)
    assert found.broken == (Bundle((jq, bc)).digest,)


def test_a_bundle_with_an_index_of_its_own_making_is_removed(
    mirror: Mirror, make: Make, step: Counter
) -> None:
    *_, dc = filled(mirror, make, step)
    place = mirror.bundle(Bundle((dc,)))
    (place / "Packages").write_text("Package: evil\n")

    assert mirror.verify(step=step).broken == (place.name,)
    assert not place.exists()
