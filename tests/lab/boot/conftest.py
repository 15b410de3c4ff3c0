"""Networks for machines, and one small image that boots."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.lab.boot.network import VmNetwork
from imagebake.lab.fabric.fabric_settings import FabricMachine
from tests.support.boot_root import boot_root

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAl3h1YV5rGm1Q8k4Qk4mVfQ0pS8d1x7o0kq7Yp0h2aB test"
NOW = functools.partial(dt.datetime.now, dt.UTC)


def a_machine() -> FabricMachine:
    return FabricMachine(vm_id=str(uuid.uuid4()), public_key=KEY)


@pytest.fixture
def network() -> Iterator[VmNetwork]:
    """A network whose machine is on it already, without any DHCP."""
    with VmNetwork(a_machine(), now=NOW) as network:
        network.configure_link()
        yield network


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> Path:
    """A root file system with an init, cloud-init and the agent; it stays for the next run."""
    cache = request.config.cache
    assert cache is not None
    return boot_root(cache.mkdir("boot-roots"))
