"""Proofs of a real image: its own init, cloud-init and agent, with everything else dead."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from pathlib import Path

import pytest

from imagebake.inspection.dpkg import unit_packages
from imagebake.lab.boot.namespaces import MachineNamespaces
from imagebake.lab.proof_result import Proof, ProofCriterion, ProofScope
from imagebake.proof.prove import ProofServices, local_runner, prove, requirements_of
from imagebake.spec.catalogue.components import CATALOGUE
from tests.support.bake_services import Tape
from tests.support.boot_root import boot_root
from tests.support.builders import a_spec

pytestmark = [pytest.mark.root, pytest.mark.archive]

UNITS = "etc/systemd/system"
TELEMETRY = """[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=/usr/bin/curl --silent --max-time 2 http://telemetry.example/hello
"""


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest) -> Path:
    cache = request.config.cache
    assert cache is not None
    return boot_root(cache.mkdir("boot-roots"))


def proof_of(*layers: Path, scenario: str = "", control: bool = True) -> Proof:
    spec = a_spec()
    with MachineNamespaces(layers) as world:
        demand = requirements_of(spec, CATALOGUE, unit_packages(world.root))
    run = local_runner(
        layers,
        masked=(one.unit for one in CATALOGUE.downloads),
        now=functools.partial(dt.datetime.now, dt.UTC),
        new_id=lambda: str(uuid.uuid4()),
    )
    wish = ProofScope(scenario=scenario, control=control)
    return prove(spec, demand, wish, services=ProofServices(run=run, progress=Tape()))


def test_an_image_that_downloads_nothing_is_proven_in_every_mode(image: Path) -> None:
    proof = proof_of(image)

    assert proof.reasons == ()
    assert proof.passed
    (control,) = proof.controls
    assert not control.seen.ready
    assert "packages-1.store.test" in control.seen.ledger.names


def test_a_planted_download_is_traced_to_its_unit_package_and_host(
    image: Path, tmp_path: Path
) -> None:
    wants = tmp_path / UNITS / "multi-user.target.wants"
    wants.mkdir(parents=True)
    (tmp_path / UNITS / "telemetry.service").write_text(TELEMETRY)
    (wants / "telemetry.service").symlink_to("../telemetry.service")
    lists = tmp_path / "var/lib/dpkg/info"
    lists.mkdir(parents=True)
    (lists / "telemetry.list").write_text(f"/.\n/{UNITS}/telemetry.service\n")

    proof = proof_of(tmp_path, image, scenario="boot", control=False)

    first = proof.reasons[0]
    assert first.criterion is ProofCriterion.SILENT
    assert first.message.startswith("telemetry.service of package telemetry asked ")
    assert "telemetry.example" in first.message
    assert "sudo systemctl mask telemetry.service" in first.fix
