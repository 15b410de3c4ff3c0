"""Image templates of others become specs, and what has no place in one is said."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.audit.draft.importer import has_errors, import_template
from imagebake.audit.draft.model import CODES, Draft, DraftStep
from imagebake.audit.draft.spec_text import render_spec
from imagebake.audit.draft.steps import packages_in, step_name
from imagebake.audit.library import DiskFiles, TemplateLibrary
from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.errors import SpecError, UsageError
from imagebake.spec.load import load_spec
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.steps import scripts
from tests.support.full_spec import GROUP
from tests.support.golden import FOLDER, Golden

GOLDEN = FOLDER / "import"
TEMPLATES = ("gallery", "deployment", "windows", "odd")


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def imported(path: str, parameters: str = "", name: str = "", folder: Path = GOLDEN) -> Draft:
    with inside(folder):
        return import_template(path, parameters, name, TemplateLibrary(DiskFiles([Path.cwd()])))


def template(folder: Path, **changes: object) -> str:
    """A small template in a file of its own, some of its properties changed."""
    properties = {
        "source": {
            "type": "PlatformImage",
            "publisher": "Debian",
            "offer": "debian-12",
            "sku": "12-gen2",
            "version": "0.20260914.2237",
        },
        "customize": [],
        "distribute": [
            {
                "type": "SharedImage",
                "galleryImageId": "/subscriptions/s/galleries/g/images/web",
                "targetRegions": [{"name": "westeurope"}],
            }
        ],
        **changes,
    }
    document = {"type": "Microsoft.VirtualMachineImages/imageTemplates", "properties": properties}
    (folder / "web.json").write_text(json.dumps(document | {"apiVersion": "2024-02-01"}))
    return "web.json"


def loaded(draft: Draft, folder: Path, pins: str = "") -> ImageSpec:
    path = folder / "image_specs" / f"{draft.name}.yaml"
    path.parent.mkdir(exist_ok=True)
    text = render_spec(draft)
    path.write_text(text.replace("pins: []", f"pins:\n{pins}") if pins else text, encoding="utf-8")
    return load_spec(path, root=folder)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_explained(name: str, golden: Golden) -> None:
    draft = imported(f"{name}.json")

    golden.check(f"import/{name}.stderr", "".join(f"{finding}\n" for finding in draft.findings))
    golden.check(f"import/{name}.yaml", render_spec(draft))


def test_every_code_is_found_in_some_template() -> None:
    codes = {finding.code for name in TEMPLATES for finding in imported(f"{name}.json").findings}

    assert codes == set(CODES)


def test_a_deployments_parameters_fill_in_what_it_has_no_default_for() -> None:
    draft = imported("deployment.json", "deployment.parameters.json")

    assert draft.source["version"] == "24.04.202609120"
    assert draft.definition == "build-agent-noble"
    assert draft.architecture == "Arm64"
    assert [region.name for region in draft.regions] == ["swedencentral", "westeurope"]
    assert [step.inline for step in draft.customizers] == [
        ("sudo useradd runner", "echo build-agent | sudo tee /etc/image")
    ]


def test_what_was_left_out_and_what_is_secret_is_in_no_spec() -> None:
    for name in TEMPLATES:
        draft = imported(f"{name}.json")
        text = render_spec(draft) + "".join(map(str, draft.findings))

        assert "QUJDREVG" not in text
        assert "0123456789" not in text
    assert any("fetchWithKey" in line for line in imported("gallery.json").left_out)


def test_a_whole_template_becomes_a_spec_that_loads(tmp_path: Path) -> None:
    path = template(
        tmp_path,
        customize=[
            {
                "type": "Shell",
                "name": "Run",
                "scriptUri": "https://files.example/a.sh",
                "sha256Checksum": "0" * 64,
            }
        ],
        buildTimeoutInMinutes=0,
    )
    draft = imported(path, folder=tmp_path)
    spec = loaded(draft, tmp_path)

    assert spec.name == "web"
    assert spec.files[0].destination == "/usr/local/lib/image-scripts/a.sh"
    (step,) = scripts(spec.customizers)
    assert step.inline == ("/usr/local/lib/image-scripts/a.sh",)
    assert spec.build.timeout_minutes == 240
    assert spec.local
    assert spec.local.suite == "bookworm"


_GALLERY = f"{GROUP}/Microsoft.Compute/galleries/g/images/base/versions"


@pytest.mark.parametrize(
    ("source", "named", "codes"),
    [
        (
            {"type": "ManagedImage", "imageId": f"{GROUP}/Microsoft.Compute/images/golden"},
            f"{GROUP}/Microsoft.Compute/images/golden",
            set(),
        ),
        (
            {
                "type": "SharedImageVersion",
                "imageVersionId": f"{_GALLERY}/1.2.3".replace("resourceGroups", "resourcegroups"),
            },
            f"{_GALLERY}/1.2.3",
            set(),
        ),
        (
            {
                "type": "SharedImageVersion",
                "imageVersionId": f"{_GALLERY}/latest",
                "exactVersion": "1.2.4",
            },
            f"{_GALLERY}/1.2.4",
            {"I105"},
        ),
    ],
    ids=["managed", "version", "latest"],
)
def test_every_source_has_its_place_in_a_spec(
    tmp_path: Path, source: dict[str, str], named: str, codes: set[str]
) -> None:
    draft = imported(template(tmp_path, source=source), folder=tmp_path)
    spec = loaded(draft, tmp_path, pins="  - {package: jq, version: '1.6-2.1'}")

    assert spec.source.urn == named
    assert {finding.code for finding in draft.findings} & {"I105", "I106", "I114"} == codes


def test_a_template_that_names_no_version_becomes_a_spec_that_says_so(tmp_path: Path) -> None:
    source = {"type": "SharedImageVersion", "imageVersionId": f"{_GALLERY}/latest"}
    draft = imported(template(tmp_path, source=source), folder=tmp_path)

    assert has_errors(draft)
    with pytest.raises(SpecError) as caught:
        loaded(draft, tmp_path)

    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"S003", "S014"}


def test_a_template_of_windows_becomes_a_spec_that_lacks_pins_and_a_version_only(
    tmp_path: Path,
) -> None:
    draft = imported("windows.json")

    with pytest.raises(SpecError) as caught:
        loaded(draft, tmp_path)

    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"S003", "S014"}


def test_a_secret_in_a_restart_is_neither_written_nor_shown(tmp_path: Path) -> None:
    command = "net use z: AccountKey=" + "QUJDREVG" * 10 + "QUJDRE=="
    steps = [{"type": "WindowsRestart", "restartCommand": command}]
    draft = imported(template(tmp_path, customize=steps), folder=tmp_path)
    texts = render_spec(draft) + "".join(map(str, draft.findings))

    assert "I109" in {finding.code for finding in draft.findings}
    assert "QUJDREVG" not in texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "web.json:1:1: error[J001]: this is not JSON: the text is empty"),
        ("{\n  'a': 1\n}", "web.json:2:3: error[J001]"),
        ('{\n  "a": 1,\n}', "web.json:2:9: error[J001]"),
        ('{"resources": [\n  {"type": "x", }]}', "web.json:2:15: error[J001]"),
    ],
    ids=["empty", "quotes", "comma", "inner comma"],
)
def test_what_is_not_json_is_said_at_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "web.json").write_text(text)

    with pytest.raises(SpecError) as caught:
        imported("web.json", folder=tmp_path)

    assert str(caught.value.diagnostics[0]).startswith(message)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "it is not a JSON object"),
        ({"type": "Microsoft.Compute/disks", "name": "a"}, "it has no resource of the type"),
        ({"resources": []}, "it has no resource of the type"),
        (
            {"resources": [{"type": "Microsoft.VirtualMachineImages/imageTemplates", "name": "a"}]},
            "its image template has no 'properties'",
        ),
        (
            {
                "resources": [
                    {"type": "Microsoft.VirtualMachineImages/imageTemplates", "name": name}
                    for name in "ab"
                ]
            },
            "it has 2 image templates (a, b), and one is needed",
        ),
    ],
    ids=["a list", "another", "none", "empty", "two"],
)
def test_what_is_no_template_is_refused(tmp_path: Path, document: object, why: str) -> None:
    (tmp_path / "web.json").write_text(json.dumps(document))

    with pytest.raises(UsageError, match=re.escape(why)):
        imported("web.json", folder=tmp_path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"web\.json cannot be read"):
        imported("web.json", folder=tmp_path)


def test_the_lines_that_install_name_their_packages() -> None:
    assert packages_in("sudo apt-get install -y --no-install-recommends nginx curl=7.88-1") == (
        "nginx",
        "curl=7.88-1",
    )
    assert packages_in("apt-get update && apt install git; echo install this") == ("git",)
    assert packages_in("apt-get install ./local.deb $PACKAGES") == ()


@given(st.text(max_size=80))
def test_every_name_of_a_step_is_one(message: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", step_name(message))


def test_names_of_steps_stay_apart(tmp_path: Path) -> None:
    step = {"type": "Shell", "name": "a" * 80, "inline": ["true"]}
    path = template(tmp_path, customize=[step, step, step | {"name": "A" * 80}])

    called = [step.name for step in imported(path, folder=tmp_path).customizers]

    assert len(set(called)) == 3
    assert all(len(name) <= 63 for name in called)


@given(
    st.lists(
        st.text(
            st.characters(exclude_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp")),
            min_size=1,
            max_size=60,
        ).filter(str.strip),
        min_size=1,
        max_size=4,
    )
)
def test_every_line_comes_back_from_the_spec_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    draft = imported("gallery.json", name="lines")
    step = DraftStep(name="step", inline=tuple(lines))
    whole = Draft(
        **{field: getattr(draft, field) for field in draft.__dataclass_fields__}
        | {"customizers": (step,)}
    )

    (read,) = scripts(loaded(whole, folder).customizers)
    assert read.inline == tuple(lines)


def test_only_errors_are_strict_about(tmp_path: Path) -> None:
    path = template(tmp_path, optimize={"vmBoot": {"state": "Enabled"}})
    draft = imported(path, folder=tmp_path)

    assert has_errors(draft) == any(
        finding.severity is Severity.ERROR for finding in draft.findings
    )
    assert has_errors(draft), "the template names no owner, and it pins no agent"


def test_the_page_explains_every_code(project: Path) -> None:
    page = (project / "docs" / "how-to" / "import-and-debt.md").read_text(encoding="utf-8")

    assert [code for code in CODES if not re.search(rf"\| {code} \|", page)] == []
