from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.image_templates import ImageTemplates
from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.kernel.errors import BakeFailed, CloudError
from tests.support.bake_services import a_template, an_endpoint, quick
from tests.support.builders import a_spec
from tests.support.machines import Machine, ObedientBuilder


@pytest.fixture
def cloud(machine: Machine) -> Clients:
    """A cloud that has the gallery and the definition."""
    cloud = machine.cloud
    Gallery(cloud, "imagebake").ensure()
    Gallery(cloud, "imagebake").ensure_definition(a_spec().gallery)
    return cloud


def templates(cloud: Clients, notes: list[str] | None = None) -> ImageTemplates:
    heard = notes if notes is not None else []
    return ImageTemplates(cloud, is_free=lambda _: True, note=heard.append)


def body(cloud: Clients, number: str = "1.0.0", **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    return a_template(cloud.endpoint.version_id("imagebake", "demo", number), **properties)


def exists(cloud: Clients, name: str = "t") -> bool:
    operations = cloud.image_builder.virtual_machine_image_templates
    return cloud.find("look", operations.get, "imagebake", name) is not None


def test_a_template_lives_as_long_as_its_context(cloud: Clients) -> None:
    with templates(cloud).template("t", body(cloud)) as run:
        assert exists(cloud)
        assert not run.adopted

    assert not exists(cloud)


def test_a_run_tells_of_every_state_once_and_makes_the_version(
    cloud: Clients, builder: ObedientBuilder
) -> None:
    builder.hold = True
    states: list[str] = []

    def heard(state: str) -> None:
        states.append(state)
        if state == "Customizing":
            builder.released.set()

    with templates(cloud).template("t", body(cloud)) as run:
        run.finish(heard, limit=60)

    assert "Customizing" in states
    assert len(states) == len(set(states))
    (version,) = Gallery(cloud, "imagebake").versions("demo")
    assert version.id.lower() == run.target.lower()


def test_a_template_like_ours_that_nobody_ran_is_run_by_us(
    cloud: Clients, machine: Machine, builder: ObedientBuilder
) -> None:
    with templates(cloud).template("t", body(cloud)):
        with templates(machine.cloud).template("t", body(cloud, "1.0.1")) as run:
            run.finish(lambda _: None, limit=60)

        assert run.target.endswith("/1.0.0")
        assert not run.adopted

    assert builder.built == 1


def test_a_template_of_other_steps_is_replaced(cloud: Clients, machine: Machine) -> None:
    notes: list[str] = []
    other = body(cloud, customize=[{"type": "Shell", "name": "x", "inline": ["true"]}])

    with (
        templates(cloud).template("t", other),
        templates(machine.cloud, notes).template("t", body(cloud, "1.0.1")) as run,
    ):
        assert run.target.endswith("/1.0.1")

    assert notes == ["image template t is left from an earlier bake: deleting it"]


def test_a_template_for_a_version_that_is_taken_is_replaced(
    cloud: Clients, machine: Machine
) -> None:
    picky = ImageTemplates(
        machine.cloud, is_free=lambda target: not target.endswith("/1.0.0"), note=lambda _: None
    )

    with (
        templates(cloud).template("t", body(cloud)),
        picky.template("t", body(cloud, "1.0.1")) as run,
    ):
        assert run.target.endswith("/1.0.1")


def test_a_failed_run_is_told_with_its_cause_and_its_log(
    cloud: Clients, builder: ObedientBuilder
) -> None:
    builder.failure = BuildFailed("PackerBuildFailed", "greet ended with 3: no such file")

    with (
        pytest.raises(BakeFailed) as caught,
        templates(cloud).template("t", body(cloud)) as run,
    ):
        run.finish(lambda _: None, limit=60)

    error = caught.value
    assert error.message == "the run ended Failed: greet ended with 3: no such file"
    assert error.log is not None
    assert error.log.read_text() == "customizing\n"
    assert error.hint == f"the whole output: {error.log}"
    assert not exists(cloud)


def test_a_run_that_does_not_end_is_given_up_and_cancelled(
    cloud: Clients, builder: ObedientBuilder
) -> None:
    builder.hold = True

    with (
        pytest.raises(BakeFailed) as caught,
        templates(cloud).template("t", body(cloud)) as run,
    ):
        run.finish(lambda _: None, limit=0.05)

    assert caught.value.message == "the run of t has not ended after 0 minutes"
    assert not exists(cloud)


def leave_early(cloud: Clients) -> None:
    with templates(cloud).template("t", body(cloud)) as run:
        assert run.adopted
        raise KeyboardInterrupt


def test_what_others_run_is_left_alone_when_we_have_to_go(
    cloud: Clients, machine: Machine, builder: ObedientBuilder
) -> None:
    builder.hold = True
    operations = cloud.image_builder.virtual_machine_image_templates
    with templates(cloud).template("t", body(cloud)) as run:
        cloud.ask("run", operations.begin_run, "imagebake", "t", polling=False)
        builder.entered.wait(5)

        with contextlib.suppress(KeyboardInterrupt):
            leave_early(machine.cloud)
        assert exists(cloud)

        builder.released.set()
        run.finish(lambda _: None, limit=60)

    assert builder.built == 1


def test_a_silence_longer_than_a_requests_patience_does_not_end_a_bake(
    machine: Machine, cloud: Clients, builder: ObedientBuilder
) -> None:
    builder.hold = True
    endpoint = an_endpoint(machine.emulator.url, machine.emulator.ca)
    hasty = dataclasses.replace(quick(), attempts=1)

    with (
        Clients(endpoint, hasty) as impatient,
        templates(impatient).template("t", body(cloud)) as run,
    ):

        def fall_silent(state: str) -> None:
            if state == "Customizing":
                machine.emulator.fail("GET", "*/imageTemplates/t", status=503, times=8)
                builder.released.set()

        run.finish(fall_silent, limit=60)

    assert len(Gallery(cloud, "imagebake").versions("demo")) == 1


def test_a_template_that_cannot_be_provisioned_is_told_and_deleted(cloud: Clients) -> None:
    nowhere = cloud.endpoint.version_id("imagebake", "other", "1.0.0")

    with (
        pytest.raises(CloudError) as caught,
        templates(cloud).template("t", a_template(nowhere)),
    ):
        pass

    assert caught.value.code != ""
    assert not exists(cloud)


def test_what_does_not_exist_is_its_own_error(cloud: Clients) -> None:
    operations = cloud.image_builder.virtual_machine_image_templates

    with pytest.raises(NotFound) as caught:
        cloud.ask("read it", operations.get, "imagebake", "nothing")

    assert caught.value.message.startswith("cannot read it: ResourceNotFound: ")
    assert caught.value.correlation_id
