"""The command line: invoke's program with our exit codes, and words that may be left out."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from imagebake.cli.registry import LazyTask, load_tasks
from imagebake.kernel.version import VERSION

USAGE = 2


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
        self.namespace = Collection()
        for task in load_tasks().values():
            task.argv = self.argv
            self.namespace.add_task(task)
        super().parse_collection()

    def parse_tasks(self) -> None:
        """Parse the tasks and their flags, after naming the words that have none."""
        with _usage():
            contexts = self._make_parser().contexts
            tasks = self.collection.tasks
            self.core.unparsed[:] = name_words(self.core.unparsed, contexts, tasks)
            super().parse_tasks()


def name_words(
    argv: Sequence[str], contexts: Mapping[str, Any], tasks: Mapping[str, LazyTask]
) -> list[str]:
    """Put the flag before every word that a task takes without it.

    `bake debian-12-base` becomes `bake --image=debian-12-base`. A word after `--`, and the
    value of a flag, stay as they are. *contexts* are those of invoke's parser, by task.
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
            actions, many = tasks[token].actions, tasks[token].takes_rest
            context, words = contexts[token], list(tasks[token].words)
            free = words
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


class OwnConfig(Config):
    """Invoke's defaults, which no file or variable of another project changes."""

    def load_base_conf_files(self) -> None:
        """Read nothing: the home directory may not even be ours to enter."""

    def load_project(self, merge: bool = True) -> None:  # noqa: FBT001, FBT002 - as invoke has it
        """Read nothing."""

    def load_runtime(self, merge: bool = True) -> None:  # noqa: FBT001, FBT002 - as above
        """Read nothing."""

    def load_shell_env(self) -> None:
        """Read nothing."""


def main() -> None:
    """Run the command line; `./inv` and the console script call this."""
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
