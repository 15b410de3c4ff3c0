"""From the text of a language to its words: one way of cutting for all three of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from imagebake.audit.source import SourceText

TEXT_NESTING_MAX = 30
"""So many texts may stand inside the expressions of texts."""

_MISTAKES = 10

WORD, NUMBER, TEXT, MARK, NEWLINE, END = "word", "number", "text", "mark", "newline", "end"
BAD = "bad"


class ParseError(Exception):
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


def tokenize(
    source: SourceText, grammar: Grammar
) -> tuple[tuple[Token, ...], tuple[ParseError, ...]]:
    """Every word of *source*, the end last, and what cannot be cut.

    After a mistake it goes on with the next line, a few times; what cannot be cut is a bad
    token.
    """
    text, start = source.text, 0
    cutter = _Cutter(text, grammar)
    found: list[Token] = []
    wrong: list[ParseError] = []
    while len(wrong) < _MISTAKES:
        try:
            found.extend(cutter.tokens(start, len(text), nested=0))
            break
        except ParseError as error:
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
                raise ParseError(at, self.strange(at), rest=self.text.startswith("/*", at))
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
            raise ParseError(start, "this expression in a text is never closed")

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
            raise ParseError(at, "this text is never closed")
        self.at = stop + 1
        return _text(at, parts)

    def heredoc(self, at: int, match: re.Match[str], end: int, nested: int) -> Token:
        """A text over several lines, up to the line that has its name alone."""
        name = match["here"].lstrip("-")
        closing = _closing(name).search(self.text, match.end(), end)
        if closing is None:
            message = f"this text is never closed: no line says {name} alone"
            raise ParseError(at, message, rest=True)
        parts, stop = self.parts(at, match.end(), closing.start(), _HERE, nested)
        if stop < closing.start():
            raise ParseError(stop, "this cannot stand in a text")
        self.at = closing.end()
        return _text(at, parts)

    def parts(
        self, at: int, start: int, end: int, inside: re.Pattern[str], nested: int
    ) -> tuple[list[str | tuple[Token, ...]], int]:
        """The pieces of a text from *start*, and where it stopped."""
        if nested > TEXT_NESTING_MAX:
            raise ParseError(at, f"texts are nested more than {TEXT_NESTING_MAX} deep")
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


EXPRESSION_NESTING_MAX = 40
PRECEDENCE = {
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


class LanguageSyntax(NamedTuple):
    """What differs between the languages: how they are cut, and what gives a key its value."""

    grammar: Grammar
    gives: tuple[str, ...]


ARM_LANGUAGE = LanguageSyntax(ARM, ())
BICEP_LANGUAGE = LanguageSyntax(BICEP, (":",))
HCL_LANGUAGE = LanguageSyntax(HCL, ("=", ":"))


class TokenStream:
    """The tokens of a text, and how far they have been read.

    Line ends mean nothing while the row is *free*, which it is inside of brackets.
    """

    def __init__(
        self, source: SourceText, tokens: tuple[Token, ...], language: LanguageSyntax
    ) -> None:
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

    def missing(self, what: str) -> ParseError:
        """The complaint that *what* is not what comes next."""
        token = self.peek()
        return ParseError(token.at, f"{what} is missing before {describe_token(token)}")

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
        """Count one level more; raises `ParseError` where nobody writes any deeper."""
        self.depth += 1
        if self.depth > EXPRESSION_NESTING_MAX:
            raise ParseError(
                self.peek().at, f"this is nested more than {EXPRESSION_NESTING_MAX} deep"
            )


def describe_token(token: Token) -> str:
    """What a complaint calls *token*."""
    if token.kind == END:
        return "the end"
    if token.kind == NEWLINE:
        return "the end of the line"
    if token.kind == "bad":
        return "what cannot be read"
    return "a text" if token.kind == "text" else repr(token.value[:30])
