"""Prove that an image provisions while everything that it could download from is dead."""

from __future__ import annotations

import datetime as dt
import functools
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagebake.kernel.progress import Progress, Step
from imagebake.lab.boot.negative_control import apply
from imagebake.lab.boot.runner import run_scenario
from imagebake.lab.boot.scenario import FirstBoot, Means, Scenario
from imagebake.lab.boot.trials import Change, chosen, control_of, planted, trials
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.plan import Machine
from imagebake.lab.fabric.status import AgentStatus
from imagebake.lab.proof_result import Control, Demand, Proof, Seen, SeenHandler, SeenService, Wish
from imagebake.proof.verdict import judge
from imagebake.spec.catalogue.component import Catalogue
from imagebake.spec.model.image_spec import ImageSpec

SIDE_BY_SIDE = 4
"""First boots at once, on two processors: most of their time they wait."""

AGENT = "azure-linux-agent"
"""The guest agent's name in the catalogue."""
_AGENT_UNIT = "walinuxagent.service"
Run = Callable[[Scenario, Change], FirstBoot]
"""Puts the image, changed or not, through a scenario."""


def run_here(
    layers: Sequence[Path],
    *,
    masked: Iterable[str],
    now: Callable[[], dt.datetime],
    new_id: Callable[[], str],
) -> Run:
    """A `Run` on this machine with the image of *layers*; each has a machine of its own.

    *masked* are the units that a control lets start again.
    """
    units = frozenset(masked)

    def run(scenario: Scenario, change: Change) -> FirstBoot:
        return run_scenario(
            scenario,
            layers,
            machine=Machine(vm_id=new_id()),
            store=ExtensionStore(),
            now=now,
            prepare=functools.partial(apply, change, masked=units),
        )

    return run


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


def prove(spec: ImageSpec, demand: Demand, wish: Wish, *, hands: Hands) -> Proof:
    """Carry out what *wish* names of the trials of *spec*, and judge it.

    With a control, the same image without imagebake's part must be caught asking; where it
    is not, a download is planted that must be.
    """
    every = trials(spec, demand)
    todo = [(one, Change.NOTHING) for one in chosen(every, wish.scenario)]
    if wish.control:
        todo.insert(1, control_of(spec, demand))
    with hands.progress.step("Prove the first boot offline", total=len(todo)) as step:
        seen = _side_by_side(todo, hands.run, step)
        controls = [
            Control(what=change, seen=one) for one, change in seen if change is not Change.NOTHING
        ]
        if wish.control and not any(one.caught for one in controls) and demand.agent:
            step.note("the control asked for nothing: planting a download")
            caught = seen_of(hands.run(planted(), Change.PLANTED))
            controls += [Control(what=Change.PLANTED, seen=caught)]
    return judge(
        demand,
        [one for one, change in seen if change is Change.NOTHING],
        wanted=tuple(one.name for one in every),
        controls=controls,
    )


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
