"""From the text of a language to its words: one way of cutting for all three of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from imagebake.audit.source import Source

DEEPEST = 30
"""So many texts may stand inside the expressions of texts."""

_MISTAKES = 10

WORD, NUMBER, TEXT, MARK, NEWLINE, END = "word", "number", "text", "mark", "newline", "end"
BAD = "bad"


class Malformed(Exception):
    """A text that is not in its language, at an offset; perhaps all the *rest* of it is not."""

    def __init__(self, at: int, message: str, *, rest: bool = False) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.rest = rest


class Token(NamedTuple):
    """A word of a language; of a text with expressions in it, *parts* are its pieces."""

    kind: str
    at: int
    value: str
    parts: tuple[str | tuple[Token, ...], ...] = ()


class Grammar(NamedTuple):
    """How a language is cut.

    *main* has a named group for each kind; *inside* matches a stretch of a text up to its
    end or an expression in it; *escapes* are spelled with a backslash.
    """

    main: re.Pattern[str]
    inside: re.Pattern[str]
    quote: str
    escapes: dict[str, str]


_MARKS = r"\.\.\.|\.\?|\?\?|=>|&&|\|\||==|!=|=~|!~|<=|>=|::|[{}\[\]():,.=?!<>+\-*/%|@&^;~]"

BICEP = Grammar(
    re.compile(
        r"(?P<space>[ \t\ufeff\xa0]+|//[^\r\n]*|/\*(?s:.*?)\*/|\#[^\r\n]*)"
        r"|(?P<newline>\r?\n|\r)"
        r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
        r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
        r"|\$*'''(?:\r?\n)?(?P<block>(?s:.*?))'''(?!')"
        r"|'(?P<text>[^'\\$\r\n]*)'"
        r"|(?P<open>')"
        rf"|(?P<mark>{_MARKS})"
    ),
    re.compile(r"(?:[^'\\$\r\n]+|\\[^\r\n]|\$(?!\{))*"),
    "'",
    {"n": "\n", "r": "\r", "t": "\t"},
)

HCL = Grammar(
    re.compile(
        r"(?P<space>[ \t\ufeff]+|//[^\r\n]*|/\*(?s:.*?)\*/|\#[^\r\n]*)"
        r"|(?P<newline>\r?\n|\r)"
        r"|(?P<word>[A-Za-z_][A-Za-z0-9_-]*)"
        r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
        r'|"(?P<text>[^"\\$%\r\n]*)"'
        r'|(?P<open>")'
        r"|<<(?P<here>-?[A-Za-z_][A-Za-z0-9_-]*)[ \t]*\r?\n"
        rf"|(?P<mark>{_MARKS})"
    ),
    re.compile(r'(?:[^"\\$%\r\n]+|\\[^\r\n]|\$\$\{|%%\{|[$%](?!\{))*'),
    '"',
    {"n": "\n", "r": "\r", "t": "\t"},
)

ARM = Grammar(
    re.compile(
        r"(?P<space>[\s\ufeff]+)|(?P<newline>(?!))"
        r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
        r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
        r"|'(?P<doubled>[^']*(?:''[^']*)*)'"
        r"|(?P<mark>\.\?|[\[\](),.?])"
    ),
    re.compile(""),
    "'",
    {},
)
_HERE = re.compile(r"(?:[^$%]+|\$\$\{|%%\{|[$%](?!\{))*")
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|(.))|([$%])\4\{", re.DOTALL)
_LAST = 0x10FFFF
_HALF = range(0xD800, 0xE000)


def tokens_of(source: Source, grammar: Grammar) -> tuple[tuple[Token, ...], tuple[Malformed, ...]]:
    """Every word of *source*, the end last, and what cannot be cut.

    After a mistake it goes on with the next line, a few times; what cannot be cut is a bad
    token.
    """
    text, start = source.text, 0
    cutter = _Cutter(text, grammar)
    found: list[Token] = []
    wrong: list[Malformed] = []
    while len(wrong) < _MISTAKES:
        try:
            found.extend(cutter.tokens(start, len(text), nested=0))
            break
        except Malformed as error:
            wrong.append(error)
            found += (Token(BAD, error.at, ""), Token(NEWLINE, error.at, ""))
            if error.rest:
                break
            start = text.find("\n", error.at) + 1 or len(text)
    return (*found, Token(END, len(text), "")), tuple(wrong)


class _Cutter:
    """Cuts one text; texts in expressions in texts are cut once, however deep they are."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.text = text
        self.grammar = grammar
        self.at = 0

    def tokens(self, start: int, end: int, *, nested: int) -> Iterator[Token]:
        """The words from *start*; when *nested*, up to the brace that closes the expression."""
        match_at, braces, self.at = self.grammar.main.match, 0, start
        while self.at < end:
            at = self.at
            match = match_at(self.text, at, end)
            if match is None:
                raise Malformed(at, self.strange(at), rest=self.text.startswith("/*", at))
            kind = match.lastgroup or ""
            self.at = match.end()
            if kind == "space":
                continue
            if kind in {WORD, NUMBER, NEWLINE}:
                yield Token(kind, at, match[0])
            elif kind == MARK:
                if nested and match[0] in "{}":
                    if match[0] == "}" and not braces:
                        return
                    braces += 1 if match[0] == "{" else -1
                yield Token(MARK, at, match[0])
            else:
                yield self.literal(at, kind, match, end, nested)
        if nested:
            raise Malformed(start, "this expression in a text is never closed")

    def literal(self, at: int, kind: str, match: re.Match[str], end: int, nested: int) -> Token:
        """A text of whichever kind."""
        if kind == "open":
            return self.pieces(at, match.end(), end, nested)
        if kind == "here":
            return self.heredoc(at, match, end, nested)
        if kind == "doubled":
            return Token(TEXT, at, match[kind].replace("''", "'"))
        return Token(TEXT, at, match[kind])

    def pieces(self, at: int, start: int, end: int, nested: int) -> Token:
        """A text in quotes that has escapes or expressions in it."""
        parts, stop = self.parts(at, start, end, self.grammar.inside, nested)
        if stop >= end or self.text[stop] != self.grammar.quote:
            raise Malformed(at, "this text is never closed")
        self.at = stop + 1
        return _text(at, parts)

    def heredoc(self, at: int, match: re.Match[str], end: int, nested: int) -> Token:
        """A text over several lines, up to the line that has its name alone."""
        name = match["here"].lstrip("-")
        closing = _closing(name).search(self.text, match.end(), end)
        if closing is None:
            message = f"this text is never closed: no line says {name} alone"
            raise Malformed(at, message, rest=True)
        parts, stop = self.parts(at, match.end(), closing.start(), _HERE, nested)
        if stop < closing.start():
            raise Malformed(stop, "this cannot stand in a text")
        self.at = closing.end()
        return _text(at, parts)

    def parts(
        self, at: int, start: int, end: int, inside: re.Pattern[str], nested: int
    ) -> tuple[list[str | tuple[Token, ...]], int]:
        """The pieces of a text from *start*, and where it stopped."""
        if nested > DEEPEST:
            raise Malformed(at, f"texts are nested more than {DEEPEST} deep")
        parts: list[str | tuple[Token, ...]] = []
        while True:
            match = inside.match(self.text, start, end)
            start = match.end() if match else start
            if match and match[0]:
                heredoc = inside is _HERE
                parts.append(_unescaped(match[0], self.grammar, backslash=not heredoc))
            if self.text[start : start + 2] not in {"${", "%{"} or start + 2 > end:
                return parts, start
            parts.append(tuple(self.tokens(start + 2, end, nested=nested + 1)))
            start = self.at

    def strange(self, at: int) -> str:
        """What is wrong where no word begins."""
        if self.text.startswith("/*", at):
            return "this comment is never closed"
        return f"{self.text[at]!r} cannot stand here"


@functools.lru_cache(maxsize=64)
def _closing(name: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*$", re.MULTILINE)


def _text(at: int, parts: list[str | tuple[Token, ...]]) -> Token:
    if not parts:
        return Token(TEXT, at, "")
    if len(parts) == 1 and isinstance(parts[0], str):
        return Token(TEXT, at, parts[0])
    return Token(TEXT, at, "", tuple(parts))


def _unescaped(text: str, grammar: Grammar, *, backslash: bool) -> str:
    if "\\" not in text and "${" not in text and "%{" not in text:
        return text

    def plain(match: re.Match[str]) -> str:
        if match[4]:
            return f"{match[4]}{{"
        if not backslash:
            return match[0]
        if digits := match[1] or match[2]:
            number = int(digits, 16)
            return chr(number) if number <= _LAST and number not in _HALF else "\ufffd"
        return grammar.escapes.get(match[3], match[3])

    return _ESCAPE.sub(plain, text)
