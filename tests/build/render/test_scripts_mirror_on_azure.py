"""The same steps where the mirror is in Azure: a token from the identity service, then curl."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from imagebake.build.plan import plan_bake
from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Bundle
from imagebake.spec.model.image_spec import ImageSpec
from tests.build.render import azure_side
from tests.build.render.conftest import MIRROR, as_root
from tests.support.builders import a_lock, a_package, a_spec

pytestmark = pytest.mark.root

CONTENT = b"from the mirror\n"
URL = "https://127.0.0.1"
Told = dict[str, Any]


def a_file_spec(destination: Path) -> ImageSpec:
    file = {
        "file": "https://files.example/tool", "version": "1", "sha256": sha256_bytes(CONTENT),
        "destination": str(destination),
    }  # fmt: skip
    return a_spec(pins=(file,))


def run(tmp_path: Path, script: str, address: str = URL, faults: Iterable[str] = ()) -> Told:
    """Run *script*, which was rendered for the local mirror, where the mirror is *address*."""
    path = tmp_path / "script"
    path.write_text(script.replace(MIRROR, address))
    done = subprocess.run(
        ["unshare", "--net", sys.executable, azure_side.__file__, tmp_path / "mirror",
         tmp_path / "ca.pem", path, *faults],
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    told: Told = json.loads(done.stdout)
    return told


def put(tmp_path: Path, templates: Templates, content: bytes, **where: Any) -> Told:  # noqa: ANN401
    """Run the step that puts a file, with *content* in the mirror under the locked digest."""
    digest = sha256_bytes(CONTENT)
    blob = tmp_path / "mirror/sha256" / digest[:2] / digest
    blob.parent.mkdir(parents=True)
    blob.write_bytes(content)
    spec = a_file_spec(tmp_path / "put/tool")
    plan = plan_bake(spec, a_lock(spec), catalogue=CATALOGUE, templates=templates)
    (step,) = (script for script in plan.customizers if script.name == "put-files")
    return run(tmp_path, as_root(step), **where)


def test_a_file_comes_from_the_mirror_with_the_identity_of_the_machine(
    tmp_path: Path, templates: Templates
) -> None:
    told = put(tmp_path, templates, CONTENT)

    assert told["code"] == 0, told["stderr"]
    assert (tmp_path / "put/tool").read_bytes() == CONTENT
    asked = told["tokens"][-1]
    assert asked["metadata"].lower() == "true"
    assert "resource=https%3A%2F%2Fstorage.azure.com%2F" in asked["path"]
    (blob,) = told["blobs"]
    assert blob["authorization"] == f"Bearer {azure_side.TOKEN}"
    assert blob["x-ms-version"] >= "2017-11-09"


def test_services_that_fail_once_are_asked_again(tmp_path: Path, templates: Templates) -> None:
    told = put(tmp_path, templates, CONTENT, faults=("token", sha256_bytes(CONTENT)))

    assert told["code"] == 0, told["stderr"]
    assert len(told["tokens"]) == len(told["blobs"]) == 2


def test_a_bundle_comes_whole_from_the_mirror(tmp_path: Path, templates: Templates) -> None:
    spec = a_spec(pins=tuple({"package": f"p{n}", "version": f"1.{n}~rc+b-1"} for n in range(5)))
    packages = tuple(
        a_package(pin.name, pin.version, sha256=sha256_bytes(pin.name.encode()))
        for pin in spec.packages
    )
    bundle = Bundle(packages)
    place = tmp_path / "mirror/bundles" / bundle.digest
    place.mkdir(parents=True)
    (place / "index").write_bytes(bundle.index)
    (place / "Packages").write_text("".join(f"SHA256: {package.sha256}\n" for package in packages))
    for package in packages:
        (place / package.file_name).write_text(package.name)
    base, step = a_lock(spec).steps
    lock = a_lock(spec, steps=(base, step.model_copy(update={"packages": packages})))
    plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates)
    functions, _, body = as_root(plan.customizers[1]).partition("main() {\n")
    before = body.partition("  install_from_bundle")[0]

    told = run(tmp_path, f'{functions}{before}cp -r "$bundle" {tmp_path}/got\n')

    assert told["code"] == 0, told["stderr"]
    names = sorted(path.name for path in (tmp_path / "got").iterdir())
    assert names == sorted(path.name for path in place.iterdir())
    assert len(told["tokens"]) == 1


def test_a_wrong_file_from_the_mirror_is_not_put(tmp_path: Path, templates: Templates) -> None:
    told = put(tmp_path, templates, b"something else")

    assert told["code"] == 1
    assert told["stderr"].endswith("is not what the lock says\n")
    assert not (tmp_path / "put").exists()


def test_the_token_is_never_said(tmp_path: Path, templates: Templates) -> None:
    told = put(tmp_path, templates, b"something else")

    assert azure_side.TOKEN not in told["stderr"]


def test_another_kind_of_mirror_is_refused(tmp_path: Path, templates: Templates) -> None:
    told = put(tmp_path, templates, CONTENT, address="http://127.0.0.1")

    assert told["code"] == 1
    assert told["stderr"] == (
        "imagebake: the mirror http://127.0.0.1 is neither file:/// nor https://\n"
    )
    assert told["blobs"] == []
