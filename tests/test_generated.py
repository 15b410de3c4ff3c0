"""Generated files are what their generators make, and the shipped specs are in order."""

from __future__ import annotations

import re
from pathlib import Path

from imagebake.cli.commands.generate import producers
from imagebake.kernel.settings import Settings
from imagebake.kernel.templating import Templates
from imagebake.lock import locking
from imagebake.pipelines.workflows import WorkflowSettings, check_workflows, render_workflows
from imagebake.spec.load import load_all


def test_every_generated_file_is_up_to_date(project: Path) -> None:
    stale = [
        path
        for path, produce in producers().items()
        if (project / path).read_text(encoding="utf-8") != produce()
    ]

    assert stale == []


def test_the_workflows_are_what_the_specs_and_settings_ask_for(project: Path) -> None:
    specs = load_all(project / "image_specs", root=project).values()
    azure = Settings().cloud == "azure"

    check_workflows(
        project,
        render_workflows(specs, WorkflowSettings(azure=azure), Templates(project / "templates")),
    )


def test_every_shipped_spec_has_a_fresh_lock(project: Path) -> None:
    specs = load_all(project / "image_specs", root=project)

    assert {"debian-12-base", "debian-12-runner", "debian-13-base"} <= set(specs)
    for name, spec in specs.items():
        locking.check_lock(spec, locking.load_lock(project / "image_specs" / f"{name}.lock.json"))


def test_no_lock_names_an_address_that_its_spec_does_not(project: Path) -> None:
    for name, spec in load_all(project / "image_specs", root=project).items():
        text = (project / "image_specs" / f"{name}.lock.json").read_text(encoding="utf-8")
        known = {pin.installer.file for pin in spec.agents if pin.installer}
        known |= {pin.file for pin in spec.modules}

        assert set(re.findall(r'"([^"]*://[^"]*)"', text)) == known
