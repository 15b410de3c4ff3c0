"""Lazy tasks: `tasks.py` names the commands, and a command's signature declares its flags."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from imagebake.cli.boundary import boundary
from imagebake.cli.task_reference import TaskHelp
from imagebake.kernel.flags import Flag, Injected, Word

SERVICES = {"heartbeats": "imagebake.heartbeat.history_report:read_heartbeats"}
"""Services that commands of packages above theirs ask for by the name of an injected parameter."""

_CONTEXT = inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY)
_VALUES = {str: " TEXT", int: " NUMBER", tuple: " TEXT"}


@dataclass(frozen=True, slots=True)
class Option:
    """One flag of a command: the *parameter* that it sets, and how people give it."""

    parameter: str
    flag: Flag
    default: Any

    @property
    def name(self) -> str:
        """The flag as people type it, without its dashes."""
        return self.flag.name or self.parameter.replace("_", "-")

    @property
    def repeated(self) -> bool:
        """Whether the flag may be given more than once."""
        return isinstance(self.default, tuple)

    @property
    def invoke_parameter(self) -> inspect.Parameter:
        """The flag as a parameter of a function that invoke could read."""
        default = None if self.repeated else False if self.flag.inverse else self.default
        return inspect.Parameter(
            self.name.replace("-", "_"), inspect.Parameter.KEYWORD_ONLY, default=default
        )

    def argument(self, value: Any) -> Any:  # noqa: ANN401 - as the flag has it
        """Return the argument of the command for invoke's *value*."""
        if self.repeated:
            return tuple(value or ())
        return not value if self.flag.inverse else value


class LazyTask(Task[Any]):
    """A task of invoke whose command is imported when the task is on the command line.

    *argv* is the command line, and that of the process where it is None.
    """

    argv: Sequence[str] | None = None

    def __init__(self, name: str, location: str, summary: str) -> None:
        self.location = location
        self.summary = summary

        def run(context: object, /, **given: Any) -> None:  # noqa: ANN401 - as flags have it
            del context
            with boundary():
                # The command is called here and not in a helper: every frame between the command
                # line and the SDK is one more in a traceback.
                if code := self.command(**self._arguments(given)):
                    raise Exit(code=code)

        run.__doc__ = summary
        # Invoke takes a parameter without a default for a word that must be given: () says none.
        super().__init__(run, name=name, positional=())

    @functools.cached_property
    def command(self) -> Any:  # noqa: ANN401 - a function with any signature
        """The function that carries the task out; it returns an exit code, or None for 0."""
        return load(self.location)

    @functools.cached_property
    def options(self) -> tuple[Option, ...]:
        """The flags of the command, in the order of its signature."""
        parameters = inspect.signature(self.command).parameters
        return tuple(
            Option(name, marker, parameters[name].default)
            for name, marker in self._markers.items()
            if isinstance(marker, Flag)
        )

    @functools.cached_property
    def _markers(self) -> dict[str, Flag | Injected]:
        """The marker of every parameter of the command."""
        hints = typing.get_type_hints(self.command, include_extras=True)
        return {
            name: typing.get_args(hints[name])[1]
            for name in inspect.signature(self.command).parameters
        }

    @property
    def words(self) -> tuple[str, ...]:
        """The flags whose value may stand without them, in order."""
        return tuple(option.name for option in self.options if isinstance(option.flag, Word))

    @property
    def actions(self) -> tuple[str, ...]:
        """Values of the first word that are not the tasks of the same name."""
        return tuple(
            action
            for option in self.options
            if isinstance(option.flag, Word)
            for action in option.flag.actions
        )

    @property
    def takes_rest(self) -> bool:
        """Whether the last word takes all words that are left on the command line."""
        return any(option.repeated and option.name in self.words[-1:] for option in self.options)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: FBT001 - as invoke has it
        """Return the flags for invoke's parser; none where the task is not asked for."""
        argv = sys.argv if self.argv is None else self.argv
        # The end of a word, because `--help=bake` and `-hbake` ask for the flags of bake as well.
        if not any(word.endswith(self.name) for word in argv):
            return []
        parameters = [_CONTEXT, *(option.invoke_parameter for option in self.options)]
        self.body.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        # Invoke takes the texts out of the dictionary while it reads them.
        self.help = {option.name: option.flag.help for option in self.options}
        self.iterable = [option.invoke_parameter.name for option in self.options if option.repeated]
        return super().get_arguments(ignore_unknown_help)

    def described(self) -> TaskHelp:
        """The task for its reference page."""
        rows = []
        for option in self.options:
            value = _VALUES.get(type(option.default), "")
            rows.append((f"--{option.name}{value}", option.flag.help))
        words = (*self.words[:-1], f"{self.words[-1]}…") if self.takes_rest else self.words
        return TaskHelp(self.name, self.summary, words, tuple(rows))

    def _arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        arguments = {
            option.parameter: option.argument(given[option.invoke_parameter.name])
            for option in self.options
        }
        services = {
            name: load(SERVICES[name])
            for name, marker in self._markers.items()
            if isinstance(marker, Injected)
        }
        return arguments | services


def collect(rows: Iterable[tuple[str, str, str]]) -> Collection:
    """Make invoke's collection of *rows*: name, location of the command, summary."""
    collection = Collection()
    for row in rows:
        collection.add_task(LazyTask(*row))
    return collection


def load_tasks() -> dict[str, LazyTask]:
    """Return the tasks of the clone's `tasks.py`, or of the wheel's, in its order."""
    here = Path(__file__).resolve().parents[1]
    path = next(p for p in (here / "tasks.py", here.parent / "tasks.py") if p.is_file())
    spec = importlib.util.spec_from_file_location("tasks", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.namespace.tasks)


def load(location: str) -> Any:  # noqa: ANN401 - whatever it names
    """Import the module of `module:name`, and return the object."""
    module, _, name = location.partition(":")
    return getattr(importlib.import_module(module), name)
