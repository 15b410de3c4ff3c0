"""What renders: the same identity, spec and lock give the same scripts."""

from __future__ import annotations

from pathlib import Path

from imagebake.kernel.digest import sha256_bytes, sha256_file, sha256_json
from imagebake.spec.catalogue.component import Catalogue

_PACKAGE = Path(__file__).resolve().parents[2]
_CODE = ("spec", "build")


def rendering_identity(templates: Path, catalogue: Catalogue) -> str:
    """The digest of everything that scripts are made by, besides the spec and the lock.

    More is in it than needs to be: another identity only means that rendering tells.
    """
    code = [path for name in _CODE for path in (_PACKAGE / name).rglob("*.py")]
    files = [*templates.rglob("*"), *code]
    digests = {str(path): sha256_file(path) for path in files if path.is_file()}
    return sha256_json(
        {"files": sorted(digests.values()), "catalogue": sha256_bytes(repr(catalogue).encode())}
    )
