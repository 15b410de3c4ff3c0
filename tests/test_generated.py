"""Generated files are what their generators make, and the shipped specs are in order."""

from __future__ import annotations

import re
from pathlib import Path

from imagebake import lock as locks
from imagebake.commands.generating import producers
from imagebake.specs.load import load_all

SHA_PIN = re.compile(r"uses: [\w/.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def test_every_generated_file_is_up_to_date(project: Path) -> None:
    import tasks  # noqa: F401, PLC0415 - declares the tasks that one page lists

    stale = [
        path
        for path, produce in producers().items()
        if (project / path).read_text(encoding="utf-8") != produce()
    ]

    assert stale == []


def test_every_shipped_spec_has_a_fresh_lock(project: Path) -> None:
    specs = load_all(project / "image_specs", root=project)

    assert {"debian-12-base", "debian-12-runner", "debian-13-base"} <= set(specs)
    for name, spec in specs.items():
        locks.check_lock(spec, locks.load_lock(project / "image_specs" / f"{name}.lock.json"))


def test_no_lock_names_an_address(project: Path) -> None:
    texts = [*(project / "image_specs").glob("*.json"), project / "requirements.lock"]

    assert [path.name for path in texts if "://" in path.read_text(encoding="utf-8")] == []


def test_workflows_pin_actions_by_commit_and_grant_nothing_by_default(project: Path) -> None:
    for path in (project / ".github" / "workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        uses = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]

        assert uses
        assert all(SHA_PIN.fullmatch(line) for line in uses), path.name
        assert "\npermissions: {}\n" in text, path.name
        assert "pull_request_target" not in text, path.name
