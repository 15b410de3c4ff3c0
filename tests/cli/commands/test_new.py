"""A new spec is valid whatever a person answers."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from imagebake.cli.commands.new import NewImage, skeleton
from imagebake.spec.load import load_spec

ANSWERS = NewImage(
    name="web",
    base="debian-12",
    description="A web server",
    offer="debian-12",
    sku="web",
    owner="web-team",
    cron="17 3 * * 2",
    timezone="Europe/Amsterdam",
)


def test_a_skeleton_says_what_was_answered_and_no_more() -> None:
    assert skeleton(ANSWERS, {"jq": "1.6-2.1"}) == (
        "# yaml-language-server: $schema=../schemas/image-spec.v1.schema.json\n"
        "\n"
        "extends: base/debian-12.yaml\n"
        "\n"
        "name: web\n"
        "description: A web server\n"
        "owner: web-team\n"
        "\n"
        "gallery:\n"
        "  definition: web\n"
        "  identifier:\n"
        "    offer: debian-12\n"
        "    sku: web\n"
        "\n"
        "schedule:\n"
        '  cron: "17 3 * * 2"\n'
        "  timezone: Europe/Amsterdam\n"
        "\n"
        "pins:\n"
        "  - package: jq\n"
        "    version: 1.6-2.1\n"
    )


@given(
    description=st.text(
        st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=80
    ).filter(lambda text: text == text.strip() and "\ufeff" not in text),
    owner=st.from_regex(r"[A-Za-z0-9@/_.+][A-Za-z0-9@/_.+ -]{0,20}[A-Za-z0-9]", fullmatch=True),
)
def test_any_line_of_text_is_read_back_as_it_was_answered(
    project: Path, description: str, owner: str
) -> None:
    path = project / "image_specs" / "web.yaml"
    answers = NewImage(
        name="web", base="debian-12", description=description, owner=owner, offer="o", sku="s"
    )
    text = skeleton(answers, {"jq": "1.10"})

    spec = load_spec(path, root=project, instead={path: text.encode()})

    assert (spec.description, spec.owner) == (description, owner)
    assert ("jq", "1.10") in {(pin.package, pin.version) for pin in spec.packages}
