"""What `validate` and `bake` have in common: first boots of a baked version."""

from __future__ import annotations

import datetime as dt
import functools
import os
import uuid

from imagebake import app, supply
from imagebake.app import Site
from imagebake.catalog.components import CATALOGUE
from imagebake.ends import End
from imagebake.errors import ImagebakeError
from imagebake.firstboot.world import World, WorldFailed
from imagebake.host import system
from imagebake.inspection.owners import unit_packages
from imagebake.model.gallery import GalleryVersion
from imagebake.model.proof import Proof, Wish
from imagebake.model.spec import ImageSpec
from imagebake.policy.facts import ProofFacts
from imagebake.proofs import Keeper
from imagebake.prove import Hands, demand_of, prove, run_here

NOT_ROOT = "first boots need root"
IN_AZURE = "what is in the version is in Azure, out of reach"


def prove_version(
    site: Site, spec: ImageSpec, version: GalleryVersion, end: End, wish: Wish
) -> ProofFacts:
    """Carry out the proof of *version* and keep it; where that cannot be, say why not."""
    subject = f"{spec.name}@{version.version}"
    hindered = hindrance(site)
    if not hindered:
        try:
            proof = _proven(site, spec, version, end, wish)
        except WorldFailed as error:
            hindered = (error.message, error.hint or "")
        else:
            return ProofFacts(spec=spec, subject=subject, proof=proof)
    why, mend = hindered
    return ProofFacts(spec=spec, subject=subject, proof=None, hindrance=why, mend=mend)


def hindrance(site: Site) -> tuple[str, str] | None:
    """Why this machine cannot carry out first boots, and what helps; None when it can.

    As root, missing programs are installed rather than complained about.
    """
    if site.settings.cloud != "local":
        return IN_AZURE, "bake and prove it on one machine first, with the setting cloud: local"
    if os.geteuid() != 0:
        return NOT_ROOT, ""
    try:
        app.provide(system.PROVE, progress=site.progress)
    except ImagebakeError as error:
        return error.message, error.hint or ""
    return None


def keeper(site: Site, version: GalleryVersion) -> Keeper:
    """Where the records of *version* are."""
    return Keeper(gallery=site.settings.gallery, version=version, records=supply.mirror(site))


def _proven(site: Site, spec: ImageSpec, version: GalleryVersion, end: End, wish: Wish) -> Proof:
    with end.images.layers(version.id) as layers:
        with World(layers) as world:
            packages = unit_packages(world.root)
        run = run_here(
            layers,
            masked=(one.unit for one in CATALOGUE.downloads),
            now=functools.partial(dt.datetime.now, dt.UTC),
            new_id=lambda: str(uuid.uuid4()),
        )
        hands = Hands(run=run, progress=site.progress)
        demand = demand_of(spec, CATALOGUE, packages)
        proof = prove(spec, demand, wish, hands=hands)
    keeper(site, version).keep(proof, now=site.now, cloud=end.cloud)
    return proof
