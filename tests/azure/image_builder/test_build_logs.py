"""A build's log where Azure puts it: in the storage account of its staging group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.build_logs import PackerLogs
from imagebake.azure.image_builder.image_templates import ImageTemplates
from imagebake.kernel.errors import CloudError
from tests.support.bake_services import a_template
from tests.support.builders import a_spec
from tests.support.machines import Machine, ObedientBuilder


@pytest.fixture
def cloud(machine: Machine) -> Clients:
    cloud = machine.cloud
    Gallery(cloud, "imagebake").ensure()
    Gallery(cloud, "imagebake").ensure_definition(a_spec().gallery)
    return cloud


def body(cloud: Clients) -> dict[str, Any]:
    return a_template(cloud.endpoint.version_id("imagebake", "demo", "1.0.0"))


def test_a_log_is_read_with_the_identity_and_kept(cloud: Clients, tmp_path: Path) -> None:
    templates = ImageTemplates(cloud, is_free=lambda _: True, note=lambda _: None)
    logs = PackerLogs(cloud)

    with templates.template("t", body(cloud)) as run:
        before = logs.read("t")
        run.finish(lambda _: None, limit=60)
        after, rest, none = logs.read("t"), logs.read("t", 6), logs.read("t", 10_000)
        kept = logs.keep("t", tmp_path)

    assert before == b""
    assert (after, rest, none) == (b"customizing\n", b"izing\n", b"")
    assert kept == tmp_path / "t.log"
    assert kept.read_bytes() == after
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_log_goes_with_its_template(cloud: Clients, tmp_path: Path) -> None:
    templates = ImageTemplates(cloud, is_free=lambda _: True, note=lambda _: None)
    with templates.template("t", body(cloud)) as run:
        run.finish(lambda _: None, limit=60)

    assert PackerLogs(cloud).read("t") == b""
    assert PackerLogs(cloud).keep("t", tmp_path) is None


def test_who_may_not_read_blobs_is_told_which_role_is_missing(
    cloud: Clients, machine: Machine, builder: ObedientBuilder
) -> None:
    machine.emulator.fail(
        "GET",
        "*/packerlogs*",
        status=403,
        code="AuthorizationPermissionMismatch",
        message="This request is not authorized to perform this operation.",
        times=9,
    )
    templates = ImageTemplates(cloud, is_free=lambda _: True, note=lambda _: None)

    with templates.template("t", body(cloud)) as run:
        run.finish(lambda _: None, limit=60)
        with pytest.raises(CloudError) as caught:
            PackerLogs(cloud).read("t")

    assert "Storage Blob Data Reader" in str(caught.value.hint)
    assert caught.value.cause
    assert builder.built == 1
