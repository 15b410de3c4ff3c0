"""Prove that an image provisions while everything that it could download from is dead."""

from __future__ import annotations

import enum
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from imagebake.errors import UsageError
from imagebake.fabric.plan import Extension, GatewayMode, GoalState, Source, StoreMode
from imagebake.fabric.status import AgentStatus
from imagebake.firstboot.scenario import FirstBoot, Means, Scenario
from imagebake.model.component import Catalogue
from imagebake.model.pins import ExtensionPin
from imagebake.model.proof import (
    Control,
    Demand,
    Proof,
    Seen,
    SeenHandler,
    SeenService,
    Wish,
)
from imagebake.model.spec import ImageSpec
from imagebake.model.verdict import judge
from imagebake.progress import Progress, Step

SIDE_BY_SIDE = 2
"""First boots at once: each keeps a processor busy for most of its time."""

AGENT = "azure-linux-agent"
"""The guest agent's name in the catalogue."""
BOOT = "boot"
"""The trial that is a whole boot; all others run the agent alone."""

_DEAD = {
    "hang": (StoreMode.BLACK_HOLE, GatewayMode.SAME),
    "hang-502": (StoreMode.BLACK_HOLE, GatewayMode.BAD_GATEWAY),
    "hang-healthy": (StoreMode.BLACK_HOLE, GatewayMode.HEALTHY),
    "403": (StoreMode.FORBIDDEN, GatewayMode.SAME),
    "404": (StoreMode.NOT_FOUND, GatewayMode.SAME),
    "409": (StoreMode.PUBLIC_ACCESS_DENIED, GatewayMode.SAME),
    "409-healthy": (StoreMode.PUBLIC_ACCESS_DENIED, GatewayMode.HEALTHY),
    "reset": (StoreMode.RESET, GatewayMode.SAME),
    "slow": (StoreMode.SLOW, GatewayMode.SAME),
    "truncated": (StoreMode.TRUNCATED, GatewayMode.SAME),
    "wrong-bytes": (StoreMode.WRONG_BYTES, GatewayMode.SAME),
    "up": (StoreMode.UP, GatewayMode.SAME),
}
_FAST_TRACK = {"hang-fasttrack": "hang", "409-fasttrack": "409"}
_AGENT_UNIT = "walinuxagent.service"
_MARGIN = 2.0
_LINGER, _BOOT_LINGER = 0.5, 2.0
_FORBEARANCE, _BOOT_FORBEARANCE, _CONTROL_FORBEARANCE = 2.0, 10.0, 0.5
_CONTROL_PATIENCE = 20.0
_STAND_IN = Extension(publisher="Imagebake.Proof", type="Control", version="1.0.0")


class Change(enum.StrEnum):
    """What is done to the image before it boots."""

    NOTHING = "nothing"
    STRIPPED = "without what imagebake does, and with its extensions by download"
    PLANTED = "with a planted download"


Run = Callable[[Scenario, Change], FirstBoot]
"""Puts the image, changed or not, through a scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a proof touches the world with; *run* is called from several threads at once."""

    run: Run
    progress: Progress


def demand_of(spec: ImageSpec, catalogue: Catalogue, packages: Mapping[str, str]) -> Demand:
    """What machines of *spec* must show; *packages* has the package of each unit."""
    agent = next((pin.newest for pin in spec.agents if pin.name == AGENT), "")
    known = (catalogue.components.get(pin.name) for pin in spec.agents)
    return Demand(
        image=spec.name,
        agent=agent.partition("-")[0].rpartition(":")[2],
        handlers=tuple((pin.handler, pin.version) for pin in spec.cached),
        services=tuple(service for one in known if one for service in one.services),
        budget_seconds=float(spec.proof.budget_seconds),
        packages=packages,
    )


def trials(spec: ImageSpec, demand: Demand) -> tuple[Scenario, ...]:
    """The first boots that decide, the whole boot first.

    An image without the guest agent has only that one: nothing else would run. How a goal
    state arrives makes a difference only where there is something in it.
    """
    wanted = tuple(map(_extension, spec.cached))
    patience = demand.budget_seconds + _MARGIN
    boot = Scenario(
        name=BOOT,
        means=Means.BOOT,
        store=StoreMode.BLACK_HOLE,
        goals=_goals(wanted, Source.EXTENSIONS_CONFIG),
        restart=True,
        reboot=True,
        timers=True,
        services=demand.services,
        linger=_BOOT_LINGER,
        patience=patience,
        forbearance=_BOOT_FORBEARANCE,
    )
    if not demand.agent:
        return (boot,)
    ways = [(name, name, Source.EXTENSIONS_CONFIG) for name in _DEAD]
    if wanted:
        ways += [(name, dead, Source.FAST_TRACK) for name, dead in _FAST_TRACK.items()]
    alone = (
        Scenario(
            name=name,
            means=Means.AGENT,
            store=_DEAD[dead][0],
            gateway=_DEAD[dead][1],
            goals=_goals(wanted, source),
            restart=dead in _FAST_TRACK.values(),
            linger=_LINGER,
            patience=patience,
            forbearance=_FORBEARANCE,
        )
        for name, dead, source in ways
    )
    return (boot, *alone)


def chosen(scenarios: Sequence[Scenario], name: str) -> tuple[Scenario, ...]:
    """The trial called *name*, or all for an empty name; raises `UsageError`."""
    if not name:
        return tuple(scenarios)
    found = tuple(one for one in scenarios if one.name == name)
    if not found:
        names = ", ".join(one.name for one in scenarios)
        raise UsageError(f"there is no scenario {name!r} for this image", hint=f"it has: {names}")
    return found


def prove(spec: ImageSpec, demand: Demand, wish: Wish, *, hands: Hands) -> Proof:
    """Carry out what *wish* names of the trials of *spec*, and judge it.

    With a control, the same image without imagebake's part must be caught asking; where it
    is not, a download is planted that must be.
    """
    every = trials(spec, demand)
    todo = [(one, Change.NOTHING) for one in chosen(every, wish.scenario)]
    if wish.control:
        todo.insert(1, _control(spec, demand))
    with hands.progress.step("Prove the first boot offline", total=len(todo)) as step:
        seen = _side_by_side(todo, hands.run, step)
        controls = [Control(what=change, seen=one) for one, change in seen if change in _CONTROLS]
        if wish.control and not any(one.caught for one in controls) and demand.agent:
            step.note("the control asked for nothing: planting a download")
            planted = (_planted(), Change.PLANTED)
            controls += [Control(what=planted[1], seen=seen_of(hands.run(*planted)))]
    return judge(
        demand,
        [one for one, change in seen if change is Change.NOTHING],
        wanted=tuple(one.name for one in every),
        controls=controls,
    )


_CONTROLS = (Change.STRIPPED, Change.PLANTED)


def seen_of(first: FirstBoot) -> Seen:
    """What the verdict looks at of a first boot.

    Where the agent ran alone, whatever was asked was asked by what is its unit in a boot.
    """
    agent = first.agent
    ledger = first.ledger
    if first.scenario.means is Means.AGENT:
        ledger = replace(
            ledger,
            entries=tuple(replace(one, unit=one.unit or _AGENT_UNIT) for one in ledger.entries),
        )
    return Seen(
        trial=first.scenario.name,
        means=first.scenario.means,
        provisioned=first.provisioned,
        agent=agent.version if agent else "",
        ready=bool(first.stages) and all(stage.ready for stage in first.stages),
        seconds=first.seconds,
        message="" if agent is None or agent.ready else agent.message,
        handlers=_handlers(agent),
        services=tuple(
            SeenService(
                unit=one.unit,
                enabled=one.enabled,
                active=one.active,
                state=one.state,
                unmet=one.unmet,
            )
            for one in first.services
        ),
        failed=first.failed,
        ledger=ledger,
        given_up=first.given_up,
    )


def _handlers(agent: AgentStatus | None) -> tuple[SeenHandler, ...]:
    return tuple(
        SeenHandler(
            name=one.name,
            version=one.version,
            ready=one.succeeded,
            message=one.extension_message or one.message,
        )
        for one in (agent.handlers if agent else ())
    )


def _control(spec: ImageSpec, demand: Demand) -> tuple[Scenario, Change]:
    """The image as it would be without us, on the shortest way to a failure."""
    if not demand.agent:
        return _planted(), Change.PLANTED
    asked = tuple(map(_extension, spec.extensions)) or (_STAND_IN,)
    scenario = Scenario(
        name="control",
        means=Means.AGENT,
        store=StoreMode.PUBLIC_ACCESS_DENIED,
        goals=(GoalState(extensions=asked),),
        patience=_CONTROL_PATIENCE,
        forbearance=_CONTROL_FORBEARANCE,
    )
    return scenario, Change.STRIPPED


def _planted() -> Scenario:
    return Scenario(
        name="planted",
        means=Means.BOOT,
        store=StoreMode.RESET,
        patience=_CONTROL_PATIENCE,
        forbearance=_CONTROL_FORBEARANCE,
    )


def _goals(wanted: tuple[Extension, ...], source: Source) -> tuple[GoalState, ...]:
    """First a machine without extensions, as it is created; then they are put on it."""
    if not wanted:
        return (GoalState(),)
    return (GoalState(), GoalState(extensions=wanted, source=source))


def _extension(pin: ExtensionPin) -> Extension:
    return Extension(publisher=pin.publisher, type=pin.type, version=pin.version)


def _side_by_side(
    todo: Sequence[tuple[Scenario, Change]], run: Run, step: Step
) -> list[tuple[Seen, Change]]:
    """Run everything, `SIDE_BY_SIDE` at once, and return it in the order it was given.

    The threads are daemons, so that an interrupt ends the program and every machine with it.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(todo)):
        waiting.put(number)
    done: dict[int, Seen] = {}
    failures: list[BaseException] = []

    def work() -> None:
        while not failures:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            scenario, change = todo[number]
            try:
                done[number] = seen_of(run(scenario, change))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                failures.append(error)
            step.advance(scenario.name)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(SIDE_BY_SIDE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [(done[number], change) for number, (_, change) in enumerate(todo)]
