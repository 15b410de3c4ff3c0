"""`bootstrap` and `doctor --cloud` as people type them: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagebake.bootstrap.command import bootstrap
from imagebake.bootstrap.desired_state import desired_foundation
from imagebake.bootstrap.preflight import doctor_cloud
from imagebake.kernel import context
from imagebake.kernel.errors import RolloutRefused, UsageError, ValidationFailed

SHOW: dict[str, Any] = {"plan": True, "apply": False, "expect": "", "out": "", "as_json": False}
APPLY = SHOW | {"plan": False, "apply": True}
Shown = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def setting(monkeypatch: Patch, name: str, value: str) -> None:
    monkeypatch.setenv(f"IMAGEBAKE_{name.upper()}", value)


def test_a_subscription_is_planned_made_and_examined(
    root: Path, capsys: Shown, monkeypatch: Patch
) -> None:
    setting(monkeypatch, "repository", "example/images")
    setting(monkeypatch, "resource_tags", "cost-center=1234, owner=platform")
    bootstrap(**SHOW)
    planned = capsys.readouterr().out
    digest = planned.rpartition("--expect ")[2].split()[0]
    bootstrap(**APPLY | {"expect": digest})
    made = capsys.readouterr().out
    bootstrap(**SHOW | {"as_json": True})
    told = json.loads(capsys.readouterr().out)
    for name, value in told["settings"].items():
        setting(monkeypatch, name, value)
    bootstrap(**APPLY)
    again = capsys.readouterr().out
    doctor_cloud("local", as_json=False)
    examined = capsys.readouterr().out

    assert "+ galleries/imagebake/images/demo: Linux V2 x64 TrustedLaunchSupported" in planned
    assert "github: repo:example/images:environment:production" in planned
    assert "gh variable set AZURE_CLIENT_ID -R example/images --env bake" in planned
    assert made.rstrip().endswith("Next: ./inv doctor --cloud local")
    assert {one["what"] for one in told["changes"]} == {"keep"}
    assert set(told["settings"]) == {"identity", "build_identity", "mirror_url"}
    assert "Nothing to do" in again
    assert "imagebake.yaml" not in again
    assert examined.rstrip().endswith("Nothing here would break a build.")
    tags = desired_foundation(context.open_context(quiet=True)).tags
    assert (tags["cost-center"], tags["owner"]) == ("1234", "platform")


def test_templates_for_others_say_how_they_are_deployed(
    root: Path, capsys: Shown, monkeypatch: Patch
) -> None:
    setting(monkeypatch, "second_gallery", "other")
    out = root / "arm"
    bootstrap(**SHOW | {"plan": False, "out": str(out)})

    readme = (out / "README.txt").read_text()
    assert sorted(path.name for path in out.iterdir()) == [
        "1-subscription.json",
        "1-subscription.parameters.json",
        "2-group.json",
        "2-group.parameters.json",
        "3-second.json",
        "3-second.parameters.json",
        "4-everywhere.json",
        "4-everywhere.parameters.json",
        "README.txt",
    ]
    assert "az deployment sub create" in readme
    assert "--resource-group imagebake-second --template-file 3-second.json" in readme
    parameters = json.loads((out / "2-group.parameters.json").read_bytes())
    assert "imagebake-protected" in parameters["parameters"]["tags"]["value"]
    (root / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        bootstrap(**SHOW | {"out": str(root / "file" / "arm")})


def test_a_subscription_that_is_not_ready_ends_with_three(root: Path, capsys: Shown) -> None:
    with pytest.raises(ValidationFailed, match="2 things would break a build"):
        doctor_cloud("local", as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert not told["healthy"]
    assert [one["what"] for one in told["complaints"]] == [
        "there is no gallery imagebake in imagebake",
        "no identity is configured",
    ]
    assert told["complaints"][0]["command"] == "./inv bootstrap --plan"


def test_what_makes_no_sense_is_refused(root: Path, monkeypatch: Patch) -> None:
    with pytest.raises(UsageError, match="--apply does it"):
        bootstrap(**APPLY | {"plan": True})
    with pytest.raises(RolloutRefused, match="the plan is no longer 000000: it is"):
        bootstrap(**APPLY | {"expect": "000000"})
    with pytest.raises(UsageError, match="--cloud is 'aws'"):
        doctor_cloud("aws", as_json=False)
    for name, value, why in (
        ("repository", "https://github.com/a/b", "repository is"),
        ("resource_tags", "a=1,b", "resource_tags has 'b'"),
        ("resource_tags", "a=1,a=2", "resource_tags has 'a=2'"),
        ("mirror_url", "https://mirror.example/x", "which no storage account can have"),
    ):
        with monkeypatch.context() as only:
            setting(only, name, value)
            with pytest.raises(UsageError, match=why):
                bootstrap(**SHOW)


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        ("git@github.com:example/images.git", "example/images"),
        ("https://user:token@github.com/example/images", "example/images"),
        ("ssh://git@github.com/example/images.git", "example/images"),
        ("https://git.example/example/images", ""),
        ("https://github.com/example/images/tree/main", ""),
    ],
)
def test_the_repository_is_the_clones(root: Path, origin: str, named: str) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    for name in ("objects", "refs"):
        (root / ".git" / name).mkdir()
    (root / ".git" / "config").write_text(f'[remote "origin"]\n  url = {origin}\n')

    assert desired_foundation(context.open_context(quiet=True)).repository == named
