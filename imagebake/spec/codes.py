"""Diagnostic codes of specs: each has a stable id, a title and an explanation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of mistake; *explanation* says why it is refused and how to fix it."""

    id: str
    title: str
    explanation: str

    def __str__(self) -> str:
        return self.id


UNREADABLE = Code(
    "S001",
    "the file cannot be read",
    "It is missing, not a regular file, larger than 1 MiB, or this user may not read it.",
)
NOT_TEXT = Code(
    "S002",
    "the file is not plain UTF-8 text",
    "A spec is reviewed, so every character in it must be one that a reviewer sees: no other "
    "encoding, no byte order mark, no control characters, none of Unicode's invisible marks that "
    "turn the direction of writing around.",
)
INEXACT = Code(
    "S003",
    "a version is not exact",
    "A bake is repeatable because every version is exact. `latest`, ranges such as `>=2.7` and "
    "beginnings such as `2.7` mean something else tomorrow. A version that looks like a number "
    'must be in quotes: most YAML tools read `1.10` as 1.1, and `"1.10"` as it stands.',
)
SYNTAX = Code(
    "S004",
    "the file is not YAML",
    "Nothing below this place can be understood until it is mended. The usual causes are a "
    "missing space after a colon, a quote that is not closed, and indentation.",
)
TAB = Code(
    "S005",
    "a tab indents a line",
    "YAML indents by spaces, because the width of a tab is not defined.",
)
TWICE_THE_KEY = Code(
    "S006",
    "a key stands twice in one mapping",
    "YAML tools silently take one of the two values, and not all of them the same one.",
)
ALIAS = Code(
    "S007",
    "anchors, aliases and merge keys are not used here",
    "They make a reviewer look in two places. What several images share goes into an include: "
    "`extends: base/debian.yaml`.",
)
TOO_DEEP = Code(
    "S008",
    "the file is nested too deeply",
    "No spec needs more than a few levels; the limit of 64 keeps hostile files cheap.",
)
UNKNOWN_KEY = Code(
    "S009",
    "a key is not known",
    "A misspelt key would otherwise be a setting that silently does nothing.",
)
MISSING_KEY = Code(
    "S010",
    "a key is missing",
    "The key has no sensible default: neither the spec nor what it extends gives it.",
)
WRONG_KIND = Code(
    "S011",
    "a value is of the wrong kind",
    "A text stands where a list or a mapping is meant, a number where a text is meant, or "
    'nothing at all. A text that looks like a number must be in quotes: `sku: "12"`.',
)
NOT_A_CHOICE = Code(
    "S012",
    "a value is not one of the choices",
    "The choices are a closed set, spelled exactly as Azure spells them.",
)
MISSPELT = Code(
    "S013",
    "a value is not spelled as its kind is",
    "Names, digests, addresses, days and paths have a fixed spelling; what Azure or Debian would "
    "refuse hours later is refused here, and what needs no quoting cannot be quoted wrongly.",
)
OUT_OF_BOUNDS = Code(
    "S014",
    "a value is too small, too large, too short or too long",
    "The bounds are Azure's, or keep hostile files cheap.",
)
TWICE_THE_NAME = Code(
    "S015",
    "a name is given twice in one list",
    "Pins, extensions, customizers, validators and regions are known by their names. To change "
    "what an include says, name it once in the spec: the spec's entry replaces the include's.",
)
FILE_NAME = Code(
    "S016",
    "the file is not called what its image is",
    "`image_specs/NAME.yaml` holds the image NAME, so that tasks find it by name and its lock "
    "stands beside it.",
)
INCLUDE = Code(
    "S017",
    "an include cannot be followed",
    "`extends` names a file below `image_specs/`, by its path from there, such as "
    "`base/debian.yaml`; it cannot lead anywhere else.",
)
INCLUDE_LOOP = Code(
    "S018",
    "includes go round in circles, or too far",
    "A chain of includes ends somewhere, after eight files at most.",
)
PIN_KIND = Code(
    "S019",
    "a pin is of no kind, or of two",
    "A pin has exactly one of the keys `agent` (a component of the catalogue), `package` (a "
    "Debian package), `module` (a module of PowerShell, for Windows, whose package is its `file`) "
    "and `file` (a file by address and digest).",
)
TAG = Code(
    "S020",
    "YAML tags and directives are not used here",
    "A tag such as `!!float` changes what a value means without changing how it looks.",
)
DOCUMENTS = Code(
    "S021",
    "a file holds one document",
    "What stands after a second `---` would belong to another image: give it its own file.",
)
KEY_KIND = Code(
    "S022",
    "a key is not a plain text",
    "Keys are words; lists, mappings and blocks cannot be keys.",
)
TOO_MANY = Code(
    "S023",
    "the file has more mistakes than are worth showing",
    "Mend the first ones and try again; often one cause makes many.",
)

UNFIT_MODE = Code(
    "S024",
    "an extension's keys do not fit the way it is delivered",
    "`cached` needs the official zip (`package`), which the image serves to its own agent; "
    "`native` and `absent` have none. A zip that merely lies on the disk is no way of delivery: "
    "see `docs/concepts/delivery-modes.md`.",
)

KIND = Code(
    "S025",
    "a step, a source or an output is of no kind, or of two",
    "A customizer has exactly one of the keys `inline`, `script`, `upload`, `restart` and "
    "`update`; a validator one of the first three; an output one of `gallery`, `managed_image` "
    "and `vhd`; a source is `managed_image`, `gallery_version`, or publisher, offer, sku and "
    "version.",
)

ALL: tuple[Code, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Code)
)
"""Every code, in order."""


def table() -> str:
    """Return the codes as a Markdown table for the error catalogue."""
    rows = [f"| {code.id} | {code.title} | {code.explanation} |" for code in ALL]
    return (
        "\n".join(["| code | what is wrong | why, and what to do |", "|---|---|---|", *rows]) + "\n"
    )
