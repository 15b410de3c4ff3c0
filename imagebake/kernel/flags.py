"""Markers in a command's signature: how each parameter is given on the command line.

    def gate(*, as_json: Annotated[bool, JSON] = False) -> None:

The registry of tasks reads them. A command is a plain function otherwise: it can be called with
ordinary arguments, and its defaults are those of its flags.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag with its help text; *name* is what people type, without dashes in front.

    Where *name* is empty the parameter's own name is the flag's. An *inverse* flag is typed to
    turn off what is on by default: `--no-proof` sets `prove` to False. A parameter whose default
    is a tuple may be given more than once.
    """

    help: str
    name: str = ""
    inverse: bool = False


@dataclass(frozen=True, slots=True)
class Word(Flag):
    """A flag whose value may also stand on the command line without the flag, in order.

    *actions* are values of a first word that are meant even where a task has the same name:
    `./inv mirror verify` does not run the task `verify`.
    """

    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Injected:
    """A service that the command line passes; there is no flag for it.

    It lets a command use a service of a package below its own, which it may not import.
    """


# Texts of flags that several commands have in common.
IMAGE = "an image: the name of a spec in image_specs/"
ANY_IMAGE = f"{IMAGE} (default: all)"
VERSION = "IMAGE@VERSION, or IMAGE for its newest"
HELD = "IMAGE@VERSION, or IMAGE for all of its versions"
OVERRIDE = "why a freeze or an incident is overruled; it is recorded"
EXPECT = "with --apply: the digest of the plan that was agreed to"
REFRESH = "ask every source again, however fresh its last answer is"

EVERY = Flag("every image", name="all")
JSON = Flag("print JSON for programs", name="json")
