"""Images that break one rule each: the change, and the finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.policy.rule import Finding
from imagebake.proof.validate import validate_contents
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Lock
from imagebake.spec.model.delivery import AGENT_STATE, AGENTS, POLICY, policy
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_lock, a_spec
from tests.support.deliveries import (
    EXTENSION_ZIP,
    HANDLER,
    VERSION,
    a_cached_extension,
    an_agent_with_its_own,
    delivered_tree,
)
from tests.support.images import WAAGENT_CONF, Node, a_tree, contents_of, folder, link, text

TOOL = b"#!/bin/sh\n"
SPEC = a_spec(
    pins=(
        {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},
        {"package": "jq", "version": "1.6-2.1+deb12u1"},
        {
            "file": "https://files.example/1.2/tool",
            "version": "1.2",
            "sha256": sha256_bytes(TOOL),
            "destination": "/opt/tool",
            "mode": "0755",
        },
    )
)
LOCK = a_lock(SPEC)
GOOD = a_tree(SPEC, LOCK) | {"/opt/tool": Node(TOOL, 0o755)}

DELIVERING = a_spec(
    pins=(*SPEC.to_json()["pins"][1:], an_agent_with_its_own()), extensions=(a_cached_extension(),)
)
DELIVERING_LOCK = a_lock(DELIVERING)
DELIVERED = delivered_tree(DELIVERING, DELIVERING_LOCK)
GUARDING = a_spec(
    pins=(*SPEC.to_json()["pins"][1:], an_agent_with_its_own()),
    extensions=(a_cached_extension(),),
    guard={"allow_list": True},
)
GUARDING_LOCK = a_lock(GUARDING)
GUARDED = delivered_tree(GUARDING, GUARDING_LOCK)
KEPT_AGENT = f"{AGENTS}/WALinuxAgent-{VERSION}"
STATE_AGENT = f"{AGENT_STATE}/WALinuxAgent-{VERSION}"
STATE_ZIP = f"{AGENT_STATE}/{HANDLER}__1.2.3.zip"

STATUS = "/var/lib/dpkg/status"
CONF = "/etc/waagent.conf"
MANIFEST = "/etc/imagebake/manifest.json"
UNITS = "/etc/systemd/system"
WANTED = f"{UNITS}/multi-user.target.wants/walinuxagent.service"
SAS = b"https://x.blob.example/y?sv=2024&sig=" + b"aB3+" * 10 + b"xyz="


@dataclass(frozen=True, slots=True)
class Case:
    """One breach: paths that are put in, or taken out where there is None."""

    rule: str
    label: str
    changes: Mapping[str, Node | None]
    subject: str
    message: str
    also: frozenset[str] = frozenset()
    spec: ImageSpec = field(default=SPEC)
    lock: Lock = field(default=LOCK)

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.label}"

    def findings(self) -> tuple[Finding, ...]:
        return judged(self.changes, spec=self.spec, lock=self.lock)


def judged(
    changes: Mapping[str, Node | None], *, spec: ImageSpec = SPEC, lock: Lock = LOCK
) -> tuple[Finding, ...]:
    kept = {path: node for path, node in ({**GOOD, **changes}).items() if node is not None}
    return validate_contents(contents_of(kept), spec, lock, catalogue=CATALOGUE)


def replaced(path: str, old: str, new: str) -> dict[str, Node | None]:
    node = GOOD[path]
    content = node.content.decode()
    assert old in content
    return {path: text(content.replace(old, new), node.mode)}


def added(path: str, more: str) -> dict[str, Node | None]:
    return {path: text(GOOD[path].content.decode() + more, GOOD[path].mode)}


def conf(*lines: str) -> dict[str, Node | None]:
    return {CONF: text("\n".join((*WAAGENT_CONF.splitlines(), *lines, "")))}


def there(rule: str, path: str, *also: str) -> Case:
    """A breach by a file that is there at all."""
    label = path.strip("/").replace("/", "-")
    return Case(rule, label, {path: text("x")}, path, "it is in the image", also=frozenset(also))


def filled(rule: str, path: str, *also: str) -> Case:
    """A breach by a file that has something in it."""
    label = path.strip("/").replace("/", "-")
    return Case(rule, label, {path: text("words")}, path, "it has 5 bytes", also=frozenset(also))


def delivered(
    rule: str,
    label: str,
    changes: Mapping[str, Node | None],
    subject: str,
    message: str,
    *also: str,
) -> Case:
    """A breach of an image with a goal-state agent and a cached extension."""
    return Case(
        rule,
        label,
        {**DELIVERED, **changes},
        subject,
        message,
        also=frozenset(also),
        spec=DELIVERING,
        lock=DELIVERING_LOCK,
    )


def within(path: str, old: str, new: str) -> dict[str, Node | None]:
    """The text at *path* of that image, changed."""
    node = DELIVERED[path]
    assert node
    assert old in node.content.decode()
    return {path: text(node.content.decode().replace(old, new), node.mode)}


INSTALLED = (
    Case(
        "P201",
        "missing",
        replaced(STATUS, "Package: jq", "Package: yq"),
        "jq",
        "1.6-2.1+deb12u1 is locked, and it is not installed",
        also=frozenset({"P202"}),
    ),
    Case(
        "P201",
        "removed",
        replaced(
            STATUS,
            "hold ok installed\nArchitecture: amd64\nVersion: 1.6",
            "deinstall ok config-files\nArchitecture: amd64\nVersion: 1.6",
        ),
        "jq",
        "1.6-2.1+deb12u1 is locked, and it is not installed",
    ),
    Case(
        "P201",
        "version",
        replaced(STATUS, "1.6-2.1+deb12u1", "1.7-1"),
        "jq",
        "1.6-2.1+deb12u1 is locked, 1.7-1 is installed",
    ),
    Case(
        "P202",
        "extra",
        added(
            STATUS,
            "\n\nPackage: nmap\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7\n",
        ),
        "nmap",
        "7 is installed, and no step of the lock has it",
    ),
    Case(
        "P203",
        "half",
        replaced(STATUS, "install ok installed", "install ok half-configured"),
        "base-files",
        "its state is 'half-configured'",
    ),
    Case(
        "P203",
        "broken",
        replaced(STATUS, "install ok installed", "install reinstreq installed"),
        "base-files",
        "its state is 'reinstreq'",
    ),
    Case(
        "P204",
        "free",
        replaced(STATUS, "Package: jq\nStatus: hold", "Package: jq\nStatus: install"),
        "jq",
        "it is pinned, and not held",
    ),
    Case("P205", "none", {MANIFEST: None}, MANIFEST, "there is none"),
    Case("P205", "words", {MANIFEST: text("[]")}, MANIFEST, "it is not a JSON object"),
    Case(
        "P206",
        "image",
        replaced(MANIFEST, '"image": "demo"', '"image": "other"'),
        MANIFEST,
        "its 'image' is 'other', not 'demo'",
    ),
    Case(
        "P206",
        "package",
        replaced(MANIFEST, "1.6-2.1+deb12u1", "1.6-2.1"),
        MANIFEST,
        "its packages are not those of the lock",
    ),
    Case(
        "P206",
        "file",
        replaced(MANIFEST, "/opt/tool", "/opt/fool"),
        MANIFEST,
        "its files are not those of the lock",
    ),
    Case("P207", "missing", {"/opt/tool": None}, "/opt/tool", "tool is not there"),
    Case(
        "P207",
        "changed",
        {"/opt/tool": Node(b"x", 0o755)},
        "/opt/tool",
        "it is not the tool that is locked",
    ),
    Case(
        "P207", "mode", {"/opt/tool": Node(TOOL, 0o700)}, "/opt/tool", "its mode is 0700, not 0755"
    ),
    Case(
        "P207",
        "owner",
        {"/opt/tool": Node(TOOL, 0o755, 1001, 1001)},
        "/opt/tool",
        "it belongs to 1001:1001, not to root",
    ),
    Case(
        "P208",
        "trixie",
        replaced("/usr/lib/os-release", "bookworm", "trixie"),
        "/etc/os-release",
        "the image is trixie, the lock bookworm",
    ),
)

FIRST_BOOT = (
    Case(
        "P221",
        "disabled",
        {WANTED: None},
        "walinuxagent.service",
        "azure-linux-agent needs it, and it is not enabled",
    ),
    Case(
        "P221",
        "masked",
        {f"{UNITS}/walinuxagent.service": link("/dev/null")},
        "walinuxagent.service",
        "azure-linux-agent needs it, and it is masked",
    ),
    Case(
        "P221",
        "absent",
        {"/usr/lib/systemd/system/walinuxagent.service": None},
        "walinuxagent.service",
        "azure-linux-agent needs it, and the image has no such unit",
    ),
    Case(
        "P222",
        "timer",
        {f"{UNITS}/apt-daily.timer": None},
        "apt-daily.timer",
        "it fetches package lists, and is not masked",
    ),
    Case(
        "P223",
        "on",
        replaced(CONF, "AutoUpdate.Enabled=n", "AutoUpdate.Enabled=y"),
        CONF,
        "azure-linux-agent needs the line 'AutoUpdate.Enabled=n'",
        also=frozenset({"P229"}),
    ),
    Case(
        "P223",
        "twice",
        conf("AutoUpdate.Enabled=y"),
        CONF,
        "azure-linux-agent needs the line 'AutoUpdate.Enabled=n'",
        also=frozenset({"P229"}),
    ),
    Case("P224", "moved", conf("Lib.Dir=/srv/waagent"), CONF, "Lib.Dir is /srv/waagent"),
    Case(
        "P225",
        "nobody",
        conf("Provisioning.Agent=disabled"),
        CONF,
        "Provisioning.Agent is disabled",
    ),
    Case(
        "P225",
        "absent",
        conf("Provisioning.Agent=cloud-init"),
        CONF,
        "Provisioning.Agent is cloud-init, which is not installed",
    ),
    Case(
        "P226",
        "proxy",
        conf("HttpProxy.Host=proxy.example"),
        CONF,
        "HttpProxy.Host is proxy.example",
    ),
    Case(
        "P227",
        "upgrade",
        {"/etc/cloud/cloud.cfg.d/99-x.cfg": text("package_upgrade: true\n")},
        "/etc/cloud/cloud.cfg.d/99-x.cfg",
        "it has 'package_upgrade' on",
    ),
    Case(
        "P228",
        "policy",
        {"/usr/sbin/policy-rc.d": text("exit 101\n", 0o755)},
        "/usr/sbin/policy-rc.d",
        "it is there, and no package owns it",
    ),
    Case(
        "P229",
        "old-agent",
        conf("AutoUpdate.Enabled=y", "AutoUpdate.UpdateToLatestVersion=n"),
        CONF,
        "agent 2.7.3.0-4.1 ignores AutoUpdate.UpdateToLatestVersion, and AutoUpdate is on",
        also=frozenset({"P223"}),
    ),
)

IDENTITY = (
    there("P301", "/etc/ssh/ssh_host_ed25519_key"),
    Case(
        "P302",
        "filled",
        {"/etc/machine-id": text("0123456789abcdef0123456789abcdef\n", 0o444)},
        "/etc/machine-id",
        "it has an id",
    ),
    Case("P302", "absent", {"/etc/machine-id": None}, "/etc/machine-id", "it is not there"),
    Case(
        "P302", "mode", {"/etc/machine-id": text("", 0o600)}, "/etc/machine-id", "its mode is 0600"
    ),
    Case(
        "P303",
        "own",
        {"/var/lib/dbus/machine-id": text("0123\n")},
        "/var/lib/dbus/machine-id",
        "it has an id",
    ),
    filled("P304", "/root/.ssh/authorized_keys"),
    filled("P304", "/home/ann/.ssh/authorized_keys"),
    Case(
        "P305",
        "packer",
        added("/etc/passwd", "packer:x:999:999::/home/packer:/bin/sh\n"),
        "packer",
        "the account is in the image, with number 999",
    ),
    Case(
        "P305",
        "person",
        added("/etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n"),
        "ann",
        "the account is in the image, with number 1000",
    ),
    Case(
        "P306",
        "root",
        replaced("/etc/shadow", "root:*", "root:$y$j9T$abc"),
        "root",
        "the account has a password",
    ),
    Case(
        "P306",
        "backup",
        {"/etc/shadow-": text("packer:$y$j9T$abc:20000::::::\n", 0o640)},
        "/etc/shadow-",
        "it still has a password of 'packer'",
    ),
    Case(
        "P307",
        "empty",
        replaced("/etc/shadow", "root:*", "root:"),
        "root",
        "the account's password is empty",
    ),
    there("P308", "/var/lib/cloud/instances/i-1/obj.pkl"),
    Case(
        "P308",
        "link",
        {"/var/lib/cloud/instance": link("/var/lib/cloud/instances/i-1")},
        "/var/lib/cloud/instance",
        "it is in the image",
    ),
    filled("P309", "/var/log/dpkg.log"),
    filled("P309", "/var/log/journal/0123/system.journal"),
    filled("P310", "/var/lib/dhcp/dhclient.eth0.leases"),
    there("P311", "/etc/udev/rules.d/70-persistent-net.rules"),
    there("P312", "/var/lib/systemd/random-seed"),
    Case(
        "P313",
        "resolver",
        {"/etc/resolv.conf": text("# dhcp\nnameserver 10.0.0.2\n")},
        "/etc/resolv.conf",
        "it says 'nameserver 10.0.0.2'",
    ),
    there("P314", "/var/lib/apt/lists/deb.example_dists_bookworm_InRelease"),
    there("P315", "/var/cache/apt/archives/jq_1.6_amd64.deb"),
    Case(
        "P316", "name", {"/etc/hostname": text("build-7\n")}, "/etc/hostname", "it says 'build-7'"
    ),
    Case(
        "P317",
        "host",
        added("/etc/hosts", "10.0.0.9 mirror # ours\n"),
        "/etc/hosts",
        "it says '10.0.0.9 mirror'",
    ),
    there("P318", "/run/reboot-required"),
    there("P319", "/root/.bash_history"),
)

LEFTOVERS = (
    there("P330", "/var/lib/waagent/provisioned"),
    there("P331", "/var/log/azure/Contoso/a.log", "P309"),
    there("P332", "/tmp/notes"),  # noqa: S108 - a path of the image
    Case(
        "P333",
        "packer",
        {"/etc/sudoers.d/packer": text("packer ALL=(ALL) NOPASSWD: ALL\n", 0o440)},
        "/etc/sudoers.d/packer",
        "packer becomes root without a password",
    ),
    Case(
        "P334",
        "local",
        {"/etc/apt/sources.list.d/x.list": text("deb file:/srv/debs ./\n")},
        "/etc/apt/sources.list.d/x.list",
        "it names a path of the build machine",
    ),
    Case(
        "P334",
        "trusted",
        {"/etc/apt/sources.list": text("deb [trusted=yes] https://a.example x main\n")},
        "/etc/apt/sources.list",
        "it trusts a source without a signature",
    ),
    Case(
        "P334",
        "deb822",
        {"/etc/apt/sources.list.d/x.sources": text("Types: deb\nTrusted: yes\n")},
        "/etc/apt/sources.list.d/x.sources",
        "it trusts a source without a signature",
    ),
    Case(
        "P334",
        "private",
        {"/etc/apt/sources.list": text("deb http://10.1.2.3:3142/debian x main\n")},
        "/etc/apt/sources.list",
        "it names 10.1.2.3",
    ),
    Case(
        "P335",
        "suid",
        {"/usr/local/bin/root-shell": Node(b"\x7fELF\0", 0o4755)},
        "/usr/local/bin/root-shell",
        "its mode is 4755, and no package owns it",
    ),
    Case("P336", "file", {"/opt/shared": text("", 0o666)}, "/opt/shared", "its mode is 0666"),
    Case("P336", "folder", {"/opt/spool": folder(0o777)}, "/opt/spool", "its mode is 0777"),
    there("P337", "/var/lib/chrony/drift"),
    filled("P338", "/var/lib/docker/engine-id"),
)

SECRETS = (
    Case(
        "P401",
        "text",
        {"/opt/fetch.sh": Node(b"#!/bin/sh\ncurl '" + SAS + b"'\n", 0o755)},
        "/opt/fetch.sh",
        "line 2 has a shared access signature (sha256 d348a111fa0e…)",
    ),
    filled("P402", "/root/.git-credentials"),
    filled("P402", "/opt/runner/.credentials"),
    filled("P402", "/root/.azure/msal_token_cache.json"),
    there("P403", "/var/lib/cloud/seed/nocloud/user-data", "P308"),
    there("P403", "/var/lib/waagent/ovf-env.xml", "P330"),
    there("P404", "/var/lib/waagent/0123ABCD.prv", "P330"),
    there("P404", "/var/lib/waagent/Contoso.Agent-1.0.0/config/0.settings", "P330"),
)

WAITING = (
    delivered(
        "P231",
        "not-kept",
        {f"{KEPT_AGENT}/HandlerManifest.json": None},
        KEPT_AGENT,
        f"the goal-state agent {VERSION} is not there",
    ),
    delivered(
        "P231",
        "not-restaged",
        {path: None for path in DELIVERED if path.startswith(STATE_AGENT)},
        STATE_AGENT,
        "it has not been put back after generalisation",
    ),
    delivered(
        "P231",
        "another",
        {f"{STATE_AGENT}/bin/agent.egg": text("another")},
        STATE_AGENT,
        f"it is not what {KEPT_AGENT} has",
    ),
    delivered(
        "P207",
        "kept-zip",
        {f"{KEPT_AGENT}.zip": text("another")},
        f"{KEPT_AGENT}.zip",
        f"it is not the WALinuxAgent-{VERSION}.zip that is locked",
    ),
    delivered(
        "P232",
        "newer",
        {f"{AGENT_STATE}/WALinuxAgent-9.9.9.9/HandlerManifest.json": text("{}")},
        f"{AGENT_STATE}/WALinuxAgent-9.9.9.9",
        "it is an agent, and not the one that is pinned",
    ),
    Case(
        "P232",
        "unpinned",
        {f"{KEPT_AGENT}/HandlerManifest.json": text("{}")},
        KEPT_AGENT,
        "it is an agent, and not the one that is pinned",
    ),
    delivered(
        "P233",
        "absent",
        {STATE_ZIP: None},
        STATE_ZIP,
        "it has not been put back after generalisation",
    ),
    delivered(
        "P233",
        "another",
        {STATE_ZIP: text("another", 0o600)},
        STATE_ZIP,
        f"it is not the zip of {HANDLER} that is pinned",
    ),
    delivered(
        "P233",
        "open",
        {STATE_ZIP: Node(EXTENSION_ZIP, 0o644)},
        STATE_ZIP,
        "its mode is 0644; it is for root alone",
    ),
    Case(
        "P234",
        "alone",
        {f"{AGENT_STATE}/Contoso.Other__1.0.0.zip": text("zip")},
        f"{AGENT_STATE}/Contoso.Other__1.0.0.zip",
        "no extension of the spec is cached from it",
    ),
    delivered(
        "P235",
        "disabled",
        {f"{UNITS}/multi-user.target.wants/imagebake-cache.service": None},
        "imagebake-cache.service",
        "it does not start at boot",
    ),
    delivered(
        "P235",
        "no-program",
        {"/opt/imagebake/cache.py": None},
        "/opt/imagebake/cache.py",
        "it is not there",
    ),
    delivered(
        "P235",
        "no-drop-in",
        {f"{UNITS}/walinuxagent.service.d/10-imagebake-cache.conf": None},
        f"{UNITS}/walinuxagent.service.d/10-imagebake-cache.conf",
        "it is not there",
    ),
    delivered(
        "P235",
        "another-version",
        within("/opt/imagebake/cache.json", "1.2.3", "1.2.4"),
        "/opt/imagebake/cache.json",
        "it does not name the cached extensions of the spec",
    ),
    delivered(
        "P235",
        "rubbish",
        {"/opt/imagebake/cache.json": text("[]")},
        "/opt/imagebake/cache.json",
        "it does not name the cached extensions of the spec",
    ),
    delivered(
        "P235",
        "no-proxy",
        within(CONF, "HttpProxy.Port=3129", ""),
        CONF,
        "it has no line 'HttpProxy.Port=3129'",
    ),
    delivered(
        "P236", "none", {"/opt/imagebake/restage.sh": None}, "/opt/imagebake/restage.sh",
        "it is not there",
    ),
    delivered(
        "P236", "mode", {"/opt/imagebake/restage.sh": text("x")}, "/opt/imagebake/restage.sh",
        "it is 0644 of 0:0",
    ),
    there("P237", "/opt/imagebake/tls/server.key"),
    there("P237", "/run/imagebake-cache/agent-bundle.pem"),
    delivered(
        "P223",
        "one-switch",
        within(CONF, "AutoUpdate.UpdateToLatestVersion=n\n", ""),
        CONF,
        "azure-linux-agent needs the line 'AutoUpdate.UpdateToLatestVersion=n'",
        "P229",
    ),
)  # fmt: skip


def guarded(label: str, changes: Mapping[str, Node | None], message: str, subject: str) -> Case:
    """A breach of an image whose agent refuses what is not in its list."""
    return Case(
        "P238", label, {**GUARDED, **changes}, subject, message, spec=GUARDING, lock=GUARDING_LOCK
    )


GUARDS = (
    guarded("none", {POLICY: None}, "it is not there", POLICY),
    guarded("words", {POLICY: text("[")}, "it does not allow what the spec allows", POLICY),
    guarded(
        "more",
        {POLICY: Node(canonical_json(policy((HANDLER, "Contoso.Demo.More"))))},
        "it does not allow what the spec allows",
        POLICY,
    ),
    guarded(
        "anybodys",
        {POLICY: Node(canonical_json(policy((HANDLER,))), 0o664)},
        "it is 0664 of 0:0",
        POLICY,
    ),
    guarded(
        "switch",
        {CONF: DELIVERED[CONF]},
        "it has no line 'Debug.EnableExtensionPolicy=y'",
        CONF,
    ),
)

CASES = (*GUARDS, *INSTALLED, *FIRST_BOOT, *WAITING, *IDENTITY, *LEFTOVERS, *SECRETS)

HARMLESS: Mapping[str, Mapping[str, Node | None]] = {
    "no-resolver": {"/etc/resolv.conf": None},
    "a-resolver-file-of-comments": {"/etc/resolv.conf": text("# nothing\n")},
    "systemds-word-for-no-id": {"/etc/machine-id": text("uninitialized\n")},
    "no-id-of-dbus": {"/var/lib/dbus/machine-id": None},
    "no-host-name": {"/etc/hostname": None},
    "the-agents-host-name": {"/etc/hostname": text("localhost.localdomain\n")},
    "empty-keys": {"/root/.ssh/authorized_keys": text("")},
    "empty-logs": {"/var/log/journal/0123/system.journal": text(""), "/var/log": folder()},
    "apts-own-lock": {"/var/lib/apt/lists/lock": text(""), "/var/lib/apt/lists/partial": folder()},
    "nobody": added("/etc/passwd", "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"),
    "locked-with-hash": replaced("/etc/shadow", "root:*", "root:!$y$j9T$abc"),
    "sudo-for-a-group": {"/etc/sudoers.d/wheel": text("%sudo ALL=(ALL) NOPASSWD: ALL\n")},
    "a-signed-public-source": {
        "/etc/apt/sources.list": text("deb https://archive.example/debian bookworm main\n")
    },
    "a-disabled-source": {"/etc/apt/sources.list": text("# deb file:/srv/debs ./\n")},
    "sticky-folder": {"/var/tmp": folder(0o1777)},  # noqa: S108 - a path of the image
    "cloud-init-told-not-to-update": {
        "/etc/cloud/cloud.cfg.d/90-x.cfg": text("package_upgrade: false\n# package_update: true\n")
    },
    "packages-service-policy": {
        "/usr/sbin/policy-rc.d": text("x", 0o755),
        "/var/lib/dpkg/info/policyrcd-script.list": text("/usr/sbin/policy-rc.d\n"),
    },
    "an-agent-under-an-alias": {
        WANTED: None,
        f"{UNITS}/multi-user.target.wants/agent.service": link("/x/agent.service"),
        f"{UNITS}/agent.service": link("/usr/lib/systemd/system/walinuxagent.service"),
    },
    "a-removed-package": added(
        STATUS, "\n\nPackage: nano\nStatus: deinstall ok config-files\nVersion: 7\n"
    ),
    "a-binary-that-spells-a-secret": {"/opt/binary": Node(b"\0" + SAS)},
}
