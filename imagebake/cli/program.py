"""The command line: invoke's program with our exit codes, and words that may be left out."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.tasks import task as invoke_task

from imagebake.cli.boundary import boundary
from imagebake.cli.registry import Declared, declared
from imagebake.kernel.version import VERSION

USAGE = 2


def task(
    *,
    words: Sequence[str] = (),
    actions: Sequence[str] = (),
    help: Mapping[str, str],  # noqa: A002 - as invoke calls it
    many: Sequence[str] = (),
) -> Callable[..., Any]:
    """Make an invoke task whose failures end at the boundary below.

    *words* names the parameters that may be given without a flag, in order. Invoke itself
    knows only words that must be given; `TaskProgram` lets these be left out as well.
    *actions* are first words that are the task's own even where another task is called so. *many*
    names those flags that may be given more than once; a last word among them takes all that
    are left.
    """

    def decorate(body: Callable[..., None]) -> Any:  # noqa: ANN401 - invoke's own type is generic
        @functools.wraps(body)
        def run(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as the body takes them
            with boundary():
                body(*arguments, **options)

        name = body.__name__.rstrip("_")
        declared[name] = Declared(name, body, tuple(words), help, tuple(actions), tuple(many))
        return invoke_task(name=name, help=dict(help), iterable=list(many))(run)

    return decorate


class TaskProgram(Program):
    """Invoke's program with our exit codes, and with words that may be left out."""

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse the flags before the first task; a wrong one is a usage error."""
        with _usage():
            super().parse_core(argv)
        # Invoke turns this off for everybody; our modules start faster with it on.
        sys.dont_write_bytecode = False

    def parse_collection(self) -> None:
        """Use the tasks of the clone, or those shipped in the wheel."""
        self.namespace = Collection.from_module(_tasks_module())
        super().parse_collection()

    def parse_tasks(self) -> None:
        """Parse the tasks and their flags, after naming the words that have none."""
        with _usage():
            contexts = self._make_parser().contexts
            self.core.unparsed[:] = name_words(self.core.unparsed, contexts)
            super().parse_tasks()

    @functools.cache  # noqa: B019 - one program lives as long as the process
    def _make_parser(self) -> Any:  # noqa: ANN401 - invoke's parser
        # Making a parser takes the help texts out of the tasks: a second one has none.
        return super()._make_parser()


def name_words(argv: Sequence[str], contexts: Mapping[str, Any]) -> list[str]:
    """Put the flag before every word that a task takes without one.

    `bake debian-12-base` becomes `bake --image=debian-12-base`. A word after `--`, and the
    value of a flag, stay as they are.
    """
    named: list[str] = []
    context: Any = None
    words: list[str] = []
    free: list[str] = []
    actions: tuple[str, ...] = ()
    many = value_next = False
    for position, token in enumerate(argv):
        if token == "--":
            return named + list(argv[position:])
        if value_next:
            value_next = False
        elif token.startswith("-"):
            flag = context.flags.get(token) if context else None
            value_next = bool(flag and flag.takes_value and "=" not in token)
        elif token in contexts and not (free and free == words and token in actions):
            actions = declared[token].actions
            context, words = contexts[token], list(declared[token].words)
            free = words
            many = bool(free) and free[-1] in declared[token].many
        elif free:
            named.append(f"--{free[0]}={token}")
            free = free if many and len(free) == 1 else free[1:]
            continue
        named.append(token)
    return named


@contextlib.contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except (ParseError, ValueError) as error:
        print(f"error: {error}\n  = hint: ./inv --list, ./inv --help TASK", file=sys.stderr)
        raise Exit(code=USAGE) from None


def _tasks_module() -> Any:  # noqa: ANN401 - a module
    here = Path(__file__).resolve().parents[1]
    path = next(p for p in (here / "tasks.py", here.parent / "tasks.py") if p.is_file())
    spec = importlib.util.spec_from_file_location("tasks", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class OwnConfig(Config):
    """Invoke's configuration as it is: no file or variable of another project changes us."""

    def load_base_conf_files(self) -> None:
        """Read nothing: the home directory may not even be ours to enter."""

    def load_project(self, merge: bool = True) -> None:  # noqa: FBT001, FBT002 - as invoke has it
        """Read nothing."""

    def load_runtime(self, merge: bool = True) -> None:  # noqa: FBT001, FBT002 - as above
        """Read nothing."""

    def load_shell_env(self) -> None:
        """Read nothing."""


def main() -> None:
    """Run the command line; what `./inv` and the console script start."""
    program = TaskProgram(
        name="imagebake",
        binary="inv",
        binary_names=["inv", "imagebake"],
        version=VERSION,
        config_class=OwnConfig,
    )
    # A command reads thousands of values that live as long as it does: to look through them for
    # rubbish time and again would take a fifth of its time.
    gc.set_threshold(100_000, 20, 100)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as for Ctrl-C
    try:
        program.run()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the pipe has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
