"""Clients that we did not write, through the life of a gallery, a template and a scale set."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imagebake.kernel.context import find_root
from tests.clients.acceptance import CLIENTS, live
from tests.clients.az_steps import STEPS, template
from tests.clients.environment import AZ_LOCK, HERE, JS_FILES, CannotInstall, Environment
from tests.clients.js_life import PROGRAM
from tests.clients.steps import Step, failed, summary
from tests.support import azurite

WORDS = dict.fromkeys(("group", "scope", "url", "client", "secret", "tenant", "template"), "x")


@pytest.mark.clients
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_lives_through_it(client: str, tmp_path: Path) -> None:
    environment = Environment(find_root(HERE) / ".imagebake" / "clients")

    steps = list(live(client, environment, tmp_path))

    assert len(steps) > 20
    assert not failed(steps)


def test_what_is_installed_is_locked_by_hashes_and_names_no_address() -> None:
    requirements = AZ_LOCK.read_text(encoding="utf-8")
    packages = json.loads(JS_FILES[1].read_bytes())["packages"]

    assert "://" not in requirements
    blocks = re.split(r"\n(?=\S)", requirements.strip())
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    assert "://" not in json.dumps(packages)
    assert all(one["integrity"] for name, one in packages.items() if name)


def test_the_lock_has_what_is_asked_for() -> None:
    wanted = (HERE / "az" / "requirements.in").read_text(encoding="utf-8").split()
    lock = AZ_LOCK.read_text(encoding="utf-8")
    asked = json.loads(JS_FILES[0].read_bytes())["dependencies"]
    locked = json.loads(JS_FILES[1].read_bytes())["packages"]

    assert all(f"\n{one} \\\n" in lock for one in wanted)
    assert {name: locked[f"node_modules/{name}"]["version"] for name in asked} == asked


def test_every_command_has_its_words() -> None:
    commands = [[word.format(**WORDS) for word in step.words] for step in STEPS]

    assert len({step.step for step in STEPS}) == len(STEPS)
    assert not [word for words in commands for word in words if "{" in word or "}" in word]
    assert template({"scope": "/here"})["properties"]["distribute"][0]["galleryImageId"]


@pytest.mark.azurite
def test_the_program_for_node_can_be_parsed() -> None:
    node = azurite.node()  # the machine's, or what set-up brought for Azurite
    assert node

    done = subprocess.run([node, "--check", PROGRAM], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()


def test_an_installation_that_fails_is_told_and_begun_anew(tmp_path: Path) -> None:
    tried: list[Path] = []

    def install(place: Path) -> None:
        tried.append(place)
        (place / "half").touch()
        if len(tried) == 1:
            raise CannotInstall("no way to the registry")

    environment = Environment(tmp_path)
    with pytest.raises(CannotInstall):
        environment.made("az", (AZ_LOCK,), install)
    places = [environment.made("az", (AZ_LOCK,), install) for _ in range(2)]

    assert len(tried) == 2
    assert places == tried[:1] * 2


def test_who_asks_for_another_client_is_told_which_there_are(project: Path) -> None:
    command = [sys.executable, "-m", "imagebake", "acceptance", "powershell"]

    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "there is no client 'powershell'" in done.stderr
    assert "clients: az, js" in done.stderr


def test_a_summary_counts_what_was_wrong() -> None:
    steps = [Step("az", "2.91.0", str(number), number > 0, "", 1.5) for number in range(4)]

    assert summary(steps) == "az 2.91.0: 3 of 4 steps, 6 s"
