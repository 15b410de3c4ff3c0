"""A comparison as people read it: the same words every time, safe, nothing fetched."""

from __future__ import annotations

import re

from imagebake.build.diff.image_diff import ContentArea, ContentDifference, ImageDiff, ImageSize
from imagebake.build.diff.image_report import MOST, headline, image_diff_page, markdown, rows
from imagebake.kernel.digest import canonical_json
from tests.support.golden import Golden


def a_diff() -> ImageDiff:
    return ImageDiff(
        old="demo@2026.1122.0",
        new="demo@2026.1123.0",
        differences=(
            ContentDifference(
                ContentArea.ACCOUNTS, "user <script>", None, "1:1 / /bin/sh, password locked"
            ),
            ContentDifference(
                ContentArea.PACKAGES, "jq", "1.6-1, held", "1.7-1, held", "2 files, +2 B"
            ),
            ContentDifference(ContentArea.PACKAGES, "tree", "2", None, "8 files, -20 B"),
            *(
                ContentDifference(ContentArea.FILES, f"/opt/{number:02}|`x`", None, "0644 0:0")
                for number in range(MOST + 5)
            ),
            ContentDifference(
                ContentArea.GENERATED, "/var/lib/dpkg/status", "0644 0:0", "0644 0:0"
            ),
            ContentDifference(
                ContentArea.GENERATED, "/var/lib/dpkg/info/jq.list", "0644 0:0", "0644 0:0"
            ),
        ),
        before=ImageSize(files=100, size=10 << 20, packages=3),
        after=ImageSize(files=145, size=11 << 20, packages=2),
    )


def test_the_comparison_as_markdown(golden: Golden) -> None:
    golden.check("reports/diff.md", markdown(a_diff()))


def test_the_comparison_as_a_page(golden: Golden) -> None:
    golden.check("reports/diff.html", image_diff_page(a_diff()))


def test_the_comparison_for_programs(golden: Golden) -> None:
    golden.check("reports/diff.json", canonical_json(a_diff().to_json()).decode())


def test_nothing_that_an_image_says_is_markup() -> None:
    assert "<script>" not in image_diff_page(a_diff())
    assert "`user <script>`" in markdown(a_diff())


def test_a_page_needs_nothing_else() -> None:
    assert re.findall(r"(?:src|href)=|@import|url\(|<script", image_diff_page(a_diff())) == []


def test_the_same_content_is_one_sentence() -> None:
    same = ImageDiff(old="demo@1", new="demo@2")

    assert headline(same) == "demo@1 and demo@2 have the same content"
    assert markdown(same).count("\n\n") == 1
    assert same.to_json()["same"] is True


def test_bookkeeping_is_counted_by_folder() -> None:
    generated = [found for found in a_diff().differences if found.area is ContentArea.GENERATED]

    assert rows(ContentArea.GENERATED, generated) == [
        ("~", "/var/lib/dpkg", "2 paths", ""),
    ]
