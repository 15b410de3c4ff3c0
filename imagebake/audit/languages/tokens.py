"""Tokenizer of Bicep, HCL and ARM expressions, and the stream that parsers read tokens from."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from imagebake.audit.source import SourceText
from imagebake.kernel.text.json_reader import Flaw

TEXT_NESTING_MAX = 30
"""Limit of string literals nested in the interpolations of others."""

_MISTAKES_MAX = 10

WORD, NUMBER, TEXT, MARK, NEWLINE, END = "word", "number", "text", "mark", "newline", "end"
BAD = "bad"


class ParseError(Exception):
    """A syntax error at offset *at*; *rest* says that nothing after it can be tokenized."""

    def __init__(self, at: int, message: str, *, rest: bool = False) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.rest = rest


class Token(NamedTuple):
    """A token; a string with interpolations has *parts*: literal text and token tuples in turn."""

    kind: str
    at: int
    value: str
    parts: tuple[str | tuple[Token, ...], ...] = ()


class Grammar(NamedTuple):
    """Lexical grammar of a language.

    *main* has a named group for each kind of token. *inside* matches a stretch of a string up
    to its end or to an interpolation. *escapes* are the letters after a backslash.
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
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def tokenize(
    source: SourceText, grammar: Grammar
) -> tuple[tuple[Token, ...], tuple[ParseError, ...]]:
    """Split *source* into tokens, the last of which is `END`; return the errors as well.

    After an error it continues on the next line, up to `_MISTAKES_MAX` times, and leaves a `BAD`
    token in its place.
    """
    text, start = source.text, 0
    tokenizer = _Tokenizer(text, grammar)
    found: list[Token] = []
    wrong: list[ParseError] = []
    while len(wrong) < _MISTAKES_MAX:
        try:
            found.extend(tokenizer.tokens(start, len(text), nested=0))
            break
        except ParseError as error:
            wrong.append(error)
            found += (Token(BAD, error.at, ""), Token(NEWLINE, error.at, ""))
            if error.rest:
                break
            start = text.find("\n", error.at) + 1 or len(text)
    return (*found, Token(END, len(text), "")), tuple(wrong)


class _Tokenizer:
    """Tokenizes a text in one pass, strings in interpolations in strings included."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.text = text
        self.grammar = grammar
        self.at = 0

    def tokens(self, start: int, end: int, *, nested: int) -> Iterator[Token]:
        """Yield tokens from *start*; when *nested*, up to the brace that ends the interpolation."""
        match_at, braces, self.at = self.grammar.main.match, 0, start
        while self.at < end:
            at = self.at
            match = match_at(self.text, at, end)
            if match is None:
                # An unclosed comment reaches to the end: nothing after it can be a statement.
                raise ParseError(at, self.unexpected(at), rest=self.text.startswith("/*", at))
            kind = match.lastgroup or ""
            self.at = match.end()
            if kind == "space":
                continue
            if kind in {WORD, NUMBER, NEWLINE}:
                yield Token(kind, at, match[0])
            elif kind == MARK:
                # Objects in an interpolation have balanced braces; the first other one ends it.
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
        """Read a string of any kind."""
        if kind == "open":
            return self.pieces(at, match.end(), end, nested)
        if kind == "here":
            return self.heredoc(at, match, end, nested)
        # ARM escapes a quote by doubling it.
        if kind == "doubled":
            return Token(TEXT, at, match[kind].replace("''", "'"))
        return Token(TEXT, at, match[kind])

    def pieces(self, at: int, start: int, end: int, nested: int) -> Token:
        """Read a quoted string with escapes or interpolations."""
        parts, stop = self.parts(at, start, end, self.grammar.inside, nested)
        if stop >= end or self.text[stop] != self.grammar.quote:
            raise ParseError(at, "this text is never closed")
        self.at = stop + 1
        return _text(at, parts)

    def heredoc(self, at: int, match: re.Match[str], end: int, nested: int) -> Token:
        """Read a heredoc, up to the line that holds only its name."""
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
        """Read the parts of a string from *start*; return them and where they end."""
        if nested > TEXT_NESTING_MAX:
            raise ParseError(at, f"texts are nested more than {TEXT_NESTING_MAX} deep")
        parts: list[str | tuple[Token, ...]] = []
        while True:
            match = inside.match(self.text, start, end)
            start = match.end() if match else start
            if match and match[0]:
                # Heredocs have no backslash escapes.
                heredoc = inside is _HERE
                parts.append(_unescaped(match[0], self.grammar, backslash=not heredoc))
            if self.text[start : start + 2] not in {"${", "%{"} or start + 2 > end:
                return parts, start
            parts.append(tuple(self.tokens(start + 2, end, nested=nested + 1)))
            start = self.at

    def unexpected(self, at: int) -> str:
        """Return the message for a character that begins no token."""
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
            return (
                chr(number)
                if number <= _LAST_CODE_POINT and number not in _SURROGATES
                else "\ufffd"
            )
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
"""Precedence of each operator; a higher one binds more strongly."""

_CONTINUATIONS = frozenset(
    {"??", "||", "&&", "==", "!=", "=~", "!~", ">", ">=", "<=", "?", ".", ".?"}
)
"""Operators that continue a Bicep expression when they begin a line."""


class LanguageSyntax(NamedTuple):
    """Syntax that differs between the languages: tokens, and what stands between key and value."""

    grammar: Grammar
    separators: tuple[str, ...]


ARM_LANGUAGE = LanguageSyntax(ARM, ())
BICEP_LANGUAGE = LanguageSyntax(BICEP, (":",))
HCL_LANGUAGE = LanguageSyntax(HCL, ("=", ":"))


class TokenStream:
    """The tokens of a text and the reading position.

    Line ends are skipped while *ignore_newlines* is set, as it is inside of brackets.
    """

    def __init__(
        self, source: SourceText, tokens: tuple[Token, ...], language: LanguageSyntax
    ) -> None:
        self.source = source
        self.tokens = tokens
        self.language = language
        self.position = 0
        self.ignore_newlines = False
        self.depth = 0

    def peek(self) -> Token:
        """Return the next token without consuming it."""
        token = self.tokens[self.position]
        if self.ignore_newlines and token.kind == NEWLINE:
            self.skip_newlines()
            return self.tokens[self.position]
        return token

    def lookahead(self, count: int = 1) -> Token:
        """Return the token *count* further on, line ends counted."""
        return self.tokens[min(self.position + count, len(self.tokens) - 1)]

    def take(self) -> Token:
        """Consume and return the next token; the end is never consumed."""
        token = self.peek()
        if token.kind != END:
            self.position += 1
        return token

    def skip_newlines(self) -> None:
        """Skip line ends."""
        while self.tokens[self.position].kind == NEWLINE:
            self.position += 1

    def at_mark(self, *values: str) -> bool:
        """Return whether one of the punctuation marks *values* is next."""
        token = self.peek()
        return token.kind == MARK and token.value in values

    def at_word(self, value: str) -> bool:
        """Return whether the word *value* is next."""
        token = self.peek()
        return token.kind == "word" and token.value == value

    def expect(self, value: str) -> Token:
        """Consume the punctuation mark *value*; raises `ParseError` where another token is next."""
        if not self.at_mark(value):
            raise self.missing_error(repr(value))
        return self.take()

    def expect_name(self) -> str:
        """Consume and return a word."""
        if self.peek().kind != "word":
            raise self.missing_error("a name")
        return self.take().value

    def missing_error(self, what: str) -> ParseError:
        """Return the error that *what* is missing before the next token."""
        token = self.peek()
        return ParseError(token.at, f"{what} is missing before {describe_token(token)}")

    def continues(self, *values: str) -> bool:
        """Return whether a mark of *values* is next, in Bicep perhaps on the next line."""
        token = self.peek()
        if token.kind == MARK:
            return token.value in values
        if token.kind != NEWLINE or self.language.grammar is not BICEP:
            return False
        position = self.position
        while self.tokens[position].kind == NEWLINE:
            position += 1
        token = self.tokens[position]
        if token.kind == MARK and token.value in values and token.value in _CONTINUATIONS:
            self.position = position
            return True
        return False

    def enter(self, *, ignore_newlines: bool) -> bool:
        """Consume an opening bracket; return the state that `leave` restores."""
        before = self.ignore_newlines
        self.take()
        self.ignore_newlines = ignore_newlines
        return before

    def leave(self, closing: str, before: bool) -> None:  # noqa: FBT001 - what `enter` returned
        """Consume the closing bracket."""
        self.skip_newlines()
        token = self.tokens[self.position]
        if token.kind != MARK or token.value != closing:
            raise self.missing_error(repr(closing))
        self.position += 1
        self.ignore_newlines = before

    def descend(self) -> None:
        """Count one nesting level more; raises `ParseError` beyond the limit."""
        self.depth += 1
        if self.depth > EXPRESSION_NESTING_MAX:
            raise ParseError(
                self.peek().at, f"this is nested more than {EXPRESSION_NESTING_MAX} deep"
            )


def describe_token(token: Token) -> str:
    """Describe *token* for an error message."""
    if token.kind == END:
        return "the end"
    if token.kind == NEWLINE:
        return "the end of the line"
    if token.kind == "bad":
        return "what cannot be read"
    return "a text" if token.kind == "text" else repr(token.value[:30])


def first_at_each_offset(flaws: list[Flaw], preferred: dict[int, Flaw]) -> tuple[Flaw, ...]:
    """Return one flaw for each offset, in order; *preferred* flaws replace others."""
    return tuple(sorted(({flaw.at: flaw for flaw in reversed(flaws)} | preferred).values()))
