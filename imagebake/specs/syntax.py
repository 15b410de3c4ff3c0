"""PyYAML's own complaints in words that help."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.specs import codes
from imagebake.specs.nodes import Place

_ANGLES = re.compile(r"'?<([a-z ]+)>'?")


@dataclass(frozen=True, slots=True)
class _Cause:
    """A complaint that begins as *problem* does; *at_start* when the opening place says more."""

    problem: str
    message: str
    hint: str
    at_start: bool = False


_CAUSES = (
    _Cause(
        "could not find expected ':'",
        "this line is neither a key with its ':' nor part of a value",
        "write 'key: value', with a space after the colon",
        at_start=True,
    ),
    _Cause(
        "found unexpected end of stream",
        "this quote is not closed",
        "close it, or take both quotes away",
        at_start=True,
    ),
    _Cause(
        "found unexpected document separator",
        "this quote is not closed",
        "close it, or take both quotes away",
        at_start=True,
    ),
    _Cause("expected ',' or ']'", "this '[' is not closed", "close it with ']'", at_start=True),
    _Cause("expected ',' or '}'", "this '{' is not closed", "close it with '}'", at_start=True),
    _Cause(
        "expected <block end>",
        "this line is not indented as the lines that it belongs to",
        "give the keys of one mapping, and the items of one list, the same indentation",
    ),
    _Cause(
        "sequence entries are not allowed here",
        "a list cannot begin here",
        "begin it in a line of its own",
    ),
    _Cause(
        "block sequence entries are not allowed",
        "a list cannot begin here",
        "begin it in a line of its own",
    ),
    _Cause(
        "found unknown escape character",
        "a backslash in double quotes begins an escape, and this is none",
        "use single quotes, in which a backslash is a backslash",
    ),
    _Cause(
        "expected '<document start>'",
        "the document has ended above this line",
        "take the '...' away",
    ),
    _Cause(
        "expected the node content",
        "a value is missing here",
        "write it, or take the line away",
    ),
)
_CANNOT_START = re.compile(r"found character (.+) that cannot start any token", re.DOTALL)


def explain(error: yaml.YAMLError, here: Place) -> Diagnostic:
    """The diagnostic for *error*; *here* is where the scanner stood."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return here.complaint(codes.SYNTAX, "this is not YAML")
    problem = error.problem or "this is not YAML"
    place = _place(here, error.problem_mark)
    if match := _CANNOT_START.match(problem):
        if match[1] == r"'\t'":
            return place.complaint(codes.TAB, "a tab stands between two words", "use spaces")
        message = f"an unquoted value cannot begin with {match[1]}"
        return place.complaint(codes.SYNTAX, message, "put the value in quotes")
    if problem == "mapping values are not allowed here":
        return _misplaced_colon(place)
    for cause in _CAUSES:
        if problem.startswith(cause.problem):
            if cause.at_start:
                place = _place(here, error.context_mark or error.problem_mark)
            return place.complaint(codes.SYNTAX, cause.message, cause.hint)
    context = f"{error.context}: " if error.context else ""
    return place.complaint(codes.SYNTAX, _ANGLES.sub(r"\1", f"{context}{problem}"))


def _misplaced_colon(place: Place) -> Diagnostic:
    """Say why a mapping cannot begin at the colon that *place* is."""
    if ": " in place.source.line(place.line)[: place.column - 1]:
        return place.complaint(
            codes.SYNTAX, "a value cannot hold a ': '", "put the whole value in quotes"
        )
    return place.complaint(
        codes.SYNTAX,
        "a mapping cannot begin here: this line continues the value above it",
        "mend the indentation, or the line above",
    )


def _place(here: Place, mark: yaml.Mark | None) -> Place:
    if mark is None:
        return here
    lines = max(1, len(here.source.lines))
    line = min(mark.line + 1, lines)
    column = mark.column + 1 if mark.line + 1 <= lines else 1
    return Place(here.source, line, column)
