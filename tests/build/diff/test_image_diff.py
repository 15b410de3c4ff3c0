"""What differs between two images is shown where it belongs, and only what differs."""

from __future__ import annotations

from imagebake.build.diff.image_diff import ContentArea, ContentDifference, ImageDiff, diff_contents
from tests.support.images import Node, Tree, contents_of, folder, link, status_of, text

KEPT = "install ok installed"
HELD = "hold ok installed"
UNITS = "/usr/lib/systemd/system"
BASE: Tree = {
    "/etc": folder(),
    "/etc/hosts": text("127.0.0.1 localhost\n"),
    "/etc/passwd": text("root:x:0:0:root:/root:/bin/bash\n"),
    "/etc/shadow": text("root:*:20000:0:99999:7:::\n", 0o640),
    "/etc/group": text("root:x:0:\n"),
    "/lib": link("usr/lib"),
    "/usr/bin/jq": Node(b"\x7fELF1", 0o755),
    "/usr/bin/sudo": Node(b"\x7fELF", 0o4755),
    f"{UNITS}/ssh.service": text("[Service]\n"),
    "/var/lib/dpkg/info/jq.list": text("/.\n/usr/bin/jq\n/usr/share/jq.txt\n"),
    "/var/lib/dpkg/info/sudo:amd64.list": text("/.\n/usr/bin/sudo\n"),
    "/var/lib/dpkg/status": text(status_of([("jq", "1.6-1", HELD), ("sudo", "1.9-1", KEPT)])),
}


def the_diff(changes: Tree, *, without: tuple[str, ...] = ()) -> ImageDiff:
    after = {path: node for path, node in (BASE | changes).items() if path not in without}
    return diff_contents(contents_of(BASE), contents_of(after), names=("demo@1", "demo@2"))


def found(diff: ImageDiff, area: ContentArea) -> dict[str, ContentDifference]:
    return {one.name: one for one in diff.differences if one.area is area}


def status(*packages: tuple[str, str, str]) -> Tree:
    return {"/var/lib/dpkg/status": text(status_of(packages))}


def test_an_image_does_not_differ_from_itself() -> None:
    assert the_diff({}).differences == ()


def test_areas_come_in_the_order_of_their_risk() -> None:
    key = "AccountKey=" + "A" * 86 + "=="
    diff = the_diff(
        status(("jq", "1.7-1", HELD), ("sudo", "1.9-1", KEPT))
        | {
            "/etc/key": text(key),
            "/etc/passwd": text("root:x:0:0:root:/root:/bin/sh\n"),
            "/usr/bin/sudo": Node(b"\x7fELF", 0o6755),
            f"{UNITS}/ssh.service": link("/dev/null"),
            "/opt/x": text("x"),
        }
    )

    assert [area for area, _ in diff.areas()] == [
        ContentArea.SECRETS,
        ContentArea.ACCOUNTS,
        ContentArea.PRIVILEGES,
        ContentArea.SERVICES,
        ContentArea.PACKAGES,
        ContentArea.CONFIGURATION,
        ContentArea.FILES,
        ContentArea.GENERATED,
    ]


def test_a_secret_is_named_by_its_place_and_digest_and_never_said() -> None:
    key = "AccountKey=" + "A" * 86 + "=="

    (secret,) = found(the_diff({"/opt/key": text(key)}), ContentArea.SECRETS).values()

    assert secret.name.startswith("/opt/key sha256:")
    assert secret.new == "account key"
    assert "AAAA" not in str(secret)


def test_files_of_a_changed_package_are_counted_with_it() -> None:
    diff = the_diff(
        status(("jq", "1.7-1", HELD), ("sudo", "1.9-1", KEPT))
        | {"/usr/bin/jq": Node(b"\x7fELF22", 0o755), "/usr/share/jq.txt": text("x")}
    )

    jq = found(diff, ContentArea.PACKAGES)["jq"]
    assert jq.moved == "1.6-1, held → 1.7-1, held"
    assert jq.note == "2 files, +2 B"
    assert not found(diff, ContentArea.FILES)
    assert not found(diff, ContentArea.UNEXPLAINED)


def test_a_package_that_goes_back_or_is_let_go_is_said_to() -> None:
    back = the_diff(status(("jq", "1.5-1", HELD), ("sudo", "1.9-1", KEPT)))
    free = the_diff(status(("jq", "1.6-1", KEPT), ("sudo", "1.9-1", KEPT)))
    gone = the_diff(status(("jq", "1.6-1", "deinstall ok config-files"), ("sudo", "1.9-1", KEPT)))

    assert found(back, ContentArea.PACKAGES)["jq"].note == "downgrade"
    assert found(free, ContentArea.PACKAGES)["jq"].moved == "1.6-1, held → 1.6-1"
    assert found(gone, ContentArea.PACKAGES)["jq"].sign == "-"


def test_a_file_changed_behind_its_package_is_shown_as_that() -> None:
    diff = the_diff({"/usr/bin/jq": Node(b"\x7fEVIL", 0o755)})

    jq = found(diff, ContentArea.UNEXPLAINED)["/usr/bin/jq"]
    assert (jq.sign, jq.note) == ("~", "of jq, different content (+0 B)")


def test_privileges_are_shown_whoever_brought_them() -> None:
    fresh = {"/usr/bin/new": Node(b"x", 0o2755), "/opt/all": folder(0o777)}
    taken = the_diff({"/usr/bin/sudo": Node(b"\x7fELF", 0o755)})

    assert found(the_diff(fresh), ContentArea.PRIVILEGES).keys() == {"/usr/bin/new", "/opt/all"}
    assert found(taken, ContentArea.PRIVILEGES)["/usr/bin/sudo"].moved == "4755 0:0 → 0755 0:0"
    assert not found(the_diff({"/tmp": folder(0o1777)}), ContentArea.PRIVILEGES)  # noqa: S108


def test_accounts_say_whether_they_have_a_password() -> None:
    diff = the_diff(
        {
            "/etc/passwd": text(
                "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/sh\n"
            ),
            "/etc/shadow": text("root:*:20000:0:99999:7:::\nme:$6$x:20000::::::\n", 0o640),
            "/etc/group": text("root:x:0:\nme:x:1000:\n"),
        }
    )

    accounts = found(diff, ContentArea.ACCOUNTS)
    assert accounts["user me"].new == "1000:1000 /home/me /bin/sh, password set"
    assert "group me" in accounts
    assert found(diff, ContentArea.GENERATED).keys() == {"/etc/passwd", "/etc/shadow", "/etc/group"}


def test_a_service_has_one_state_on_each_side() -> None:
    wants = "/etc/systemd/system/multi-user.target.wants/ssh.service"

    enabled = the_diff({wants: link(f"{UNITS}/ssh.service")})
    masked = the_diff({"/etc/systemd/system/ssh.service": link("/dev/null")})

    assert found(enabled, ContentArea.SERVICES)["ssh.service"].moved == "not enabled → enabled"
    assert found(masked, ContentArea.SERVICES)["ssh.service"].moved == "not enabled → masked"


def test_links_owners_and_modes_are_in_words() -> None:
    diff = the_diff(
        {"/etc/hosts": text("127.0.0.1 localhost\n", 0o600), "/etc/motd": link("/run/motd")}
    )

    configuration = found(diff, ContentArea.CONFIGURATION)
    assert configuration["/etc/hosts"].moved == "0644 0:0 → 0600 0:0"
    assert configuration["/etc/motd"].new == "link to /run/motd"


def test_what_goes_is_shown_as_gone() -> None:
    diff = the_diff({}, without=("/etc/hosts",))

    assert found(diff, ContentArea.CONFIGURATION)["/etc/hosts"].sign == "-"
    assert diff.before is not None
    assert diff.after is not None
    assert diff.before.files - diff.after.files == 1
    assert diff.before.size - diff.after.size == len("127.0.0.1 localhost\n")
