"""`plan` on the command line: repositories with history, no network, no Azure, no root."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.model.manifest import BakeManifest
from imagebake.kernel.digest import canonical_json, sha256_file, sha256_json
from imagebake.lock.locking import load_lock
from imagebake.spec.load import load_spec
from imagebake.spec.plan import PLAN, BakePlan, plan_record
from tests.support.plans import a_plan

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.test")
IMAGE = "debian-12-base"


@dataclass(frozen=True, slots=True)
class Repository:
    """A clone with the shipped specs, and a state directory with nothing in it."""

    root: Path
    project: Path

    def run(self, *words: str, ends: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.root),
            "PYTHONPATH": str(self.project),
            "IMAGEBAKE_ROOT": str(self.root),
            "IMAGEBAKE_STATE": str(self.root / "state"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "imagebake", "plan", *words],
            env=environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == ends, done.stdout + done.stderr
        return done

    def json(self, *words: str) -> dict[str, dict[str, Any]]:
        return {one["image"]: one for one in json.loads(self.run(*words, "--json").stdout)}

    def git(self, *words: str) -> None:
        subprocess.run(["git", *WHO, *words], cwd=self.root, check=True, capture_output=True)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / "image_specs" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def plan(self) -> BakePlan:
        specs = self.root / "image_specs"
        spec = load_spec(specs / f"{IMAGE}.yaml", root=self.root)
        return a_plan(spec, load_lock(specs / f"{IMAGE}.lock.json"))

    def baked(self, plan: BakePlan, number: str, **fields: Any) -> Path:  # noqa: ANN401
        """Put the records of a bake of *plan* where one would have."""
        folder = self.root / "state/mirror/records/imagebake" / IMAGE / number
        folder.mkdir(parents=True)
        manifest = BakeManifest.model_validate(
            {
                "image": plan.spec.name,
                "version_id": f"/versions/{number}",
                "definition": IMAGE,
                "version": number,
                "bake_key": plan.bake_key,
                "lock_sha256": plan.lock_sha256,
                "spec_sha256": plan.spec_sha256,
                "source": plan.spec.source.urn,
                "regions": (),
                "baked_at": "2026-11-22T10:00:00+00:00",
                "seconds": {},
                "contents": {},
            }
            | fields
        )
        (folder / "manifest.json").write_bytes(canonical_json(manifest.to_json()))
        (folder / PLAN).write_bytes(plan_record(plan))
        return folder


@pytest.fixture
def repository(tmp_path: Path, project: Path) -> Repository:
    made = Repository(tmp_path, project)
    shutil.copytree(project / "image_specs", tmp_path / "image_specs")
    (tmp_path / ".gitignore").write_text("/state/\n")
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "start")
    return made


def test_nothing_changes_of_what_was_committed(repository: Repository) -> None:
    output = repository.run("--base", "main", "--exit-code").stdout

    assert f"{IMAGE}: a bake changes nothing (compared with main (" in output
    assert len(output.split("\n\n")) == len(list((repository.root / "image_specs").glob("*.yaml")))


def test_only_the_image_that_was_edited_is_read(repository: Repository) -> None:
    repository.edit(f"{IMAGE}.yaml", "version: 3.3a-3\n", "version: 3.3a-3\n    reason: splits\n")
    (repository.root / "image_specs/debian-13-base.lock.json").unlink()
    repository.git("add", "--all")
    repository.git(
        "commit", "--quiet", "--message", "no lock", "image_specs/debian-13-base.lock.json"
    )

    plans = repository.json("--base", "HEAD")
    repository.run("--base", "HEAD", "--exit-code", ends=8)

    assert [name for name, plan in plans.items() if plan["differs"]] == [IMAGE]
    assert plans[IMAGE]["changes"][0]["name"] == "tmux: reason"
    assert plans[IMAGE]["rebuilt"] is False


def test_what_images_share_is_held_against_every_one(repository: Repository) -> None:
    repository.edit("base/debian-12.yaml", "review_by: 2027-06-01", "review_by: 2027-07-01")

    plans = repository.json("--base", "main")

    assert sorted(name for name, plan in plans.items() if plan["differs"]) == [
        IMAGE,
        "debian-12-runner",
    ]
    repository.edit("base/debian-12.yaml", "review_by: 2027-07-01", "review_by: 2027-06-01 # same")
    repository.run("--base", "main", "--exit-code")


def test_a_step_that_changes_is_baked_and_its_diff_shown(repository: Repository) -> None:
    with (repository.root / f"image_specs/{IMAGE}.yaml").open("a") as spec:
        spec.write("\ncustomizers:\n  - name: greet\n    inline: [echo hello]\n")

    plan = repository.json(IMAGE, "--base", "main")[IMAGE]
    diff = repository.run(IMAGE, "--base", "main", "--diff").stdout
    comment = repository.run("--base", "main", "--markdown").stdout

    assert (plan["rebuilt"], plan["steps_rerun"]) == (
        True,
        ["greet", "write-deprovisioning-script"],
    )
    assert "+++ b/customizers/greet.sh" in diff
    assert comment.startswith("<!-- imagebake: plan -->\n\n### Plan: 1 image changes, ")


def test_an_image_that_goes_is_shown(repository: Repository) -> None:
    for name in (f"{IMAGE}.yaml", f"{IMAGE}.lock.json"):
        (repository.root / "image_specs" / name).unlink()

    plan = repository.json(IMAGE, "--base", "main")[IMAGE]

    assert (plan["gone"], plan["differs"]) == (True, True)


def test_a_new_image_is_all_new(repository: Repository) -> None:
    specs = repository.root / "image_specs"
    spec = (specs / f"{IMAGE}.yaml").read_text()
    (specs / "fresh.yaml").write_text(spec.replace(IMAGE, "fresh"))
    repository.run("fresh", "--base", "main", ends=2)
    lock = json.loads((specs / f"{IMAGE}.lock.json").read_text())
    fresh = load_spec(specs / "fresh.yaml", root=repository.root)
    lock |= {"image": "fresh", "inputs_sha256": sha256_json(fresh.lock_inputs())}
    (specs / "fresh.lock.json").write_bytes(canonical_json(lock))

    plan = repository.json("--base", "main")["fresh"]

    assert plan["rebuilt"]
    assert {change["change"] for change in plan["changes"]} == {"added"}


def test_the_repository_s_own_templates_are_taken_as_they_were(repository: Repository) -> None:
    templates = repository.root / "templates"
    shutil.copytree(repository.project / "templates", templates)
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "templates")
    mask = templates / "install/mask.sh.j2"
    mask.write_text(mask.read_text().replace("{% endblock", "  echo masked\n{% endblock"))

    plan = repository.json(IMAGE, "--base", "HEAD")[IMAGE]

    (change,) = plan["changes"]
    assert (change["kind"], change["name"]) == ("rendered", "mask-downloads")


def test_a_base_that_cannot_be_planned_is_a_note(repository: Repository) -> None:
    lock = repository.root / f"image_specs/{IMAGE}.lock.json"
    good = lock.read_bytes()
    lock.write_text("{}")
    repository.git("commit", "--quiet", "--all", "--message", "break")
    lock.write_bytes(good)

    plan = repository.json(IMAGE, "--base", "HEAD")[IMAGE]

    assert "cannot be planned, so that everything looks new" in plan["note"]
    assert f"{IMAGE}.lock.json is not a lock" in plan["note"]


def test_a_stale_lock_is_refused_with_what_mends_it(repository: Repository) -> None:
    repository.edit(f"{IMAGE}.yaml", "version: 3.3a-3", "version: 3.3a-4")

    for words in ((IMAGE,), ("--base", "main")):
        output = repository.run(*words, ends=2).stderr
        assert f"the lock of {IMAGE} is stale: tmux is pinned at 3.3a-4" in output
        assert f"./inv lock {IMAGE}" in output


def test_what_is_not_there_is_said_not_to_be(repository: Repository) -> None:
    assert "git knows no revision 'nowhere'" in repository.run("--base", "nowhere", ends=2).stderr
    assert "did you mean" in repository.run("debian-12-bass", ends=2).stderr
    assert "did you mean" in repository.run("debian-12-bass", "--base", "main", ends=2).stderr
    assert "choose one" in repository.run("--json", "--markdown", ends=2).stderr


def test_without_a_base_it_is_the_version_that_was_baked_last(repository: Repository) -> None:
    before = repository.plan()
    repository.baked(before, "2026.1122.2")
    repository.baked(a_plan(), "2026.1122.10")  # another image's, in the same definition
    repository.edit(f"{IMAGE}.yaml", "version: 3.3a-3\n", "version: 3.3a-3\n    reason: splits\n")

    plan = repository.json(IMAGE)[IMAGE]

    assert plan["against"] == f"{IMAGE}@2026.1122.2"
    assert [change["name"] for change in plan["changes"]] == ["tmux: reason"]


def test_what_was_baked_as_it_is_changes_nothing(repository: Repository) -> None:
    repository.baked(repository.plan(), "2026.1122.0")

    output = repository.run(IMAGE, "--exit-code").stdout

    assert output == f"{IMAGE}: a bake changes nothing (compared with {IMAGE}@2026.1122.0)\n"


def test_a_bake_that_kept_no_plan_is_a_note_unless_nothing_changed(repository: Repository) -> None:
    folder = repository.baked(repository.plan(), "2026.1122.0")
    (folder / PLAN).unlink()
    assert repository.json(IMAGE)[IMAGE]["differs"] is False

    repository.edit(f"{IMAGE}.yaml", "pins:\n", "customizers: [{name: a, inline: [b]}]\npins:\n")

    assert "was not kept, so that everything looks new" in repository.json(IMAGE)[IMAGE]["note"]


def test_an_image_that_was_never_baked_is_all_new(repository: Repository) -> None:
    plan = repository.json(IMAGE)[IMAGE]

    assert plan["against"] == "nothing: it was never baked from here"
    assert plan["to_mirror"] == plan["new_artifacts"] > 200


def test_a_plan_writes_nothing(repository: Repository) -> None:
    before = {path: sha256_file(path) for path in repository.root.rglob("*") if path.is_file()}

    repository.run()
    repository.run("--base", "main")

    after = {path: sha256_file(path) for path in repository.root.rglob("*") if path.is_file()}
    assert {path for path in after if ".git/" not in str(path)} == {
        path for path in before if ".git/" not in str(path)
    }
