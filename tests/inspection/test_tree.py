from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.inspection.contents import FileKind
from imagebake.inspection.secrets import LARGEST
from imagebake.inspection.tree import image_path, read_contents
from imagebake.kernel.errors import ValidationFailed
from tests.support.builders import a_lock, a_spec
from tests.support.images import Node, Tree, a_tar, a_tree, contents_of, folder, link, text

HASH = "ghp_" + "aB3" * 12
"""Not a secret of anybody's, but shaped like one."""


def a_member(name: str, *, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member


def a_raw_tar(
    *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT
) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def test_a_file_is_read_with_everything_but_its_content() -> None:
    contents = contents_of({"/opt/tool": Node(b"#!/bin/sh\n", 0o4750, 3, 4)})

    entry = contents.files["/opt/tool"]
    assert (entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.target) == (
        FileKind.FILE,
        0o4750,
        3,
        4,
        10,
        None,
    )
    assert entry.sha256 == hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert "/opt/tool" not in contents.texts


def test_links_and_folders_are_read_as_what_they_are() -> None:
    contents = contents_of({"/opt": folder(0o750), "/opt/a": link("../etc/b")})

    assert contents.files["/opt"].kind is FileKind.DIRECTORY
    assert contents.files["/opt/a"].kind is FileKind.LINK
    assert contents.files["/opt/a"].target == "../etc/b"


def test_a_hard_link_is_the_file_it_points_at() -> None:
    contents = contents_of({"/a": text("words"), "/b": Node(hard="/a")})

    assert contents.files["/b"].sha256 == contents.files["/a"].sha256
    assert contents.files["/b"].size == 5


def test_large_files_are_hashed_whole() -> None:
    content = bytes(range(256)) * 8192

    contents = contents_of({"/big": Node(content)})

    assert len(content) > LARGEST
    assert contents.files["/big"].sha256 == hashlib.sha256(content).hexdigest()


def test_texts_are_found_through_links_and_the_merged_usr() -> None:
    contents = contents_of(
        {
            "/lib": link("usr/lib"),
            "/etc/os-release": link("../usr/lib/os-release"),
            "/usr/lib/os-release": text("ID=debian\n"),
        }
    )

    assert contents.text("/etc/os-release") == "ID=debian\n"
    assert contents.text("/lib/os-release") == "ID=debian\n"
    assert contents.text("/etc/nothing") is None


def test_links_in_a_circle_lead_nowhere() -> None:
    contents = contents_of({"/etc/a": link("b"), "/etc/b": link("a")})

    assert contents.resolve("/etc/a") is None


def test_packages_own_their_paths_where_they_really_are() -> None:
    contents = contents_of(
        {"/lib": link("usr/lib"), "/var/lib/dpkg/info/x.list": text("/.\n/lib\n/lib/x.so\n")}
    )

    assert "/usr/lib/x.so" in contents.owned


def test_no_hash_of_a_password_is_kept() -> None:
    tree = a_tree(a_spec(), a_lock())
    tree["/etc/shadow"] = text("root:$y$j9T$salt$hash:20000:0:99999:7:::\n", 0o640)
    tree["/etc/apt/auth.conf.d/x.conf"] = text("machine a.example login b password hunter2\n")

    kept = repr(contents_of(tree))

    assert "$y$" not in kept
    assert "hunter2" not in kept


def test_a_secret_in_what_a_package_delivered_is_the_archives_own() -> None:
    content = f"an example: {HASH}\n"
    delivered = hashlib.md5(content.encode()).hexdigest()  # noqa: S324 - dpkg's own
    tree: Tree = {
        "/usr/share/doc/x/notes": text(content),
        "/var/lib/dpkg/info/x.md5sums": text(f"{delivered}  usr/share/doc/x/notes\n"),
    }

    assert contents_of(tree).leaks == ()

    tree["/usr/share/doc/x/notes"] = text("changed, " + content)
    assert [leak.path for leak in contents_of(tree).leaks] == ["/usr/share/doc/x/notes"]


def test_a_secret_in_an_unchanged_configuration_file_is_the_archives_own() -> None:
    content = f"# {HASH}\n"
    delivered = hashlib.md5(content.encode()).hexdigest()  # noqa: S324 - dpkg's own
    status = f"Package: x\nStatus: install ok installed\nConffiles:\n /etc/x.conf {delivered}\n"

    contents = contents_of({"/etc/x.conf": text(content), "/var/lib/dpkg/status": text(status)})

    assert contents.leaks == ()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./etc/passwd", "/etc/passwd"),
        ("etc//passwd", "/etc/passwd"),
        ("/etc/passwd", "/etc/passwd"),
        ("../../etc/passwd", "/etc/passwd"),
        ("etc/../../x", "/x"),
        ("//x", "/x"),
        (".", "/"),
        ("a\nb", "/a\\nb"),
        ("a\x1b[31m", "/a\\x1b[31m"),
        ("a\udcff", "/a\\udcff"),
        ("é", "/é"),
    ],
)
def test_names_become_paths_of_the_image(name: str, path: str) -> None:
    assert image_path(name) == path


def test_of_two_equal_names_the_later_counts() -> None:
    first, second = a_member("./etc/hostname", size=6), a_member("/etc/hostname", size=4)

    contents = read_contents(a_raw_tar((first, b"first\n"), (second, b"2nd\n")))

    assert contents.text("/etc/hostname") == "2nd\n"


def test_a_hard_link_to_nothing_is_nothing() -> None:
    member = a_member("./x", kind=tarfile.LNKTYPE)
    member.linkname = "../../etc/passwd"

    assert read_contents(a_raw_tar((member, b""))).files == {}


def test_devices_and_pipes_are_neither_read_nor_opened() -> None:
    members = [
        (a_member(f"./dev/{n}", kind=kind), b"")
        for n, kind in (("a", tarfile.CHRTYPE), ("b", tarfile.BLKTYPE), ("c", tarfile.FIFOTYPE))
    ]

    contents = read_contents(a_raw_tar(*members))

    assert {entry.kind for entry in contents.files.values()} == {FileKind.OTHER}


def test_a_sparse_file_is_not_inflated() -> None:
    member = a_member("./lastlog", size=512)
    member.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.realsize": str(1 << 50),
        "GNU.sparse.size": str(1 << 50),
        "GNU.sparse.map": "0,512",
    }

    contents = read_contents(a_raw_tar((member, b"x" * 512), form=tarfile.PAX_FORMAT))

    assert contents.files["/lastlog"].sha256 is None


def test_very_long_names_are_read() -> None:
    name = "/".join(["d" * 200] * 15)

    contents = read_contents(a_raw_tar((a_member(name), b"")))

    assert f"/{name}" in contents.files


@pytest.mark.parametrize(
    "content",
    [b"", b"not a tar", b"\x1f\x8b" + b"x" * 2000, a_tar({"/a": Node(b"x" * 5000)})[:3000]],
    ids=["empty", "words", "gzip", "cut"],
)
def test_what_is_no_whole_tar_is_refused(content: bytes) -> None:
    with pytest.raises(ValidationFailed, match=r"^the image cannot be read: "):
        read_contents(io.BytesIO(content))


def test_many_nested_headers_are_refused() -> None:
    long_name = a_member("././@LongLink", kind=tarfile.GNUTYPE_LONGNAME, size=3)
    tower = a_raw_tar(*[(long_name, b"ab\0")] * 3000)

    with pytest.raises(ValidationFailed, match=r"^the image cannot be read: "):
        read_contents(tower)


node = st.builds(
    Node,
    content=st.binary(max_size=60),
    mode=st.integers(0, 0o7777),
    target=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    folder=st.booleans(),
)
segment = st.sampled_from(["etc", "lib", "usr", "passwd", "..", ".", "shadow", "var", "\n", "é"])
paths = st.lists(segment, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))


@given(st.dictionaries(paths, node, max_size=8))
def test_no_tree_leads_out_of_the_image(tree: Tree) -> None:
    contents = contents_of(tree)

    for path in [*contents.files, *contents.texts]:
        assert path.startswith("/")
        assert ".." not in path.split("/")
        assert path.isprintable()
        contents.resolve(path)
        contents.text(path)


@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_image_is_refused_or_read_and_never_a_crash(data: st.DataObject) -> None:
    content = bytearray(a_tar(a_tree(a_spec(), a_lock())))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) // 512 - 1)) * 512
        at += data.draw(st.integers(0, 511))
        content[at] = data.draw(st.integers(0, 255))
        block = at - at % 512
        if data.draw(st.booleans()):
            _mend_checksum(content, block)

    with contextlib.suppress(ValidationFailed):
        read_contents(io.BytesIO(bytes(content)))


def _mend_checksum(content: bytearray, block: int) -> None:
    """Make a damaged header pass, so that its fields are believed."""
    header = content[block : block + 512]
    total = sum(header[:148]) + 8 * 32 + sum(header[156:])
    content[block + 148 : block + 156] = b"%06o\0 " % total
