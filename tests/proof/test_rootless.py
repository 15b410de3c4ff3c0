"""First boots in processes of their own: what goes through the pipes, and who may have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagebake.lab.boot.namespaces import NamespacesRefused
from imagebake.lab.boot.scenario import Scenario, StartMethod
from imagebake.lab.boot.trials import ImageChange
from imagebake.lab.fabric.fabric_settings import StoreMode
from imagebake.proof.rootless import RootlessTask, boot_rootless, run_rootless
from tests.support.boot_root import AGENT, boot_root
from tests.support.other_users import PROJECT, run_as

LISTS = "var/lib/dpkg/info"
ASK = """\
import sys
from pathlib import Path
from imagebake.proof.rootless import RootlessTask, run_rootless
from imagebake.kernel.errors import ImagebakeError
try:
    layers = tuple(map(Path, sys.argv[2:]))
    print(dict(run_rootless(RootlessTask(layers=layers, groups=sys.argv[1] == "whole")).packages))
except ImagebakeError as error:
    print(error.message, error.hint, sep="|")
"""


def a_layer(folder: Path, name: str, **units: str) -> Path:
    """A layer with packages that have one unit each."""
    lists = folder / name / LISTS
    lists.mkdir(parents=True)
    for package, unit in units.items():
        (lists / f"{package}.list").write_text(f"/lib/systemd/system/{unit}.service\n")
    return folder / name


def test_a_refused_user_namespace_is_told_in_the_words_of_who_refused(tmp_path: Path) -> None:
    refuse = ("sh", "-c", "echo 'unshare: no ids are mapped' >&2", "sh")

    with pytest.raises(NamespacesRefused) as caught:
        run_rootless(RootlessTask(layers=(tmp_path,)), enter=refuse)

    assert caught.value.message == (
        "this machine refused a user namespace: unshare: no ids are mapped"
    )
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("sudo ")


def test_nothing_goes_on_when_whoever_asked_is_gone(tmp_path: Path) -> None:
    """The end of its input is all that it learns of that."""
    task = f'{{"layers": ["{tmp_path}"], "scenario": {{"name": "a whole boot"}}}}\n'

    done = subprocess.run(
        [sys.executable, "-m", "imagebake.proof.rootless"],
        input=task.encode(),
        cwd=PROJECT,
        capture_output=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.root
def test_the_units_of_an_image_are_read_through_all_its_layers(tmp_path: Path) -> None:
    layers = (a_layer(tmp_path, "upper", cron="cron"), a_layer(tmp_path, "lower", ssh="ssh"))

    answer = run_rootless(RootlessTask(layers=layers, groups=True), enter=())

    assert answer.packages == {"cron.service": "cron", "ssh.service": "ssh"}


@pytest.mark.root
def test_a_layer_that_is_not_there_is_trouble_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(NamespacesRefused, match="No such file"):
        run_rootless(RootlessTask(layers=(tmp_path / "gone",)), enter=())


@pytest.mark.root
def test_without_root_an_image_is_read_and_what_a_layer_hides_stays_hidden(
    somebody: str, folder: Path
) -> None:
    upper = a_layer(folder, "upper", cron="cron")
    lower = a_layer(folder, "lower", ssh="ssh")
    os.setxattr(upper / LISTS, "user.overlay.opaque", b"y")
    subprocess.run(["chown", "-R", f"{somebody}:", folder], check=True)

    done = run_as(somebody, "-c", ASK, "agent", upper, lower)

    assert done.stdout.strip() == "{'cron.service': 'cron'}", done.stderr


@pytest.mark.root
def test_without_root_and_control_groups_the_way_to_some_is_told(
    somebody: str, folder: Path
) -> None:
    layer = a_layer(folder, "only", ssh="ssh")

    done = run_as(somebody, "-c", ASK, "whole", layer)

    message, _, hint = done.stdout.strip().partition("|")
    assert "no control group can be made in /sys/fs/cgroup" in message, done.stderr
    assert hint == "systemd-run --user --scope -p Delegate=yes ./inv validate IMAGE, or as root"


@pytest.mark.root
@pytest.mark.archive
def test_a_first_boot_comes_back_as_it_was_seen(request: pytest.FixtureRequest) -> None:
    cache = request.config.cache
    assert cache is not None
    image = boot_root(cache.mkdir("boot-roots"))
    scenario = Scenario(
        name="hang",
        means=StartMethod.AGENT,
        store=StoreMode.BLACK_HOLE,
        patience=30.0,
        restart=True,
    )
    task = RootlessTask(
        layers=(image,), scenario=scenario, change=ImageChange.NOTHING, vm_id="a-b-c"
    )

    seen = boot_rootless(task, enter=())

    assert seen.scenario == scenario
    assert seen.ready
    assert seen.agent is not None
    assert seen.agent.version == AGENT
    assert seen.ledger.clean
    assert seen.ledger.counters["fabric"] > 0
