"""A row of tokens that is read from left to right."""

from __future__ import annotations

from typing import NamedTuple

from imagebake.audit.languages.tokens import (
    ARM,
    BICEP,
    END,
    HCL,
    MARK,
    NEWLINE,
    Grammar,
    Malformed,
    Token,
)
from imagebake.audit.source import Source

DEEPEST = 40
STRENGTH = {
    "??": 1,
    "||": 2,
    "&&": 3,
    **dict.fromkeys(("==", "!=", "=~", "!~"), 4),
    **dict.fromkeys(("<", "<=", ">", ">="), 5),
    **dict.fromkeys(("+", "-"), 6),
    **dict.fromkeys(("*", "/", "%"), 7),
}
"""How strongly each operator binds."""

_GOES_ON = frozenset({"??", "||", "&&", "==", "!=", "=~", "!~", ">", ">=", "<=", "?", ".", ".?"})
"""What continues an expression of Bicep at the beginning of a line."""


class Language(NamedTuple):
    """What differs between the languages: how they are cut, and what gives a key its value."""

    grammar: Grammar
    gives: tuple[str, ...]


ARM_LANGUAGE = Language(ARM, ())
BICEP_LANGUAGE = Language(BICEP, (":",))
HCL_LANGUAGE = Language(HCL, ("=", ":"))


class Row:
    """The tokens of a text, and how far they have been read.

    Line ends mean nothing while the row is *free*, which it is inside of brackets.
    """

    def __init__(self, source: Source, tokens: tuple[Token, ...], language: Language) -> None:
        self.source = source
        self.tokens = tokens
        self.language = language
        self.position = 0
        self.free = False
        self.depth = 0

    def peek(self) -> Token:
        """The next token; where line ends mean nothing, the next that is none."""
        token = self.tokens[self.position]
        if self.free and token.kind == NEWLINE:
            self.pass_lines()
            return self.tokens[self.position]
        return token

    def ahead(self, count: int = 1) -> Token:
        """The token *count* further on, line ends counted."""
        return self.tokens[min(self.position + count, len(self.tokens) - 1)]

    def take(self) -> Token:
        """The next token, passed over; the end is never passed."""
        token = self.peek()
        if token.kind != END:
            self.position += 1
        return token

    def pass_lines(self) -> None:
        """Pass over line ends."""
        while self.tokens[self.position].kind == NEWLINE:
            self.position += 1

    def at_mark(self, *values: str) -> bool:
        """Whether one of the marks is next."""
        token = self.peek()
        return token.kind == MARK and token.value in values

    def at_word(self, value: str) -> bool:
        """Whether the word *value* is next."""
        token = self.peek()
        return token.kind == "word" and token.value == value

    def expect(self, value: str) -> Token:
        """Pass over the mark *value*."""
        if not self.at_mark(value):
            raise self.missing(repr(value))
        return self.take()

    def expect_name(self) -> str:
        """Pass over a word, and return it."""
        if self.peek().kind != "word":
            raise self.missing("a name")
        return self.take().value

    def missing(self, what: str) -> Malformed:
        """The complaint that *what* is not what comes next."""
        token = self.peek()
        return Malformed(token.at, f"{what} is missing before {named(token)}")

    def continues(self, *values: str) -> bool:
        """Whether a mark of *values* is next, in Bicep perhaps at the start of another line."""
        token = self.peek()
        if token.kind == MARK:
            return token.value in values
        if token.kind != NEWLINE or self.language.grammar is not BICEP:
            return False
        position = self.position
        while self.tokens[position].kind == NEWLINE:
            position += 1
        token = self.tokens[position]
        if token.kind == MARK and token.value in values and token.value in _GOES_ON:
            self.position = position
            return True
        return False

    def enter(self, *, free: bool) -> bool:
        """Pass over an opening bracket; what is returned goes to `leave`."""
        before = self.free
        self.take()
        self.free = free
        return before

    def leave(self, closing: str, before: bool) -> None:  # noqa: FBT001 - what `enter` returned
        """Pass over the closing bracket."""
        self.pass_lines()
        token = self.tokens[self.position]
        if token.kind != MARK or token.value != closing:
            raise self.missing(repr(closing))
        self.position += 1
        self.free = before

    def deeper(self) -> None:
        """Count one level more; raises `Malformed` where nobody writes any deeper."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise Malformed(self.peek().at, f"this is nested more than {DEEPEST} deep")


def named(token: Token) -> str:
    """What a complaint calls *token*."""
    if token.kind == END:
        return "the end"
    if token.kind == NEWLINE:
        return "the end of the line"
    if token.kind == "bad":
        return "what cannot be read"
    return "a text" if token.kind == "text" else repr(token.value[:30])
