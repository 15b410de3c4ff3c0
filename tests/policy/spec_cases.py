"""Specs and locks that break one rule each: the change, and the finding."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imagebake.policy.rule import Finding
from imagebake.proof.validate import validate_spec
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_lock, a_package, a_spec, a_spec_document
from tests.support.deliveries import a_cached_extension, an_agent_with_its_own
from tests.support.full_spec import GROUP

TODAY = dt.date(2026, 11, 22)
AGENT = {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"}
AZURE = "Microsoft.Azure"
GALLERY = f"{GROUP}/Microsoft.Compute/galleries/imagebake"
CACHE_NEEDS = ("ca-certificates", "openssl", "python3")


@dataclass(frozen=True, slots=True)
class Case:
    """One breach: the rule, a word for the test's name, and the subject and message."""

    rule: str
    label: str
    spec: ImageSpec
    subject: str
    message: str
    lock: Lock | None = None
    others: tuple[ImageSpec, ...] = ()
    also: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.label}"

    def findings(self) -> tuple[Finding, ...]:
        return judged(self.spec, self.lock or fresh(self.spec), others=self.others)


def judged(
    spec: ImageSpec, lock: Lock | None, *, others: tuple[ImageSpec, ...] = ()
) -> tuple[Finding, ...]:
    return validate_spec(
        spec,
        lock,
        catalogue=CATALOGUE,
        location="westeurope",
        gallery=GALLERY,
        today=TODAY,
        others=others,
    )


def fresh(spec: ImageSpec) -> Lock:
    """A lock for *spec*, with packages of its architecture."""
    lock = a_lock(spec)
    if not lock.steps:
        return lock
    needs = tuple(a_package(name) for name in CACHE_NEEDS) if spec.cached else ()
    base = lock.base.model_copy(update={"packages": (*lock.base.packages, *needs)})
    steps = tuple(
        step.model_copy(
            update={
                "packages": tuple(
                    package.model_copy(update={"architecture": lock.architecture})
                    for package in step.packages
                )
            }
        )
        for step in (base, *lock.customizing)
    )
    return lock.model_copy(update={"steps": steps})


def pinned(*pins: dict[str, Any]) -> ImageSpec:
    return a_spec(pins=(AGENT, *pins))


def a_file(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {
        "file": "https://files.example/1.2/tool",
        "version": "1.2",
        "sha256": "0" * 64,
        "destination": "/opt/tool",
    } | changes


def without(name: str, lock: Lock) -> Lock:
    """*lock* without one package of its base."""
    kept = tuple(package for package in lock.base.packages if package.name != name)
    base = lock.base.model_copy(update={"packages": kept})
    return lock.model_copy(update={"steps": (base, *lock.customizing)})


def moving_agent() -> dict[str, Any]:
    pin = an_agent_with_its_own()
    pin["goal_state_agent"]["file"] = "https://files.example/latest/agent.zip"
    return pin


def extended(publisher: str, kind: str, mode: str, **changes: Any) -> ImageSpec:  # noqa: ANN401
    extension: dict[str, Any] = {
        "publisher": publisher,
        "type": kind,
        "version": "1.0.0",
        "mode": mode,
    }
    if mode == "cached":
        extension["package"] = a_cached_extension()["package"]
    return a_spec(extensions=(extension | changes,))


def customized(*lines: str, **changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    return a_spec(customizers=({"name": "tune", "inline": lines} | changes,))


def gallery(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    return a_spec(gallery=a_spec_document()["gallery"] | changes)


def built_from(sku: str, vm_size: str = "Standard_D2ds_v5", **changes: Any) -> ImageSpec:  # noqa: ANN401
    document = a_spec_document()
    return a_spec(
        source=document["source"] | {"sku": sku},
        gallery=document["gallery"] | changes,
        build={"vm_size": vm_size},
    )


def relocked(change: Callable[[Lock], dict[str, Any]]) -> dict[str, Any]:
    """A fresh lock of the usual spec with some fields replaced."""
    lock = a_lock()
    return {"spec": a_spec(), "lock": lock.model_copy(update=change(lock))}


def _steps(lock: Lock, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    package = a_package("jq", "1.6-2.1+deb12u1").model_copy(update=changes)
    last = lock.steps[-1].model_copy(update={"packages": (package,)})
    return {"steps": (*lock.steps[:-1], last)}


CACHED = extended("Contoso", "Agent", "cached", reason="the policy team asks for it")
_RUN = "https://get.example/run.sh"

PINS = (
    Case(
        "P101",
        "unknown",
        a_spec(pins=({"agent": "azure-linux-agnet", "version": "1"},)),
        "azure-linux-agnet",
        "the catalogue has no such agent",
        also=frozenset({"P111"}),
    ),
    Case(
        "P102",
        "latest",
        pinned(a_file(file="https://files.example/latest/download/tool")),
        "tool",
        "its address goes through 'latest'",
    ),
    Case(
        "P102",
        "branch",
        pinned(a_file(file="https://files.example/raw/main/tool")),
        "tool",
        "its address goes through 'main'",
    ),
    Case("P103", "spec", a_spec(owner="TODO"), "demo", "its owner is 'TODO'"),
    Case(
        "P103",
        "pin",
        pinned({"package": "jq", "version": "1", "owner": "nobody"}),
        "jq",
        "its owner is 'nobody'",
    ),
    Case(
        "P104",
        "yesterday",
        pinned({"package": "jq", "version": "1", "review_by": "2026-11-21"}),
        "jq",
        "its review was due on 2026-11-21",
    ),
    Case(
        "P105",
        "today",
        pinned({"package": "jq", "version": "1", "review_by": "2026-11-22"}),
        "jq",
        "its review is due on 2026-11-22",
    ),
    Case(
        "P105",
        "thirty-days",
        pinned({"package": "jq", "version": "1", "review_by": "2026-12-22"}),
        "jq",
        "its review is due on 2026-12-22",
    ),
    Case(
        "P106",
        "chrony",
        pinned({"package": "chrony", "version": "4.3-2"}),
        "chrony",
        "the catalogue has it",
    ),
    Case(
        "P107",
        "mdatp",
        pinned({"package": "mdatp", "version": "101.26042.0005"}),
        "mdatp",
        "version 101.26042.0005 leaves mdatp disabled after a reboot",
        also=frozenset({"P106"}),
    ),
    Case(
        "P107",
        "own",
        pinned(
            {
                "package": "jq",
                "version": "1.6-2",
                "adoption": {"deny": ({"first": "1.5-1", "last": "1.7", "reason": "hangs"},)},
            }
        ),
        "jq",
        "version 1.6-2 hangs",
    ),
    Case(
        "P107",
        "extension",
        a_spec(
            adoption={"deny": ({"first": "1.0.0", "reason": "never ends"},)},
            extensions=(
                {"publisher": "Contoso", "type": "Agent", "version": "1.0.0", "mode": "absent"},
            ),
        ),
        "Contoso.Agent",
        "version 1.0.0 never ends",
    ),
    Case(
        "P108",
        "lib-dir",
        pinned(a_file(destination="/var/lib/waagent/tool")),
        "tool",
        "/var/lib/waagent/tool does not survive generalisation or a boot",
    ),
    Case(
        "P109",
        "same-place",
        pinned(a_file(), a_file(file="https://files.example/other")),
        "other",
        "tool goes to /opt/tool as well",
    ),
    Case("P110", "everybody", pinned(a_file(mode="0666")), "tool", "its mode is 0666"),
    Case(
        "P111",
        "none",
        a_spec(pins=({"package": "jq", "version": "1"},)),
        "demo",
        "no pin is the Azure Linux Agent",
    ),
    Case(
        "P102",
        "moving-agent",
        a_spec(pins=(moving_agent(),)),
        "WALinuxAgent-2.15.0.1.zip",
        "its address goes through 'latest'",
    ),
    Case(
        "P112",
        "no-agent",
        a_spec(pins=({"package": "jq", "version": "1"},), extensions=(a_cached_extension(),)),
        "Contoso.Demo.Hello",
        "it is cached, and no pin is the Azure Linux Agent",
        also=frozenset({"P111"}),
    ),
    Case(
        "P113",
        "chrony",
        pinned(an_agent_with_its_own() | {"agent": "chrony", "version": "2.4"}),
        "chrony",
        "it has a goal-state agent, and is not the Azure Linux Agent",
        also=frozenset({"P172", "P174"}),  # a lock of tests has one package for every agent
    ),
    Case(
        "P114",
        "older",
        a_spec(pins=(an_agent_with_its_own() | {"version": "2.15.0.1-1"},)),
        "azure-linux-agent",
        "2.15.0.1 is not newer than the package's 2.15.0.1-1",
    ),
    Case(
        "P114",
        "one-switch",
        a_spec(pins=(an_agent_with_its_own(version="2.10.0.7"),)),
        "azure-linux-agent",
        "2.10.0.7 does not know both switches of AutoUpdate",
    ),
    Case(
        "P115",
        "not-pinned",
        extended(f"{AZURE}.ActiveDirectory", "AADSSHLoginForLinux", "native"),
        f"{AZURE}.ActiveDirectory.AADSSHLoginForLinux",
        "no pin is 'aadsshlogin', which delivers it",
    ),
    Case(
        "P115",
        "not-known",
        extended("Contoso", "Agent", "native"),
        "Contoso.Agent",
        "no package is known to deliver it",
    ),
    Case(
        "P116",
        "no-reason",
        extended("Contoso", "Agent", "cached"),
        "Contoso.Agent",
        "it is cached, and nothing says why",
    ),
    Case(
        "P117",
        "in-place",
        pinned(a_file(destination="/var/lib/waagent/agent.zip")),
        "tool",
        "it is an extension's zip, and nothing serves its manifest",
        also=frozenset({"P108"}),
    ),
    Case(
        "P117",
        "by-name",
        pinned(a_file(destination="/opt/Contoso.Demo.Hello__1.2.3.zip")),
        "tool",
        "it is an extension's zip, and nothing serves its manifest",
    ),
    Case(
        "P118",
        "kept",
        pinned(a_file(destination="/opt/imagebake/tool")),
        "tool",
        "its destination is /opt/imagebake/tool",
    ),
    Case(
        "P119",
        "old",
        a_spec(pins=(AGENT,), guard={"allow_list": True}),
        "azure-linux-agent",
        "2.7.3.0-4.1 obeys no allow-list",
    ),
    Case(
        "P119",
        "almost",
        a_spec(pins=(an_agent_with_its_own(version="2.13.1.1"),), guard={"allow_list": True}),
        "azure-linux-agent",
        "2.13.1.1 obeys no allow-list",
    ),
    Case(
        "P119",
        "none",
        a_spec(pins=({"package": "jq", "version": "1.6-2.1+deb12u1"},), guard={"allow_list": True}),
        "azure-linux-agent",
        "it is not pinned, so its version is unknown",
        also=frozenset({"P111"}),
    ),
    Case(
        "P120",
        "native",
        a_spec(
            pins=(an_agent_with_its_own(),),
            extensions=(
                {
                    "publisher": "Contoso.Demo",
                    "type": "Watch",
                    "version": "1.0.0",
                    "mode": "native",
                    "reason": "the package watch",
                },
            ),
            guard={"allow_list": True, "also": ("Contoso.demo.Watch",)},
        ),
        "Contoso.demo.Watch",
        "a package delivers it, and the list lets its extension run as well",
    ),
    Case(
        "P120",
        "cached",
        a_spec(
            pins=(an_agent_with_its_own(),),
            extensions=(a_cached_extension(),),
            guard={"allow_list": True, "also": ("Contoso.Demo.Hello",)},
        ),
        "Contoso.Demo.Hello",
        "it is cached, and in the list for that",
    ),
)

STEPS: tuple[Case, ...] = (
    Case(
        "P121",
        "no-reason",
        customized("true", network="required"),
        "tune",
        "it needs the network, and nothing says why",
    ),
    Case(
        "P123",
        "pipe",
        customized(f"curl -fsSL {_RUN} | sudo bash", network="required", reason="r"),
        "tune, line 1",
        "it runs what it downloads, unverified",
    ),
    Case(
        "P123",
        "substitution",
        customized(f'sh -c "$(curl -fsSL {_RUN})"', network="required", reason="r"),
        "tune, line 1",
        "it runs what it downloads, unverified",
    ),
    Case(
        "P124",
        "upgrade",
        customized("sudo apt-get -y upgrade", network="required", reason="r"),
        "tune, line 1",
        "it moves packages away from their locked versions",
    ),
    Case(
        "P124",
        "unhold",
        customized("true", "sudo apt-mark unhold jq"),
        "tune, line 2",
        "it moves packages away from their locked versions",
    ),
    Case("P125", "rm", customized("sudo rm -rf /tmp/*"), "tune, line 1", "it empties /tmp"),
    Case(
        "P125",
        "find",
        customized("find /tmp -mindepth 1 -delete"),
        "tune, line 1",
        "it empties /tmp",
    ),
    Case(
        "P126",
        "copy",
        customized("sudo cp x.zip /var/lib/waagent/"),
        "tune, line 1",
        "it uses /var/lib/waagent",
    ),
    Case(
        "P127", "reboot", customized("sudo reboot"), "tune, line 1", "it restarts the build machine"
    ),
    Case(
        "P127",
        "systemctl",
        customized("true && sudo systemctl reboot"),
        "tune, line 1",
        "it restarts the build machine",
    ),
    Case(
        "P128",
        "waagent",
        customized("sudo waagent -force -deprovision+user"),
        "tune, line 1",
        "it generalises the image itself",
    ),
    Case(
        "P129",
        "unmask",
        customized("sudo systemctl unmask apt-daily.timer"),
        "tune, line 1",
        "it turns on updates at boot",
    ),
    Case(
        "P140",
        "tag",
        a_spec(tags={"pull": "ghp_" + "a1B2" * 9}),
        "tag pull, line 1",
        "it has a GitHub token (sha256 4a15b04cb7d2…)",
    ),
)

DOWNLOADS = {
    "curl": f"curl -fsSLO {_RUN}",
    "wget": f"test -f run.sh || wget {_RUN}",
    "apt": "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y jq",
    "pip": "python3 -m pip install requests",
    "npm": "npm ci",
    "git": "git clone https://git.example/x",
    "gem": "gem install bundler",
    "go": "go install example.test/x@v1",
    "cargo": "cargo install ripgrep",
    "podman": "sudo podman pull registry.example/x",
    "snap": "snap install hello",
    "az": "az extension add --name x",
}
STEPS += tuple(
    Case(
        "P122",
        name,
        customized(line),
        "tune, line 1",
        f"it downloads with {name}, and the network is unplugged",
    )
    for name, line in DOWNLOADS.items()
)

HARMLESS = (
    f"# curl {_RUN} would download",
    "curl -f http://127.0.0.1:8080/health",
    "sudo apt-get install -y ./local.deb",
    "pip install --no-index --find-links /opt/wheels requests",
    "git init /srv/repo",
    "rm -rf /tmp/build-of-mine",
    "rm -f /tmp/tool.zip",
    "echo 'the reboot comes later' | tee /etc/motd",
    "sudo systemctl enable chrony",
    "go version",
    "install -d /opt/curl",
)

TARGETS = (
    Case(
        "P150",
        "elsewhere",
        a_spec(regions=({"name": "northeurope"},)),
        "demo",
        "the gallery is in westeurope, which is no target region",
    ),
    Case(
        "P151",
        "two",
        a_spec(
            tags={"environment": "production"}, regions=({"name": "westeurope", "replicas": 2},)
        ),
        "westeurope",
        "it gets 2 replicas",
    ),
    Case(
        "P152",
        "many",
        a_spec(regions=({"name": "westeurope", "replicas": 60},)),
        "westeurope",
        "it gets 60 replicas",
    ),
    Case(
        "P153",
        "trusted",
        built_from("12", generation="V1"),
        "demo",
        "TrustedLaunchSupported with generation V1",
    ),
    Case(
        "P154",
        "v1",
        built_from(
            "12-arm64",
            "Standard_D2pds_v5",
            architecture="Arm64",
            generation="V1",
            security="Standard",
        ),
        "demo",
        "Arm64 with generation V1",
    ),
    Case(
        "P154",
        "confidential",
        built_from(
            "12-arm64",
            "Standard_D2pds_v5",
            architecture="Arm64",
            security="ConfidentialVmSupported",
        ),
        "demo",
        "Arm64 with ConfidentialVmSupported",
    ),
    Case(
        "P155",
        "gen2",
        built_from("12-gen2", generation="V1", security="Standard"),
        "demo",
        "the sku '12-gen2' is generation V2, the definition V1",
    ),
    Case(
        "P155", "gen1", built_from("12"), "demo", "the sku '12' is generation V1, the definition V2"
    ),
    Case(
        "P155",
        "arm",
        built_from("12-gen2", "Standard_D2pds_v5", architecture="Arm64"),
        "demo",
        "the sku '12-gen2' is not Arm64",
    ),
    Case(
        "P156",
        "arm-on-x64",
        built_from("12-arm64", architecture="Arm64"),
        "demo",
        "Standard_D2ds_v5 cannot build Arm64",
    ),
    Case(
        "P156",
        "x64-on-arm",
        built_from("12-gen2", "Standard_D4ps_v5"),
        "demo",
        "Standard_D4ps_v5 cannot build x64",
    ),
    Case(
        "P157",
        "small",
        a_spec(build={"os_disk_gb": 20}),
        "demo",
        "20 GB, and the source image has 30",
    ),
    Case(
        "P158",
        "hourly",
        a_spec(schedule={"cron": "0 * * * *"}),
        "demo",
        "the schedule is '0 * * * *'",
    ),
    Case(
        "P159",
        "definition",
        a_spec(),
        "demo",
        "other has definition 'demo' too",
        others=(a_spec(name="other"),),
    ),
    Case(
        "P159",
        "identifier",
        a_spec(),
        "demo",
        "other has identifier 'imagebake/demo/base' too",
        others=(gallery(definition="other").model_copy(update={"name": "other"}),),
    ),
)

LOCKS = (
    Case(
        "P171",
        "stale",
        a_spec(),
        "demo",
        "the spec has changed since it was locked",
        lock=a_lock(pinned()),
    ),
    Case(
        "P172",
        "missing",
        **relocked(lambda lock: {"steps": lock.steps[:-1]}),
        subject="jq",
        message="the lock has jq not at all, not 1.6-2.1+deb12u1",
    ),
    Case(
        "P172",
        "version",
        **relocked(lambda lock: _steps(lock, version="1.7")),
        subject="jq",
        message="the lock has jq 1.7, not 1.6-2.1+deb12u1",
    ),
    Case(
        "P172",
        "not-asked-for",
        **relocked(
            lambda lock: {
                "steps": (*lock.steps[:-1], lock.steps[-1].model_copy(update={"pins": ()}))
            }
        ),
        subject="jq",
        message="the lock's step 'packages' does not ask for jq",
    ),
    Case(
        "P173",
        "digest",
        pinned(a_file()),
        "tool",
        "the lock has no such file, or another digest, place or mode",
        lock=a_lock(pinned(a_file())).model_copy(update={"files": ()}),
    ),
    Case(
        "P174",
        "two-versions",
        **relocked(
            lambda lock: {
                "steps": (
                    lock.steps[0].model_copy(
                        update={"packages": (*lock.base.packages, a_package("jq", "1.5"))}
                    ),
                    *lock.steps[1:],
                )
            }
        ),
        subject="jq",
        message="the lock has 1.5 and 1.6-2.1+deb12u1",
    ),
    Case(
        "P175",
        "other",
        **relocked(lambda lock: _steps(lock, architecture="arm64")),
        subject="jq",
        message="the lock has it for arm64, not amd64",
    ),
    Case(
        "P176",
        "unknown",
        **relocked(lambda lock: _steps(lock, repository="debian/sid")),
        subject="jq",
        message="its repository 'debian/sid' is not in the lock",
    ),
    Case(
        "P177",
        "old",
        **relocked(
            lambda lock: {
                "repositories": (
                    lock.repositories[0].model_copy(
                        update={"date": "Tue, 01 Sep 2026 09:00:00 UTC"}
                    ),
                )
            }
        ),
        subject="demo",
        message="its archives are as of 2026-09-01, 82 days ago",
    ),
    Case(
        "P178",
        "no-openssl",
        CACHED,
        "openssl",
        "cached extensions need it, and the lock does not have it",
        lock=without("openssl", fresh(CACHED)),
    ),
)

CASES = (*PINS, *STEPS, *TARGETS, *LOCKS)
