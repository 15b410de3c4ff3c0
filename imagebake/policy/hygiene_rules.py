"""Rules about the identity that an image must not have: P301 to P329."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.inspection.contents import Contents, FileKind, Password
from imagebake.policy.facts import ImageFacts
from imagebake.policy.paths import absent, empty
from imagebake.policy.rule import Breach, rule

BUILD_USER = "packer"
"""The account that Azure Image Builder's steps run as."""

_CHECKLIST = "Azure: generalise a VM before creating an image"
_DEPROVISION = "waagent -deprovision+user"
_SYSTEMD = "systemd: Safely building images"
# Linux gives accounts of people numbers from 1000; 65534 is `nobody`.
_FIRST_PERSON, _NOBODY = 1000, 65534
_NO_ADDRESSES = ("127.", "::1", "fe00::", "ff00::", "ff02::")


def _words(contents: Contents, path: str) -> list[str]:
    """Return the lines of a text that are not comments."""
    lines = (line.partition("#")[0].strip() for line in (contents.text(path) or "").splitlines())
    return [line for line in lines if line]


no_host_keys = absent(
    "P301",
    "The image has no ssh host keys",
    "/etc/ssh/ssh_host_*",
    why="every machine would have the same keys, and any owner of the image could pose as one",
    source=_CHECKLIST,
    fix="remove them last: sudo rm -f /etc/ssh/ssh_host_*; cloud-init makes new ones",
)


@rule(
    "P302",
    "The machine id is empty",
    why="machines with one id get one DHCP lease and one journal; without the file none is made",
    source=_SYSTEMD,
    fix="empty it: sudo truncate -s 0 /etc/machine-id",
)
def machine_id_isempty(facts: ImageFacts) -> Iterator[Breach]:
    """`uninitialized` is systemd's own word for an empty one."""
    entry = facts.contents.files.get("/etc/machine-id")
    if entry is None:
        yield Breach("/etc/machine-id", "it is not there", "make it empty: sudo touch it")
        return
    if (facts.contents.text("/etc/machine-id") or "").strip() not in {"", "uninitialized"}:
        yield Breach(entry.path, "it has an id")
    if entry.kind is FileKind.FILE and entry.mode not in {0o444, 0o644}:
        yield Breach(entry.path, f"its mode is {entry.mode:04o}", "give it mode 0444")


@rule(
    "P303",
    "D-Bus has no machine id of its own",
    why="it would be the same on every machine, and differ from systemd's",
    source=_SYSTEMD,
    fix="link it: sudo ln -sf /etc/machine-id /var/lib/dbus/machine-id",
)
def dbus_id_is_a_link(facts: ImageFacts) -> Iterator[Breach]:
    """Absent, empty or a link."""
    entry = facts.contents.files.get("/var/lib/dbus/machine-id")
    if entry is not None and entry.kind is FileKind.FILE and entry.size:
        yield Breach(entry.path, "it has an id")


no_authorized_keys = empty(
    "P304",
    "No ssh key of a person is in the image",
    "/root/.ssh/authorized_keys*",
    "/home/*/.ssh/authorized_keys*",
    why="the owner of that key can log in to every machine",
    source=_CHECKLIST,
    fix="remove the file; the platform adds the keys that a machine's owner asks for",
)


@rule(
    "P305",
    "No account of a person or of the build is in the image",
    why="it can log in, and the builder's may become root without a password",
    source=f"{_CHECKLIST}: {_DEPROVISION}",
    fix="remove it last: sudo userdel -r NAME",
)
def no_personal_accounts(facts: ImageFacts) -> Iterator[Breach]:
    """People's accounts have numbers from 1000."""
    for user in facts.contents.users:
        if user.name == BUILD_USER or _FIRST_PERSON <= user.uid < _NOBODY:
            yield Breach(user.name, f"the account is in the image, with number {user.uid}")


@rule(
    "P306",
    "No account has a password",
    why="it is the same on every machine, and can be guessed from the image at leisure",
    source=f"{_CHECKLIST}: {_DEPROVISION} locks root",
    fix="lock it: sudo passwd -l NAME, and remove /etc/shadow-",
)
def no_account_has_a_password(facts: ImageFacts) -> Iterator[Breach]:
    """The backup copy of the shadow file is checked, too."""
    for user in facts.contents.users:
        if user.password is Password.SET:
            yield Breach(user.name, "the account has a password")
    for name in facts.contents.stale_hashes:
        yield Breach("/etc/shadow-", f"it still has a password of {name!r}")


@rule(
    "P307",
    "No account logs in without a password",
    why="an empty password lets anyone in",
    source="shadow(5)",
    fix="lock it: sudo passwd -l NAME",
)
def no_account_has_an_empty_password(facts: ImageFacts) -> Iterator[Breach]:
    """An empty password field is not a locked account."""
    for user in facts.contents.users:
        if user.password is Password.EMPTY:
            yield Breach(user.name, "the account's password is empty")


no_cloud_state = absent(
    "P308",
    "cloud-init has not run yet",
    "/var/lib/cloud/instance*",
    "/var/lib/cloud/data/*",
    "/var/lib/cloud/sem/*",
    "/var/lib/cloud/seed/*",
    "/run/cloud-init/*",
    why="it would take the machine for one that it has set up already, and do nothing",
    source="cloud-init documentation, cloud-init clean",
    fix="clean it: sudo cloud-init clean --logs --seed",
)

logs_are_empty = empty(
    "P309",
    "The logs are empty",
    "/var/log/*",
    why="they tell of the build, not of the machine, and differ from bake to bake",
    source=_CHECKLIST,
    fix="empty them: sudo find /var/log -type f -exec truncate -s 0 {} +",
)

no_leases = empty(
    "P310",
    "The image has no DHCP leases",
    "/var/lib/dhcp/*",
    "/var/lib/dhcpcd/*",
    "/var/lib/NetworkManager/*.lease",
    "/run/systemd/netif/leases/*",
    why="a machine would ask for the build machine's address",
    source=_CHECKLIST,
    fix="remove them: sudo rm -f /var/lib/dhcp/*.leases",
)

no_persistent_net = absent(
    "P311",
    "No rule binds a network interface to an address",
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/udev/rules.d/75-persistent-net-generator.rules",
    why="the new machine's first interface would get another name, and no configuration",
    source=_CHECKLIST,
    fix="remove the file",
)

no_random_seed = absent(
    "P312",
    "The image has no random seed",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/urandom/random-seed",
    "/boot/*/loader/random-seed",
    why="machines that start from one seed may make the same keys",
    source=_SYSTEMD,
    fix="remove the file; systemd makes another",
)


@rule(
    "P313",
    "The image names no resolver",
    why="the build network's resolver is not there for the machines",
    source=f"{_CHECKLIST}: {_DEPROVISION} removes /etc/resolv.conf",
    fix="link it to systemd-resolved's: /run/systemd/resolve/stub-resolv.conf; or remove it",
)
def no_resolver(facts: ImageFacts) -> Iterator[Breach]:
    """Absent, a link into `/run`, or without a word."""
    entry = facts.contents.files.get("/etc/resolv.conf")
    if entry is not None and entry.kind is FileKind.FILE:
        for line in _words(facts.contents, entry.path):
            yield Breach(entry.path, f"it says {line!r}")


no_apt_lists = absent(
    "P314",
    "apt's lists are not in the image",
    "/var/lib/apt/lists/*_*",
    "/var/lib/apt/lists/partial/*",
    why="they are old when the machine starts, large, and differ from bake to bake",
    source="apt-get(8)",
    fix="remove them: sudo rm -rf /var/lib/apt/lists/*",
)

no_apt_cache = absent(
    "P315",
    "apt's caches are not in the image",
    "/var/cache/apt/archives/*.deb",
    "/var/cache/apt/*pkgcache.bin",
    why="they only take room, and differ from bake to bake",
    source="apt-get(8)",
    fix="remove them: sudo apt-get clean",
)


@rule(
    "P316",
    "The image has no host name",
    why="every machine would call itself what the build machine was called",
    source=f"{_CHECKLIST}: {_DEPROVISION} sets localhost.localdomain",
    fix="write 'localhost' to /etc/hostname",
)
def no_host_name(facts: ImageFacts) -> Iterator[Breach]:
    """The names that mean no machine in particular."""
    name = "".join(_words(facts.contents, "/etc/hostname"))
    if name not in {"", "localhost", "localhost.localdomain"}:
        yield Breach("/etc/hostname", f"it says {name!r}")


@rule(
    "P317",
    "/etc/hosts names no machine of the build network",
    why="a machine would look for it where it is not",
    source=_CHECKLIST,
    fix="take the line out",
)
def no_foreign_hosts(facts: ImageFacts) -> Iterator[Breach]:
    """Loopback and multicast addresses only."""
    for line in _words(facts.contents, "/etc/hosts"):
        if not line.startswith(_NO_ADDRESSES):
            yield Breach("/etc/hosts", f"it says {line!r}")


no_pending_reboot = absent(
    "P318",
    "No restart is pending",
    "/run/reboot-required*",
    "/var/run/reboot-required*",
    why="the image runs something else than it has installed",
    source="Debian, update-notifier",
    fix="look what asked for it in /run/reboot-required.pkgs, and pin that earlier",
)

no_history = absent(
    "P319",
    "No shell history is in the image",
    *(
        f"{home}/{name}"
        for home in ("/root", "/home/*")
        for name in (
            ".*_history",
            ".lesshst",
            ".viminfo",
            ".wget-hsts",
            ".sudo_as_admin_successful",
        )
    ),
    why="it tells what the builder typed, now and then a password",
    source=_CHECKLIST,
    fix="remove the file",
)
