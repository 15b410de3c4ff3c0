from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.build.commands.conftest import SPEC, Run

WINDOWS = SPEC.replace("gallery:\n", "gallery:\n  os: Windows\n").replace(
    '  - {package: jq, version: "1.6-2.1"}\n',
    "  - agent: windows-guest-agent\n"
    "    version: 2.7.41491.1193\n"
    "    installer:\n"
    "      file: https://files.example/2.7/agent.msi\n"
    f"      sha256: {'1' * 64}\n",
)


@pytest.fixture
def windows(run: Run, tmp_path: Path) -> Run:
    """Runs a command where the only image is one of Windows, which is locked."""
    (tmp_path / "site" / "image_specs" / "demo.yaml").write_text(WINDOWS)
    done = run("lock", "demo")
    assert done.stdout == "demo: locked, 1 file in image_specs/demo.lock.json\n"
    return run


def test_a_windows_image_is_locked_without_asking_anybody(windows: Run) -> None:
    assert windows("lock", "demo", "--check").stdout == "demo: the lock is fresh\n"
    assert windows("lock", "demo").stdout.startswith("demo: unchanged")


def test_a_windows_image_is_not_baked_here_and_nothing_is_begun(
    windows: Run, tmp_path: Path
) -> None:
    done = windows("bake", "demo")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: demo cannot be baked here: it is Windows, which only Azure can run\n"
        "  = hint: IMAGEBAKE_CLOUD=azure ./inv bake demo\n"
    )
    assert not (tmp_path / "state" / "emulator").exists()


def test_what_is_due_is_left_to_azure(windows: Run) -> None:
    (due,) = json.loads(windows("due", "--json").stdout)["images"]

    assert "it is Windows, which only Azure can run" in json.dumps(due)


def test_its_scripts_are_written_as_powershell(windows: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"

    assert windows("render", "demo", "--out", str(out)).returncode == 0
    assert sorted(path.name for path in (out / "customizers").iterdir()) == [
        "01-prevent-downloads.ps1",
        "02-install-windows-guest-agent.ps1",
        "03-write-manifest.ps1",
        "04-restart-after-installers.json",
        "05-write-deprovisioning-script.ps1",
    ]
    template = json.loads((out / "image_template.json").read_text())
    kinds = [one["type"] for one in template["properties"]["customize"]]
    assert kinds == ["PowerShell", "PowerShell", "PowerShell", "WindowsRestart", "PowerShell"]
    assert template["properties"]["customize"][0]["runAsSystem"] is True


def test_its_plan_names_what_comes_with_it(windows: Run) -> None:
    output = windows("plan", "demo").stdout

    assert "agent  windows-guest-agent  2.7.41491.1193" in output
    assert "source image" in output
    assert "local suite" not in output
