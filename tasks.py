"""What people type: names, help texts, and one call each."""

from __future__ import annotations

from invoke.context import Context

from imagebake.cli.program import task

IMAGE = "an image: the name of a spec in image_specs/"
EVERY = "every image"
JSON = "print JSON for programs"
OVERRIDE = "why a freeze or an incident is overruled; it is recorded"
HELD = "IMAGE@VERSION, or IMAGE for all of its versions"


@task(
    words=["image"],
    help={
        "image": IMAGE,
        "all": "every spec that this machine can bake",
        "locked": "refuse, with exit 5, when the archive no longer has what the lock names",
        "resume": "end the run that a lost terminal or a kill left behind; start nothing",
        "force": "bake even though a healthy version of the same content exists",
        "no-proof": "do not prove the first boot of what was baked",
        "emergency": "why this cannot wait for the late review of a pin; becomes a tag",
        "json": JSON,
    },
)
def bake(
    c: Context,
    image: str = "",
    all: bool = False,
    locked: bool = False,
    force: bool = False,
    resume: bool = False,
    no_proof: bool = False,
    emergency: str = "",
    json: bool = False,
) -> None:
    """Bake an image version from a spec and its lock, and prove its first boot offline."""
    from imagebake.build.commands.bake import bake as run

    run(
        image,
        every=all,
        locked=locked,
        force=force,
        resume=resume,
        prove=not no_proof,
        emergency=emergency,
        as_json=json,
    )


@task(
    words=["image"],
    help={
        "image": f"{IMAGE}: it is asked for by hand, and its schedule does not matter",
        "gated": "nothing is due while a freeze or an incident keeps the gate closed",
        "overdue-hours": "fail when something has been due for longer",
        "changed-since": "a git revision: due is what a bake would make otherwise since then",
        "json": JSON,
    },
)
def due(
    c: Context,
    image: str = "",
    gated: bool = False,
    overdue_hours: int = 0,
    changed_since: str = "",
    json: bool = False,
) -> None:
    """Say what should be baked now, and why; in a workflow, tell the steps that follow."""
    from imagebake.rollout.commands.due import due as run

    run(
        image,
        gated=gated,
        overdue_hours=overdue_hours,
        changed_since=changed_since,
        as_json=json,
    )


@task(
    words=["image"],
    help={
        "image": "what the new image is called",
        "base": "what it starts from: a name in image_specs/base/",
        "description": "what it is for, in one line",
        "owner": "who answers for it (default: the base's owner)",
        "offer": "its offer in the gallery (default: the base)",
        "sku": "its sku in the gallery (default: the image)",
        "cron": "when it is baked, such as '17 3 * * 2' (default: as the base says)",
        "timezone": "the time zone of that",
        "packages": "the Debian packages that it needs, by name",
        "json": JSON,
    },
)
def new(
    c: Context,
    image: str = "",
    base: str = "",
    description: str = "",
    owner: str = "",
    offer: str = "",
    sku: str = "",
    cron: str = "",
    timezone: str = "",
    packages: str = "",
    json: bool = False,
) -> None:
    """Ask what a new image needs; write its spec, its lock and the workflows that bake it."""
    from imagebake.cli.commands.new import new as run

    run(
        image,
        told={
            "base": base,
            "description": description,
            "owner": owner,
            "offer": offer,
            "sku": sku,
            "cron": cron,
            "timezone": timezone,
            "packages": packages,
        },
        as_json=json,
    )


@task(help={"json": JSON})
def gate(c: Context, json: bool = False) -> None:
    """Say whether fleets may be changed now: open, closed by a freeze or an incident, unknown."""
    from imagebake.rollout.commands.gate import gate as run

    run(as_json=json)


@task(help={"check": "only compare, and name the first line that differs"})
def pipelines(c: Context, check: bool = False) -> None:
    """Write the GitHub workflows that the specs and settings ask for."""
    from imagebake.pipelines.command import pipelines as run

    run(check=check)


@task(help={"json": JSON})
def specs(c: Context, json: bool = False) -> None:
    """List the specs, with what each is made from and whether its lock is fresh."""
    from imagebake.build.commands.specs import specs as run

    run(as_json=json)


@task(words=["image"], help={"image": f"{IMAGE} (default: all)", "json": JSON})
def versions(c: Context, image: str = "", json: bool = False) -> None:
    """List the image versions in the gallery."""
    from imagebake.session.gallery import versions as run

    run(image, as_json=json)


@task(words=["version"], help={"version": "IMAGE@VERSION, or IMAGE for its newest", "json": JSON})
def show(c: Context, version: str = "", json: bool = False) -> None:
    """Show one image version: its state, its tags, its regions, and what is in it."""
    from imagebake.session.gallery import show as run

    run(version, as_json=json)


@task(
    words=["image"],
    help={
        "image": IMAGE,
        "all": EVERY,
        "check": "only say whether the lock is fresh; offline, writes nothing",
        "json": JSON,
    },
)
def lock(
    c: Context, image: str = "", all: bool = False, check: bool = False, json: bool = False
) -> None:
    """Resolve the pins of a spec to digests, and write its lock."""
    from imagebake.lock.command import lock as run

    run(image, every=all, check=check, as_json=json)


@task(
    words=["image"],
    help={
        "image": f"{IMAGE} (default: all)",
        "refresh": "ask every source again, however fresh its last answer is",
        "json": JSON,
    },
)
def outdated(c: Context, image: str = "", refresh: bool = False, json: bool = False) -> None:
    """List the pins that newer versions exist of, and say why each is where it is."""
    from imagebake.pins.commands.outdated import outdated as run

    run(image, refresh=refresh, as_json=json)


@task(
    words=["image"],
    help={
        "image": IMAGE,
        "all": EVERY,
        "only": "one pin, an extension's PUBLISHER.TYPE, or source (default: everything)",
        "to": "the version it moves to (default: the newest that the spec allows)",
        "refresh": "ask every source again, however fresh its last answer is",
        "json": JSON,
    },
)
def bump(
    c: Context,
    image: str = "",
    all: bool = False,
    only: str = "",
    to: str = "",
    refresh: bool = False,
    json: bool = False,
) -> None:
    """Move pins to newer versions in the spec, lock it again, and show the difference."""
    from imagebake.pins.commands.bump import bump as run

    run(image, every=all, only=only, to=to, refresh=refresh, as_json=json)


@task(
    words=["image", "pin"],
    help={
        "image": IMAGE,
        "pin": "a Debian package, an agent of the catalogue, an extension's PUBLISHER.TYPE, or the"
        " https address of a file",
        "to": "its version (default: the newest that the spec allows; a file's must be given)",
        "mode": "how an extension is delivered: native or absent; or a file's permissions",
        "sha256": "the digest of a file, as its publisher gives it",
        "destination": "where a file is in the image",
        "redirects": "the other hosts that a file's server may send downloads to",
        "owner": "who answers for it (default: the spec's owner)",
        "reason": "why the image has it",
        "review-by": "the day by which somebody looks at it again",
        "json": JSON,
    },
)
def add(
    c: Context,
    image: str = "",
    pin: str = "",
    to: str = "",
    mode: str = "",
    sha256: str = "",
    destination: str = "",
    redirects: str = "",
    owner: str = "",
    reason: str = "",
    review_by: str = "",
    json: bool = False,
) -> None:
    """Add a pin to a spec at the newest version it allows, and lock it again."""
    from imagebake.pins.commands.pin import add as run

    run(
        image,
        pin,
        to=to,
        told={
            "sha256": sha256,
            "destination": destination,
            "mode": mode,
            "redirects": redirects,
            "owner": owner,
            "reason": reason,
            "review_by": review_by,
        },
        as_json=json,
    )


@task(
    words=["image", "pin"],
    help={"image": IMAGE, "pin": "a pin, or an extension's PUBLISHER.TYPE", "json": JSON},
)
def remove(c: Context, image: str = "", pin: str = "", json: bool = False) -> None:
    """Take a pin out of a spec, and lock it again."""
    from imagebake.pins.commands.pin import remove as run

    run(image, pin, as_json=json)


@task(
    words=["image"],
    help={
        "image": f"{IMAGE} (default: every image)",
        "base": "a git revision to compare with (default: the version that was baked last)",
        "markdown": "print a comment for a pull request",
        "diff": "print only the diff of the rendered scripts",
        "exit-code": "end with 8 when something changes",
        "json": JSON,
    },
)
def plan(
    c: Context,
    image: str = "",
    base: str = "",
    markdown: bool = False,
    diff: bool = False,
    exit_code: bool = False,
    json: bool = False,
) -> None:
    """Say what a bake would change, the riskiest first; offline."""
    from imagebake.build.commands.plan import plan as run

    run(image, base=base, as_markdown=markdown, diff=diff, exit_code=exit_code, as_json=json)


@task(
    words=["image"],
    help={"image": IMAGE, "all": EVERY, "out": "a directory for the template and its scripts"},
)
def render(c: Context, image: str = "", all: bool = False, out: str = "") -> None:
    """Render the image template and the scripts that Azure would get."""
    from imagebake.build.commands.render import render as run

    run(image, every=all, out=out)


@task(
    words=["image"],
    help={
        "image": IMAGE,
        "off": "take the standing template and its trigger away; candidates stay",
        "show": "only say what there is, and how its last run ended",
        "json": JSON,
    },
)
def trigger(
    c: Context, image: str, off: bool = False, show: bool = False, json: bool = False
) -> None:
    """Have Azure try an image on every newer version of its source, as the spec says."""
    from imagebake.build.commands.trigger import trigger as run

    run(image, off=off, show=show, as_json=json)


@task(
    words=["image"],
    help={
        "image": f"{IMAGE} (default: all)",
        "save": "a file for everything that was read; retire --inventory decides from it",
        "json": JSON,
    },
)
def status(c: Context, image: str = "", save: str = "", json: bool = False) -> None:
    """Show per image and ring what is current, who is on it, and what is next."""
    from imagebake.rollout.commands.status import print_status as run

    run(image, save=save, as_json=json)


@task(
    words=["what"],
    help={
        "what": "store, identity or region: break it; over: mend all (default: say what is broken)",
        "region": "with region: which one (default: the gallery's)",
        "told": "have Azure's service health say so, too",
        "json": JSON,
    },
)
def outage(
    c: Context, what: str = "", region: str = "", told: bool = False, json: bool = False
) -> None:
    """Break what machines depend on, in the emulator, until it is mended."""
    from imagebake.drill.commands.outage import outage as run

    run(what, region=region, told=told, as_json=json)


@task(words=["image"], help={"image": f"{IMAGE} (default: all)", "json": JSON})
def guard(c: Context, image: str = "", json: bool = False) -> None:
    """Name the machines and scale sets that ask for more extensions than their image holds."""
    from imagebake.rollout.commands.guard import guard as run

    run(image, as_json=json)


@task(
    words=["image"],
    help={
        "image": IMAGE,
        "plan": "only show what would be done, and why (the default)",
        "apply": "do what the plan says, or stop",
        "expect": "with --apply: the digest of the plan that was agreed to",
        "override": OVERRIDE,
        "json": JSON,
    },
)
def rotate(
    c: Context,
    image: str = "",
    plan: bool = False,
    apply: bool = False,
    expect: str = "",
    override: str = "",
    json: bool = False,
) -> None:
    """Move an image on by its policy: promote what has soaked, finish what was begun, retire."""
    from imagebake.rollout.commands.rotate import rotate as run

    run(image, plan=plan, apply=apply, expect=expect, override=override, as_json=json)


@task(
    words=["version"],
    help={
        "version": "IMAGE@VERSION, or IMAGE for what the ring before has",
        "ring": "the ring to bring it to",
        "plan": "only show what would be done, and why",
        "apply": "do it (the default)",
        "override": "why a missing proof, a revocation or a freeze is overruled; it is recorded",
        "json": JSON,
    },
)
def promote(
    c: Context,
    version: str = "",
    ring: str = "",
    plan: bool = False,
    apply: bool = False,
    override: str = "",
    json: bool = False,
) -> None:
    """Bring a version to a ring by hand, without waiting for it to soak."""
    from imagebake.rollout.commands.rotate import promote as run

    run(version, ring=ring, plan=plan, apply=apply, override=override, as_json=json)


@task(
    words=["version"],
    help={
        "version": "IMAGE for what became current last, or IMAGE@VERSION for a bad one",
        "ring": "only this ring and those after it (default: everywhere)",
        "reason": "what is wrong with the version; it is recorded",
        "plan": "only show what would be done, and why",
        "take-over": "take the claim of whoever is at the image away instead of waiting",
        "override": "why images made from the bad version stay where they are; it is recorded",
        "json": JSON,
    },
)
def rollback(
    c: Context,
    version: str = "",
    ring: str = "",
    reason: str = "",
    plan: bool = False,
    take_over: bool = False,
    override: str = "",
    json: bool = False,
) -> None:
    """Revoke and hide a bad version, and bring its machines back to the good one before it."""
    from imagebake.rollout.commands.rotate import rollback as run

    run(
        version,
        ring=ring,
        reason=reason,
        plan=plan,
        take_over=take_over,
        override=override,
        as_json=json,
    )


@task(
    words=["image"],
    help={
        "image": f"{IMAGE} (default: all)",
        "plan": "only show what may go, what may not, and why (the default)",
        "apply": "hide or delete what may go",
        "expect": "with --apply: the digest of the plan that was agreed to",
        "inventory": "decide from this file, with no cloud (see status --save)",
        "now": "with --inventory: the time to decide at (default: when it was read)",
        "override": OVERRIDE,
        "json": JSON,
    },
)
def retire(
    c: Context,
    image: str = "",
    plan: bool = False,
    apply: bool = False,
    expect: str = "",
    inventory: str = "",
    now: str = "",
    override: str = "",
    json: bool = False,
) -> None:
    """Retire versions that nothing uses or protects: hidden first, deleted much later."""
    from imagebake.rollout.commands.retire import retire as run

    run(
        image,
        plan=plan,
        apply=apply,
        expect=expect,
        inventory=inventory,
        now=now,
        override=override,
        as_json=json,
    )


@task(
    words=["name", "book"],
    actions=["rehearse"],
    help={
        "name": "a runbook, or rehearse (default: list them)",
        "book": "with rehearse: a runbook, or all",
        "image": "with rehearse: the image it is done with (default: the first that bakes here)",
        "no-proof": "with rehearse: bake without proofs",
        "write": "with rehearse: write what was measured into the page",
        "json": JSON,
    },
)
def runbook(
    c: Context,
    name: str = "",
    book: str = "",
    image: str = "",
    no_proof: bool = False,
    write: bool = False,
    json: bool = False,
) -> None:
    """List and show the runbooks; rehearse one in a scratch copy, with the trouble for real."""
    from imagebake.recovery.commands.runbook import runbook as run

    run(name, book, image=image, prove=not no_proof, write=write, as_json=json)


@task(
    words=["action", "name", "image"],
    help={
        "action": "check: what is missing; copy: fill the second gallery; use: move machines to"
        " a gallery; restore: bring back what was deleted",
        "name": "an image (check: default all); for use: first or second",
        "image": "with use: an image (default: all)",
        "without": "with use: regions that are lost, which are left alone",
        "plan": "with copy and use: only show what would be done",
        "json": JSON,
    },
)
def dr(
    c: Context,
    action: str = "",
    name: str = "",
    image: str = "",
    without: str = "",
    plan: bool = False,
    json: bool = False,
) -> None:
    """Check, fill and use a second gallery, and bring back what was deleted."""
    from imagebake.recovery.commands.dr import recover as run

    run(action, name, image, without=without, plan=plan, as_json=json)


@task(
    words=["version"],
    help={"version": HELD, "reason": "why it has to stay; it is recorded", "json": JSON},
)
def hold(c: Context, version: str = "", reason: str = "", json: bool = False) -> None:
    """Keep a version, or all of an image, from being promoted and retired."""
    from imagebake.rollout.commands.hold import hold as run

    run(version, reason=reason, as_json=json)


@task(
    words=["version"],
    help={"version": HELD, "reason": "why it need not stay any longer", "json": JSON},
)
def unhold(c: Context, version: str = "", reason: str = "", json: bool = False) -> None:
    """Take a hold away."""
    from imagebake.rollout.commands.hold import unhold as run

    run(version, reason=reason, as_json=json)


@task(
    words=["image"],
    help={
        "image": f"{IMAGE} (default: all)",
        "out": "a file for the picture: its name ends in .svg, .html or .md",
        "json": JSON,
    },
)
def map_(c: Context, image: str = "", out: str = "", json: bool = False) -> None:
    """Show what the images need and what needs them; nothing of it may be destroyed."""
    from imagebake.rollout.commands.map import print_map as run

    run(image, out=out, as_json=json)


@task(
    words=["image"],
    help={
        "image": f"{IMAGE}, or IMAGE@VERSION",
        "all": EVERY,
        "rules-only": "only the rules over specs and locks; offline",
        "no-proof": "rules and contents, but no first boots",
        "scenario": "only this first boot of the proof, such as hang, 409 or boot",
        "control": "with --scenario: the negative control, too",
        "boot": "boot the exported disk on emulated hardware, too; takes a minute",
        "json": JSON,
    },
)
def validate(
    c: Context,
    image: str = "",
    all: bool = False,
    rules_only: bool = False,
    no_proof: bool = False,
    scenario: str = "",
    control: bool = False,
    boot: bool = False,
    json: bool = False,
) -> None:
    """Check a spec, its newest version's contents, and prove its first boot offline."""
    from imagebake.build.commands.validate import validate as run

    run(
        image,
        every=all,
        rules_only=rules_only,
        proof=not no_proof,
        scenario=scenario,
        control=control,
        boot=boot,
        as_json=json,
    )


@task(words=["version"], help={"version": "IMAGE@VERSION, or IMAGE for its newest", "json": JSON})
def ledger(c: Context, version: str = "", json: bool = False) -> None:
    """Show everything that the last first boots of a version asked for, and who asked."""
    from imagebake.proof.command import ledger as run

    run(version, as_json=json)


@task(
    words=["image"],
    help={
        "image": "an image: the name of a spec (default: the first that bakes here)",
        "scenario": "outage (2 and 3 February 2026), or storm (thousands ask for a token)",
        "out": "a directory for the report (default: reports/ in the state directory)",
        "minutes-per-second": "how many minutes of the incident pass in a second",
        "json": JSON,
    },
)
def drill(
    c: Context,
    image: str = "",
    scenario: str = "outage",
    out: str = "",
    minutes_per_second: str = "10",
    json: bool = False,
) -> None:
    """Replay an incident: the image beside a plain one, minute by minute, with a verdict."""
    from imagebake.drill.commands.drill import drill_image as run

    run(image, scenario=scenario, out=out, minutes_per_second=minutes_per_second, as_json=json)


@task(
    words=["image"],
    help={
        "image": f"{IMAGE} (default: all)",
        "region": "only this region; may be given more than once",
        "history": "make no machines: show what earlier beats say, by region",
        "days": "with --history: how far back",
        "silence-hours": "make no machines: exit 9 unless every region had a good beat since",
        "metrics": "a file for what is known, as OpenMetrics",
        "json": JSON,
    },
    many=["region"],
)
def heartbeat(
    c: Context,
    image: str = "",
    region: list[str] | None = None,
    history: bool = False,
    days: str = "30",
    silence_hours: str = "",
    metrics: str = "",
    json: bool = False,
) -> None:
    """Make a throw-away machine in every region from what its rings have, and time all of it."""
    from imagebake.heartbeat.command import beat as run

    run(
        image,
        regions=region or (),
        history=history,
        days=days,
        metrics=metrics,
        silence_hours=silence_hours,
        as_json=json,
    )


@task(
    help={
        "out": "the directory for the page index.html (default: site, or none with --json)",
        "json": "print what the page shows, for programs",
    },
)
def dashboard(c: Context, out: str = "", json: bool = False) -> None:
    """Write one page of everything: rings, ages, proofs, beats, incidents, runbooks, limits."""
    from imagebake.dashboard.command import dashboard as run

    run(out=out, as_json=json)


@task(
    words=["old", "new"],
    help={
        "old": "IMAGE@VERSION to compare with",
        "new": "IMAGE@VERSION (default: the newest of the same image)",
        "out": "a file for the report: .html or .md",
        "markdown": "print Markdown",
        "exit-code": "end with 8 when something differs",
        "json": JSON,
    },
)
def diff(
    c: Context,
    old: str = "",
    new: str = "",
    out: str = "",
    markdown: bool = False,
    exit_code: bool = False,
    json: bool = False,
) -> None:
    """Compare what is in two image versions: packages, services, accounts, files, size."""
    from imagebake.build.commands.diff import diff as run

    run(old, new, out=out, as_markdown=markdown, exit_code=exit_code, as_json=json)


@task(
    words=["version"],
    help={
        "version": "IMAGE@VERSION, or IMAGE for its newest",
        "out": "a file for the CycloneDX document",
        "json": "print the CycloneDX document",
    },
)
def sbom(c: Context, version: str = "", out: str = "", json: bool = False) -> None:
    """Show what is in an image version, agents and extensions included, as an SBOM."""
    from imagebake.attest.command import sbom as run

    run(version, out=out, as_json=json)


@task(
    words=["version"],
    help={
        "version": "IMAGE@VERSION, or IMAGE for its newest",
        "envelope": "the signed form (DSSE), with --json or --out",
        "out": "a file for the statement",
        "json": "print the in-toto statement",
    },
)
def provenance(
    c: Context, version: str = "", envelope: bool = False, out: str = "", json: bool = False
) -> None:
    """Show what an image version was made from, as a statement that can be signed."""
    from imagebake.attest.command import provenance as run

    run(version, envelope=envelope, out=out, as_json=json)


@task(words=["version"], help={"version": "IMAGE@VERSION, or IMAGE for its newest", "json": JSON})
def verify(c: Context, version: str = "", json: bool = False) -> None:
    """Recompute everything that is said of an image version, and name what is not so."""
    from imagebake.attest.command import verify as run

    run(version, as_json=json)


@task(
    words=["version"],
    help={
        "version": "IMAGE@VERSION, or IMAGE for its newest",
        "format": "vhd (a fixed VHD that Azure accepts) or tar (the root file system)",
        "out": "the file to write",
        "size": "the size of the disk in GiB (default: what the spec says)",
    },
)
def export(
    c: Context, version: str = "", format: str = "vhd", out: str = "", size: int = 0
) -> None:
    """Write an image version to a file, with the same bytes every time."""
    from imagebake.build.commands.export import export as run

    run(version, form=format, out=out, size_gib=size)


@task(
    words=["template"],
    help={
        "template": "an Azure Image Builder template (JSON)",
        "offline": "unplug every step from the network",
        "suite": "the Debian suite to stand in for the template's source image",
        "json": JSON,
    },
)
def try_(
    c: Context, template: str = "", offline: bool = False, suite: str = "", json: bool = False
) -> None:
    """Run any Azure Image Builder template on this machine."""
    from imagebake.build.commands.try_template import try_template as run

    run(template, offline=offline, suite=suite, as_json=json)


@task(
    words=["template"],
    help={
        "template": "an Azure Image Builder template (ARM JSON), alone or in a deployment",
        "name": "what the image is called (default: as the template)",
        "out": "the file to write (default: image_specs/NAME.yaml)",
        "parameters": "the file of a deployment's parameters",
        "strict": "exit 3 when something of the template has no place in the spec",
        "json": JSON,
    },
)
def import_(
    c: Context,
    template: str = "",
    name: str = "",
    out: str = "",
    parameters: str = "",
    strict: bool = False,
    json: bool = False,
) -> None:
    """Make a spec of an image template, and say what imagebake would refuse in it."""
    from imagebake.audit.commands.import_template import import_ as run

    run(template, name=name, out=out, parameters=parameters, strict=strict, as_json=json)


@task(
    words=["path"],
    many=["path"],
    help={
        "path": "a template (ARM JSON, Bicep, Terraform), or a folder of them; as many as you like",
        "strict": "exit 3 when there is debt, or a file that cannot be understood",
        "sarif": "a file for GitHub code scanning",
        "json": JSON,
    },
)
def debt(
    c: Context,
    path: list[str] | None = None,
    strict: bool = False,
    sarif: str = "",
    json: bool = False,
) -> None:
    """Find what machines wait for when they are created: extensions, downloads, latest images."""
    from imagebake.audit.commands.debt import debt as run

    run(path or (), strict=strict, sarif=sarif, as_json=json)


@task(help={"port": "the port to listen on (default: any that is free)"})
def emulator(c: Context, port: int = 0) -> None:
    """Serve the loopback ARM in the foreground, and print how to connect."""
    from imagebake.cli.commands.emulator import emulator as run

    run(port=port)


@task(
    words=["action", "image"],
    actions=["push", "verify"],
    help={
        "action": "verify: hash every artifact again; push: fill the mirror that Azure reads",
        "image": "push what this image needs (default: what all do)",
        "remote": "verify the mirror that Azure reads, and who else can",
        "json": JSON,
    },
)
def mirror(
    c: Context, action: str = "", image: str = "", remote: bool = False, json: bool = False
) -> None:
    """Look after the mirror: find what is wrong or missing, and push it to where Azure reads it."""
    from imagebake.build.commands.mirror import mirror as run

    run(action, image, remote=remote, as_json=json)


@task(
    words=["image"],
    help={
        "image": IMAGE,
        "follow": "print the output as it comes, until the run ends",
        "run": "this run: the beginning of its id, or of the time it began (default: the last)",
        "json": JSON,
    },
)
def logs(
    c: Context, image: str = "", follow: bool = False, run: str = "", json: bool = False
) -> None:
    """Show a build by step: how long each took, and why one failed."""
    from imagebake.build.commands.logs import logs as show

    show(image, follow=follow, run=run, as_json=json)


@task(
    help={
        "budget": "what to leave of cached bases and layers, in GiB",
        "cloud": "instead: end or delete what bakes left in the cloud",
        "plan": "with --cloud: only show what would be done",
        "json": "with --cloud: print JSON for programs",
    }
)
def clean(
    c: Context, budget: str = "", cloud: bool = False, plan: bool = False, json: bool = False
) -> None:
    """Delete what no image version needs: cached layers here, or leftovers in the cloud."""
    from imagebake.build.commands.clean import clean as run

    run(budget, cloud=cloud, plan=plan, as_json=json)


@task(
    help={
        "cloud": "examine a subscription instead: azure, or local for the emulator's",
        "json": JSON,
    }
)
def doctor(c: Context, cloud: str = "", json: bool = False) -> None:
    """Say what this machine, or a subscription, lacks for a bake, and the command that mends it."""
    from imagebake.cli.commands.machine import doctor as run

    run(cloud=cloud, as_json=json)


@task(help={})
def setup(c: Context) -> None:
    """Install the system packages that bakes, exports and tests stand on."""
    from imagebake.cli.commands.machine import setup as run

    run()


@task(
    words=["path"],
    help={
        "path": "one test file, or a test's node id",
        "slow": "the slow tests, too",
        "bless": "rewrite golden files, and fail so that they are looked at",
        "select": "only tests whose name matches",
    },
)
def test(
    c: Context, path: str = "", slow: bool = False, bless: bool = False, select: str = ""
) -> None:
    """Run the linters and the whole test suite."""
    from imagebake.cli.commands.machine import test as run

    run(path=path, slow=slow, bless=bless, select=select)


@task(words=["client"], help={"client": "az or js (default: both)", "json": JSON})
def acceptance(c: Context, client: str = "", json: bool = False) -> None:
    """Drive the emulator by clients that we did not write, and say what they could not do."""
    from imagebake.cli.commands.acceptance import acceptance as run

    run(client, as_json=json)


@task(
    help={
        "plan": "only show what there will be and what differs (the default)",
        "apply": "make it",
        "expect": "with --apply: the digest of the plan that was agreed to",
        "out": "a directory for ARM templates and their parameters, to be deployed with az",
        "json": JSON,
    }
)
def bootstrap(
    c: Context,
    plan: bool = False,
    apply: bool = False,
    expect: str = "",
    out: str = "",
    json: bool = False,
) -> None:
    """Make what bakes stand on: gallery, identities, roles, mirror, networks, logins."""
    from imagebake.bootstrap.command import bootstrap as run

    run(plan=plan, apply=apply, expect=expect, out=out, as_json=json)


@task(
    words=["name"],
    actions=["debt", "emulator", "heartbeat", "specs"],
    help={"name": "one benchmark (default: all)"},
)
def bench(c: Context, name: str = "") -> None:
    """Measure against named peers, and print ratios."""
    from imagebake.cli.commands.machine import bench as run

    run(name)


@task(help={"check": "only say whether a generated file is stale"})
def generate(c: Context, check: bool = False) -> None:
    """Write the generated files: JSON Schema, references, catalogues."""
    from imagebake.cli.commands.generate import generate as run

    run(check=check)
