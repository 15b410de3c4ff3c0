"""The tasks that have been declared, for the command line and for their own reference page."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imagebake.cli.task_reference import TaskHelp


@dataclass(frozen=True, slots=True)
class Declared:
    """One task: its function, the words it takes without a flag, and a help text a flag.

    *actions* are words that are its own even where another task is called so.
    *many* are the flags that may be given several times; where the last word is one of them,
    it takes all the words that are left.
    """

    name: str
    body: Callable[..., None]
    words: tuple[str, ...]
    help: Mapping[str, str]
    actions: tuple[str, ...] = ()
    many: tuple[str, ...] = ()

    def described(self) -> TaskHelp:
        """The task for its reference page."""
        summary = (inspect.getdoc(self.body) or "").strip()
        options = []
        for parameter in list(inspect.signature(self.body).parameters.values())[1:]:
            name = parameter.name.replace("_", "-")
            value = {str: " TEXT", int: " NUMBER", type(None): " TEXT"}.get(
                type(parameter.default), ""
            )
            options.append((f"--{name}{value}", self.help.get(name, "")))
        words = (*self.words[:-1], f"{self.words[-1]}…") if self.many else self.words
        return TaskHelp(self.name, summary, words, tuple(options))


declared: dict[str, Declared] = {}
"""By name, in the order of `tasks.py`."""
