"""Image templates that imagebake did not write, and clients that are not ours."""

from __future__ import annotations

import json
import re
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.bakery import IMAGE, Bakery, await_silence

pytestmark = [pytest.mark.root, pytest.mark.archive]

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/imagebake"
SEED_SOURCE = {
    "type": "PlatformImage",
    "publisher": "Debian",
    "offer": "debian-test",
    "sku": "small-gen2",
    "version": "0.1.0",
}
SHARED = {
    "type": "SharedImage",
    "galleryImageId": f"{GROUP}/providers/Microsoft.Compute/galleries/theirs/images/their-image",
    "runOutputName": "shared",
    "targetRegions": [{"name": "westeurope"}],
}
MANAGED = {
    "type": "ManagedImage",
    "imageId": f"{GROUP}/providers/Microsoft.Compute/images/theirs",
    "location": "westeurope",
    "runOutputName": "managed",
}
DISK = {"type": "VHD", "runOutputName": "disk"}


def write(folder: Path, **properties: Any) -> Path:  # noqa: ANN401 - JSON of the wire
    """A template in a file of its own."""
    identity = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
    document = {
        "type": "Microsoft.VirtualMachineImages/imageTemplates",
        "apiVersion": "2024-02-01",
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
        "properties": {
            "source": SEED_SOURCE,
            "customize": [{"type": "Shell", "inline": ["echo hello"]}],
            "distribute": [SHARED],
            **properties,
        },
    }
    path = folder / "template.json"
    path.write_text(json.dumps(document))
    return path


def test_every_distributor_says_what_it_made(warm: Bakery, tmp_path: Path) -> None:
    template = write(tmp_path, distribute=[SHARED, MANAGED, DISK])

    rows = {row["output"]: row for row in warm.json("try", template)}

    assert sorted(rows) == ["disk", "managed", "shared"]
    assert "/images/their-image/versions/" in rows["shared"]["made"]
    assert re.fullmatch("[0-9a-f]{64}", rows["shared"]["content_sha256"])
    assert rows["managed"]["made"] == MANAGED["imageId"]
    assert rows["disk"]["made"].endswith(".vhd")


@pytest.mark.slow  # in every run: engine/test_base.py
def test_a_source_that_is_not_known_is_made_from_the_suite_that_is_named(
    cold: Bakery, tmp_path: Path
) -> None:
    source = {"type": "PlatformImage", "publisher": "Acme", "offer": "os", "sku": "1"}
    checks = [
        {"type": "Shell", "inline": ["echo a disk is unplugged; ! curl --max-time 2 10.0.0.1"]}
    ]
    template = write(tmp_path, source={**source, "version": "latest"}, customize=checks)
    suite = json.loads(cold.lock.read_text())["suite"]

    refused = cold.run("try", template, ends=2).stderr
    made = cold.run("try", template, "--offline", "--suite", suite).stdout

    assert "Acme:os:1" in refused
    assert "--suite" in refused
    assert "/images/their-image/versions/" in made


@pytest.mark.parametrize(
    ("customizer", "message"),
    [
        ({"type": "PowerShell", "inline": ["dir"]}, "makes Linux images"),
        ({"type": "WindowsRestart"}, "makes Linux images"),
        ({"type": "Shell", "name": "broken", "inline": ["echo so; exit 9"]}, "broken"),
        (
            {"type": "Shell", "scriptUri": "https://127.0.0.1:9/setup.sh"},
            "https://127.0.0.1:9/setup.sh",
        ),
        (
            {
                "type": "File",
                "sourceUri": "https://127.0.0.1:9/a.tar",
                "destination": "/tmp/a.tar",  # noqa: S108 - the wire's
            },
            "https://127.0.0.1:9/a.tar",
        ),
    ],
    ids=["PowerShell", "restart", "failing", "scriptUri", "File"],
)
def test_what_cannot_be_done_is_one_clear_error(
    warm: Bakery, tmp_path: Path, customizer: dict[str, Any], message: str
) -> None:
    template = write(tmp_path, customize=[customizer])

    refused = warm.run("try", template, ends=7).stderr

    assert message in refused
    assert refused.count("error: ") == 1
    assert "Traceback" not in refused


@pytest.mark.parametrize(
    "text",
    ["", "[1, 2", "[]", '{"type": "Microsoft.Compute/virtualMachines"}', "[" * 100_000],
    ids=["empty", "cut off", "a list", "another resource", "deep"],
)
def test_what_is_no_template_is_refused_before_anything_starts(
    seed: Bakery, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "template.json"
    path.write_text(text)

    refused = seed.run("try", path, ends=2).stderr

    assert "error" in refused
    assert "template.json" in refused
    assert "Traceback" not in refused


def test_the_emulator_serves_other_clients_until_it_is_told_to_stop(warm: Bakery) -> None:
    with warm.start("emulator") as running:
        assert running.stdout
        output = ""
        while "SSL_CERT_FILE" not in output:
            output += running.stdout.readline()
        found = re.search(r"https://127\.0\.0\.1:\d+", output)
        trusted = re.search(r"REQUESTS_CA_BUNDLE=(\S+)", output)
        assert found
        assert trusted
        context = ssl.create_default_context(cafile=trusted[1])
        url = f"{found[0]}/subscriptions?api-version=2022-12-01"
        request = urllib.request.Request(url, headers={"Authorization": "Bearer any"})  # noqa: S310
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:  # noqa: S310
            subscriptions = json.load(answer)["value"]
        versions = warm.json("versions", IMAGE)[IMAGE]
        running.terminate()
        rest = running.communicate(timeout=30)[0]

    assert [one["state"] for one in subscriptions] == ["Enabled"]
    assert versions
    assert running.returncode == 0
    assert rest.endswith("stopped\n")
    await_silence(warm.state)
