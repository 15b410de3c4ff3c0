"""`mirror push` and `mirror verify --remote` as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.azure.blob.containers import BlobContainer
from imagebake.mirror import remote
from tests.azurite.conftest import Stock
from tests.support.azurite import Azurite
from tests.support.bake_services import Tape
from tests.support.storage_relay import Relay

pytestmark = pytest.mark.azurite

BLOCKS = 3 * (8 << 20)


def start(
    stock: Stock, storage: Azurite, login: str, url: str, *words: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "imagebake", "mirror", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "IMAGEBAKE_ROOT": str(stock.root),
            "IMAGEBAKE_MIRROR_URL": url,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": login,
            "IDENTITY_HEADER": "anything",
            "REQUESTS_CA_BUNDLE": str(storage.ca),
        },
    )


def test_a_push_that_is_killed_goes_on_where_it_was(
    connect: Callable[..., BlobContainer],
    stock: Callable[..., Stock],
    relay: Relay,
    storage: Azurite,
    login: str,
) -> None:
    filled = stock(padding=BLOCKS)
    with connect() as container:
        url = container.address.url
        relay.fail("comp=block&", "hold", times=100, after=3)
        killed = start(filled, storage, login, url.replace(storage.url, relay.url), "push", "demo")
        assert relay.held.wait(60)
        name = next(one.name for one in filled.upload_plan.files if "/jq_" in one.name)
        while len(container.put_blocks(name)) < 3:
            assert killed.poll() is None
        killed.kill()
        killed.communicate()

        again = start(filled, storage, login, url, "push", "demo", "--json")
        output, told = again.communicate()

        assert again.returncode == 0, told
        done = json.loads(output)
        assert (done["mirror"], done["files"]) == (url, 6)
        assert done["sent"] < BLOCKS / 2
        assert remote.inspect(container, progress=Tape()).is_good


@pytest.mark.slow
def test_a_mirror_that_is_verified_says_what_is_wrong(
    container: BlobContainer, stock: Callable[..., Stock], storage: Azurite, login: str
) -> None:
    filled, url = stock(), container.address.url
    remote.push(filled.upload_plan, container=container, progress=Tape())
    good = start(filled, storage, login, url, "verify", "--remote")
    assert good.communicate()[0] == "6 files read, 0 wrong\n"
    name = next(one.name for one in filled.upload_plan.files if "/jq_" in one.name)
    container.client.upload_blob(name, b"not jq", overwrite=True)

    bad = start(filled, storage, login, url, "verify", "--remote")

    output, told = bad.communicate()
    assert (bad.returncode, output) == (5, "6 files read, 1 wrong\n")
    assert f"{name} has the sha256" in told
