"""A build machine fetches what was pushed, by the very script that it will run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.azure.blob.containers import BlobContainer
from imagebake.build.plan import plan_bake
from imagebake.kernel.templating import Templates
from imagebake.mirror import remote
from imagebake.spec.catalogue.components import CATALOGUE
from tests.azurite.conftest import Stock
from tests.support.azurite import Azurite
from tests.support.bake_services import Tape

pytestmark = pytest.mark.azurite

PROJECT = Path(__file__).parents[2]
IDENTITY_SERVICE = "http://169.254.169.254"


def read_bundles(stock: Stock, url: str, login: str, ca: str) -> subprocess.CompletedProcess[str]:
    """Run the functions of each installing script, up to where apt would come."""
    plan = plan_bake(
        stock.spec, stock.lock, catalogue=CATALOGUE, templates=Templates(PROJECT / "templates")
    )
    programs = []
    for script in plan.customizers:
        text = "\n".join(script.lines(url))
        if "install_from_bundle" not in text:
            continue
        functions = text[text.index("fail() {") : text.index("main() {")]
        opening = next(line for line in text.splitlines() if line.startswith("  open_bundle "))
        functions = functions.replace(IDENTITY_SERVICE, login)
        programs.append(f"set -eu\n{functions}\nuse_mirror\n{opening}\nls $bundle")
    done = [
        subprocess.run(
            ["/bin/sh", "-c", program],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "CURL_CA_BUNDLE": ca},
        )
        for program in programs
    ]
    return next((one for one in done if one.returncode), done[-1])


def test_the_script_of_a_build_reads_what_was_pushed(
    container: BlobContainer, stock: Callable[..., Stock], login: str, storage: Azurite
) -> None:
    filled = stock()
    remote.push(filled.upload_plan, container=container, progress=Tape())

    done = read_bundles(filled, container.address.url, login, str(storage.ca))

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["Packages", "index", "jq_1.6-2.1+deb12u1_amd64.deb"]


def test_the_script_refuses_what_somebody_changed(
    container: BlobContainer, stock: Callable[..., Stock], login: str, storage: Azurite
) -> None:
    filled = stock()
    remote.push(filled.upload_plan, container=container, progress=Tape())
    name = next(one.name for one in filled.upload_plan.files if "/jq_" in one.name)
    container.client.upload_blob(name, b"not jq", overwrite=True)

    done = read_bundles(filled, container.address.url, login, str(storage.ca))

    assert done.returncode == 1
    assert "a package is not what the lock says" in done.stderr
