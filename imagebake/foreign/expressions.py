"""Expressions of ARM, Bicep and Terraform: close enough to one another to be read by one hand."""

from __future__ import annotations

from imagebake.foreign.brackets import Brackets
from imagebake.foreign.nodes import (
    Field,
    Index,
    Literal,
    Name,
    Node,
    Operation,
    Pieces,
    Plain,
    Unknown,
)
from imagebake.foreign.row import ARM_LANGUAGE, STRENGTH, named
from imagebake.foreign.source import Source
from imagebake.foreign.tokens import (
    ARM,
    BICEP,
    END,
    MARK,
    NUMBER,
    TEXT,
    WORD,
    Malformed,
    Token,
    tokens_of,
)

_CONSTANTS: dict[str, Plain] = {"true": True, "false": False, "null": None}
_DIRECTIVES = frozenset({"if", "else", "endif", "for", "endfor"})


def read_expression(source: Source, at: int, text: str) -> Node:
    """The expression of an ARM template that *text* is, its brackets left out.

    All of it is said to stand at *at*. Raises `Malformed`.
    """
    tokens, wrong = tokens_of(Source("", text), ARM)
    if wrong:
        raise Malformed(at, wrong[0].message)
    parser = Parser(source, tuple(token._replace(at=at) for token in tokens), ARM_LANGUAGE)
    node = parser.expression()
    if parser.peek().kind != END:
        raise Malformed(at, f"{named(parser.peek())} cannot stand in this expression")
    return node


class Parser(Brackets):
    """Reads expressions off a row of tokens; raises `Malformed` where there is none."""

    def expression(self) -> Node:
        """A whole expression."""
        self.deeper()
        node = self.binary(1)
        if self.continues("?"):
            node = self.choice(node)
        self.depth -= 1
        return node

    def choice(self, condition: Node) -> Node:
        """The rest of `condition ? yes : no`."""
        at = self.take().at
        self.pass_lines()
        yes = self.expression()
        self.pass_lines()
        self.expect(":")
        self.pass_lines()
        no = self.expression()
        return Operation(self.source, at, "?:", (condition, yes, no))

    def binary(self, weakest: int) -> Node:
        """Operators that bind at least as strongly as *weakest*."""
        left = self.unary()
        while self.continues(*STRENGTH):
            operator = self.peek().value
            strength = STRENGTH[operator]
            if strength < weakest:
                return left
            self.take()
            self.pass_lines()
            right = self.binary(strength + 1)
            left = Operation(self.source, left.at, operator, (left, right))
        return left

    def unary(self) -> Node:
        """`!x`, `-x`, or what has neither."""
        if not self.at_mark("!", "-", "..."):
            return self.postfix(self.primary())
        self.deeper()
        mark = self.take()
        node = Operation(self.source, mark.at, mark.value, (self.unary(),))
        self.depth -= 1
        return node

    def postfix(self, node: Node) -> Node:
        """Everything that is asked of a value: fields, indexes."""
        while True:
            if self.continues(".", ".?", "::"):
                node = self.field(node)
            elif self.at_mark("["):
                node = self.index(node)
            elif self.at_mark("!") and self.language.grammar is BICEP:
                self.take()
            else:
                return node

    def field(self, node: Node) -> Node:
        """`.name`, `.0`, `.*`, `.name(…)`."""
        self.take()
        if self.at_mark("*"):
            self.take()
            return Index(self.source, node.at, node, None)
        if self.peek().kind not in {WORD, NUMBER}:
            raise self.missing("a name")
        found = Field(self.source, node.at, node, self.take().value)
        return self.called(found) if self.at_mark("(") else found

    def primary(self) -> Node:
        """A value, a name, a call, or something in brackets."""
        token = self.peek()
        if token.kind == TEXT:
            return self.text(self.take())
        if token.kind == NUMBER:
            return Literal(self.source, self.take().at, _number(token.value))
        if token.kind == WORD:
            return self.word(self.take())
        if token.kind == MARK and token.value in "([{":
            return {"(": self.parenthesis, "[": self.sequence, "{": self.table}[token.value]()
        raise self.missing("a value")

    def text(self, token: Token) -> Node:
        """A text, with the expressions in it."""
        if not token.parts:
            return Literal(self.source, token.at, token.value)
        return Pieces(self.source, token.at, tuple(self.piece(token, part) for part in token.parts))

    def piece(self, token: Token, part: str | tuple[Token, ...]) -> Node:
        """A piece of a text; a directive of Terraform's is nobody's value."""
        if isinstance(part, str):
            return Literal(self.source, token.at, part)
        at = part[0].at if part else token.at
        if not part or (part[0].kind == WORD and part[0].value in _DIRECTIVES):
            return Unknown(self.source, at, self.source.snippet(at), "it is a directive")
        inner = Parser(self.source, (*part, Token(END, part[-1].at, "")), self.language)
        inner.free, inner.depth = True, self.depth
        if inner.at_mark("~"):
            inner.take()
        node = inner.expression()
        if inner.peek().kind != END and not inner.at_mark("~"):
            raise Malformed(inner.peek().at, f"{named(inner.peek())} cannot stand here")
        return node

    def word(self, token: Token) -> Node:
        """A constant, a name, a call, or a function of one argument."""
        name = Name(self.source, token.at, token.value)
        if token.value == "if" and self.language.grammar is BICEP and self.at_mark("("):
            condition = self.parenthesis()
            self.pass_lines()
            return Operation(self.source, token.at, "if", (condition, self.expression()))
        if self.at_mark("("):
            return self.called(name)
        if self.at_mark("=>") and self.language.grammar is BICEP:
            return self.function(token.at)
        if token.value in _CONSTANTS:
            return Literal(self.source, token.at, _CONSTANTS[token.value])
        return name


def _number(text: str) -> Plain:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else float(text)  # noqa: PLR2004 - 64 bits
