"""Carry out an offline proof: first boots while every source of downloads is dead."""

from __future__ import annotations

import datetime as dt
import functools
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagebake.kernel.progress import Progress, Step
from imagebake.lab.boot.runner import run_scenario
from imagebake.lab.boot.scenario import FirstBoot, Scenario, StartMethod
from imagebake.lab.boot.trials import (
    ImageChange,
    apply_change,
    negative_control_of,
    planted_scenario,
    select_trials,
    trials,
)
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric_settings import FabricMachine
from imagebake.lab.fabric.status import AgentStatus
from imagebake.lab.proof_result import (
    FirstBootResult,
    HandlerResult,
    NegativeControl,
    Proof,
    ProofRequirements,
    ProofScope,
    ServiceResult,
)
from imagebake.proof.verdict import judge
from imagebake.spec.catalogue.component import Catalogue
from imagebake.spec.model.image_spec import ImageSpec

PARALLEL_BOOTS = 4
"""First boots at a time, on two processors: they mostly wait."""

AGENT = "azure-linux-agent"
"""The guest agent's name in the catalogue."""
_AGENT_UNIT = "walinuxagent.service"
RunFirstBoot = Callable[[Scenario, ImageChange], FirstBoot]
"""Runs a scenario with the image, changed or not."""


def local_runner(
    layers: Sequence[Path],
    *,
    masked: Iterable[str],
    now: Callable[[], dt.datetime],
    new_id: Callable[[], str],
) -> RunFirstBoot:
    """Return a `RunFirstBoot` for the image of *layers* on this host.

    Every call boots a machine of its own. *masked* are units that a negative control unmasks.
    """
    units = frozenset(masked)

    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        return run_scenario(
            scenario,
            layers,
            machine=FabricMachine(vm_id=new_id()),
            store=ExtensionStore(),
            now=now,
            prepare=functools.partial(apply_change, change, masked=units),
        )

    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofServices:
    """The services of a proof; *run* is called from several threads at once."""

    run: RunFirstBoot
    progress: Progress


def requirements_of(
    spec: ImageSpec, catalogue: Catalogue, packages: Mapping[str, str]
) -> ProofRequirements:
    """Return what machines of *spec* must report; *packages* names each unit's package."""
    agent = next((pin.newest for pin in spec.agents if pin.name == AGENT), "")
    known = (catalogue.components.get(pin.name) for pin in spec.agents)
    return ProofRequirements(
        image=spec.name,
        agent=agent.partition("-")[0].rpartition(":")[2],
        handlers=tuple((pin.handler, pin.version) for pin in spec.cached),
        services=tuple(
            service for component in known if component for service in component.services
        ),
        budget_seconds=float(spec.proof.budget_seconds),
        packages=packages,
    )


def prove(
    spec: ImageSpec, demand: ProofRequirements, scope: ProofScope, *, services: ProofServices
) -> Proof:
    """Carry out the trials of *spec* that are in *scope*, and judge them.

    The negative control, the same image without imagebake's part, must be caught requesting
    something; if it is not, a download is planted that must be.
    """
    every = trials(spec, demand)
    todo = [(scenario, ImageChange.NOTHING) for scenario in select_trials(every, scope.scenario)]
    if scope.control:
        # Second, so that it runs beside the whole boot, which takes longest.
        todo.insert(1, negative_control_of(spec, demand))
    with services.progress.step("Prove the first boot offline", total=len(todo)) as step:
        seen = _side_by_side(todo, services.run, step)
        controls = [
            NegativeControl(what=change, seen=result)
            for result, change in seen
            if change is not ImageChange.NOTHING
        ]
        if scope.control and not any(control.caught for control in controls) and demand.agent:
            step.note("the control asked for nothing: planting a download")
            caught = result_of(services.run(planted_scenario(), ImageChange.PLANTED))
            controls += [NegativeControl(what=ImageChange.PLANTED, seen=caught)]
    return judge(
        demand,
        [result for result, change in seen if change is ImageChange.NOTHING],
        wanted=tuple(scenario.name for scenario in every),
        controls=controls,
    )


def result_of(first: FirstBoot) -> FirstBootResult:
    """Return the part of a first boot that the verdict is about.

    If the agent ran alone, every request counts as one of the agent's unit.
    """
    agent = first.agent
    ledger = first.ledger
    if first.scenario.means is StartMethod.AGENT:
        ledger = replace(
            ledger,
            entries=tuple(
                replace(entry, unit=entry.unit or _AGENT_UNIT) for entry in ledger.entries
            ),
        )
    return FirstBootResult(
        trial=first.scenario.name,
        means=first.scenario.means,
        provisioned=first.provisioned,
        agent=agent.version if agent else "",
        ready=bool(first.stages) and all(stage.ready for stage in first.stages),
        seconds=first.seconds,
        message="" if agent is None or agent.ready else agent.message,
        handlers=_handlers(agent),
        services=tuple(
            ServiceResult(
                unit=service.unit,
                enabled=service.enabled,
                active=service.active,
                state=service.state,
                unmet=service.unmet,
            )
            for service in first.services
        ),
        failed=first.failed,
        ledger=ledger,
        given_up=first.given_up,
    )


def _handlers(agent: AgentStatus | None) -> tuple[HandlerResult, ...]:
    return tuple(
        HandlerResult(
            name=handler.name,
            version=handler.version,
            ready=handler.succeeded,
            message=handler.extension_message or handler.message,
        )
        for handler in (agent.handlers if agent else ())
    )


def _side_by_side(
    todo: Sequence[tuple[Scenario, ImageChange]], run: RunFirstBoot, step: Step
) -> list[tuple[FirstBootResult, ImageChange]]:
    """Run everything, `PARALLEL_BOOTS` at a time, and return it in the given order.

    The threads are daemons, so that an interrupt ends the program and every machine with it.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(todo)):
        waiting.put(number)
    done: dict[int, FirstBootResult] = {}
    failures: list[BaseException] = []

    def work() -> None:
        while not failures:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            scenario, change = todo[number]
            try:
                done[number] = result_of(run(scenario, change))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                failures.append(error)
            step.advance(scenario.name)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(PARALLEL_BOOTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [(done[number], change) for number, (_, change) in enumerate(todo)]
