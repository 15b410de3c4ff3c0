"""Run the first boots of a baked version, and keep their proof."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections.abc import Mapping
from pathlib import Path

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.inspection.dpkg import unit_packages
from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import namespaces, system_packages
from imagebake.lab.boot.namespaces import MachineNamespaces, NamespacesRefused
from imagebake.lab.boot.scenario import FirstBoot, Scenario
from imagebake.lab.boot.trials import BOOT, ImageChange
from imagebake.lab.proof_result import Proof, ProofScope
from imagebake.lock import artifact_sources
from imagebake.policy.facts import ProofFacts
from imagebake.proof import rootless
from imagebake.proof.prove import ProofServices, RunFirstBoot, local_runner, prove, requirements_of
from imagebake.proof.records import ProofRecords
from imagebake.session.session import CloudSession
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.image_spec import ImageSpec

IN_AZURE = "the contents of the version cannot be read: its disk is only in Azure"


def prove_version(
    context: Context,
    spec: ImageSpec,
    version: GalleryVersion,
    session: CloudSession,
    wish: ProofScope,
) -> ProofFacts:
    """Prove *version* and keep the proof; where that is impossible, return the reason."""
    subject = f"{spec.name}@{version.version}"
    hindered = find_hindrance(context)
    if not hindered:
        try:
            proof = _proven(context, spec, version, session, wish)
        except NamespacesRefused as error:
            hindered = (error.message, error.hint or "")
        else:
            return ProofFacts(spec=spec, subject=subject, proof=proof)
    why, mend = hindered
    return ProofFacts(spec=spec, subject=subject, proof=None, hindrance=why, mend=mend)


def find_hindrance(context: Context) -> tuple[str, str] | None:
    """Return why this machine cannot run first boots, and a hint; None when it can.

    As root, missing programs are installed. Whether the kernel allows an unprivileged user
    namespace is found out by trying.
    """
    if context.settings.cloud != "local":
        return IN_AZURE, "bake and prove it on one machine first, with the setting cloud: local"
    needs = (*system_packages.PROVE, *(system_packages.ROOTLESS if namespaces.rootless() else ()))
    try:
        ensure_programs(needs, progress=context.progress)
    except ImagebakeError as error:
        return error.message, error.hint or ""
    return None


def record_keeper(context: Context, version: GalleryVersion) -> ProofRecords:
    """Where the records of *version* are."""
    return ProofRecords(
        gallery=context.settings.gallery,
        version=version,
        records=artifact_sources.open_mirror(context),
    )


def _proven(
    context: Context,
    spec: ImageSpec,
    version: GalleryVersion,
    session: CloudSession,
    wish: ProofScope,
) -> Proof:
    with session.images.layers(version.id) as layers:
        take_up = _apart if namespaces.rootless() else _here
        packages, run = take_up(layers, wish)
        services = ProofServices(run=run, progress=context.progress)
        demand = requirements_of(spec, CATALOGUE, packages)
        proof = prove(spec, demand, wish, services=services)
    record_keeper(context, version).keep(proof, now=context.now, cloud=session.cloud)
    return proof


def _here(layers: tuple[Path, ...], wish: ProofScope) -> tuple[Mapping[str, str], RunFirstBoot]:
    """Return the package of each unit, and a function that runs first boots here, as root."""
    del wish
    run = local_runner(
        layers,
        masked=_masked(),
        now=functools.partial(dt.datetime.now, dt.UTC),
        new_id=_new_id,
    )
    with MachineNamespaces(layers) as world:
        return unit_packages(world.root), run


def _apart(layers: tuple[Path, ...], wish: ProofScope) -> tuple[Mapping[str, str], RunFirstBoot]:
    """As `_here` without root: every first boot runs in a subprocess with a user namespace."""
    whole = wish.scenario in ("", BOOT)
    answer = rootless.run_rootless(rootless.RootlessTask(layers=layers, groups=whole))

    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        task = rootless.RootlessTask(
            layers=layers, scenario=scenario, change=change, masked=_masked(), vm_id=_new_id()
        )
        return rootless.boot_rootless(task)

    return answer.packages, run


def _masked() -> tuple[str, ...]:
    return tuple(download.unit for download in CATALOGUE.downloads)


def _new_id() -> str:
    return str(uuid.uuid4())
