"""Parser of Bicep files: parameters, variables, resources and modules."""

from __future__ import annotations

from typing import NamedTuple

from imagebake.audit.languages.expressions import ExpressionParser
from imagebake.audit.languages.nodes import Literal, Node, ObjectEntry
from imagebake.audit.languages.tokens import (
    BICEP,
    BICEP_LANGUAGE,
    END,
    MARK,
    NEWLINE,
    TEXT,
    WORD,
    ParseError,
    first_at_each_offset,
    tokenize,
)
from imagebake.audit.source import SourceText
from imagebake.kernel.text.json_reader import Flaw

_STATEMENTS = frozenset(
    [
        "param",
        "var",
        "resource",
        "module",
        "output",
        "metadata",
        "targetScope",
        "type",
        "func",
        "import",
        "using",
        "provider",
        "extension",
        "assert",
        "test",
    ]
)
_MISTAKES_MAX = 10


class BicepDeclaration(NamedTuple):
    """A resource or a module; *target* is the resource's type or the module's path.

    *body* is an object, or a condition or loop around one; *children* are declared inside it.
    """

    at: int
    kind: str
    symbol: str
    target: str
    existing: bool
    body: Node
    children: tuple[BicepDeclaration, ...]


class BicepFile(NamedTuple):
    """Declarations of a file; a parameter without a default has None."""

    source: SourceText
    parameters: dict[str, Node | None]
    variables: dict[str, Node]
    declarations: tuple[BicepDeclaration, ...]
    flaws: tuple[Flaw, ...]


def parse_bicep(source: SourceText) -> BicepFile:
    """Parse *source*; a statement with a mistake is left out, the rest is parsed."""
    tokens, wrong = tokenize(source, BICEP)
    parser = _BicepParser(source, tokens, BICEP_LANGUAGE)
    cut = {error.at: Flaw(error.at, error.message) for error in wrong}
    parser.run()
    return BicepFile(
        source,
        parser.parameters,
        parser.variables,
        tuple(parser.declarations),
        first_at_each_offset(parser.flaws, cut),
    )


class _BicepParser(ExpressionParser):
    """Parser of the statements of a file."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type] # as the stream takes them
        self.parameters: dict[str, Node | None] = {}
        self.variables: dict[str, Node] = {}
        self.declarations: list[BicepDeclaration] = []
        self.flaws: list[Flaw] = []

    def run(self) -> None:
        """Parse every statement that can be parsed."""
        while True:
            self.skip_newlines()
            if self.peek().kind == END or len(self.flaws) >= _MISTAKES_MAX:
                return
            start = self.position
            try:
                self.statement()
            except ParseError as error:
                self.flaws.append(Flaw(error.at, error.message))
                self.recover(start)

    def recover(self, start: int) -> None:
        """Skip to the next line that begins a statement."""
        self.ignore_newlines, self.depth, self.position = False, 0, start + 1
        while (token := self.tokens[self.position]).kind != END:
            # A keyword inside of a line may be a name; a statement begins a line.
            begins = token.value in _STATEMENTS or token.value == "@"
            if begins and self.tokens[self.position - 1].kind == NEWLINE:
                return
            self.position += 1

    def statement(self) -> None:
        """Parse one statement; of those that create no machine, only find the end."""
        token = self.peek()
        if token.kind == MARK and token.value == "@":
            self.decorator()
            return
        if token.kind != WORD or token.value not in _STATEMENTS:
            raise ParseError(token.at, f"{token.value[:30]!r} begins no statement")
        self.take()
        if token.value in {"resource", "module"}:
            self.declarations.append(self.declaration(token.at, token.value))
        elif token.value in {"param", "var"}:
            self.binding(token.value)
        elif token.value != "output" or self.peek().kind == WORD:
            # Types have angle brackets, which are operators everywhere else.
            self.rest("([{<", ")]}>") if token.value == "type" else self.rest()
        if self.peek().kind not in {NEWLINE, END}:
            raise self.missing_error("the end of the line")

    def binding(self, kind: str) -> None:
        """Parse the rest of `param x type = default` or `var x type = value`."""
        name = self.expect_name()
        value: Node | None = None
        if self.type():
            value = Literal(self.source, self.peek().at, None)
        if self.at_mark("="):
            self.take()
            self.skip_newlines()
            value = self.expression()
        if kind == "param":
            self.parameters[name] = value
        elif value is None:
            raise self.missing_error("'='")
        else:
            self.variables[name] = value

    def type(self) -> bool:
        """Skip a type up to `=` or the end of the line; return whether it may be null."""
        depth, may_be_null = 0, False
        while (token := self.peek()).kind != END:
            if token.kind == MARK and token.value in "([{<":
                depth += 1
            elif token.kind == MARK and token.value in ")]}>":
                depth -= 1
            elif depth <= 0 and (token.kind == NEWLINE or token.value == "="):
                break
            may_be_null = token.kind == MARK and token.value == "?"
            self.take()
        return may_be_null

    def rest(self, opening: str = "([{", closing: str = ")]}") -> None:
        """Skip the rest of a statement, including lines inside of brackets."""
        depth = 0
        while (token := self.peek()).kind != END:
            if token.kind == MARK and token.value in opening:
                depth += 1
            elif token.kind == MARK and token.value in closing:
                depth -= 1
            elif token.kind == NEWLINE and depth <= 0 and not self.continues_statement():
                return
            self.take()

    def continues_statement(self) -> bool:
        """Return whether the next line cannot be a statement of its own."""
        position = self.position
        while self.tokens[position].kind == NEWLINE:
            position += 1
        token = self.tokens[position]
        return token.kind == MARK and token.value != "@"

    def decorator(self) -> None:
        """Skip `@name(…)`."""
        self.take()
        self.postfix(self.primary())

    def declaration(self, at: int, kind: str) -> BicepDeclaration:
        """Parse the rest of `resource symbol 'type@version' = …`."""
        symbol = self.expect_name()
        token = self.peek()
        if token.kind != TEXT:
            raise self.missing_error("a text that says what it is")
        target = self.text(self.take())
        existing = self.at_word("existing")
        if existing:
            self.take()
        self.expect("=")
        self.skip_newlines()
        # Nested resources are declared while the body is parsed; they belong to this declaration.
        outer, self.declarations = self.declarations, []
        try:
            body = self.expression()
        finally:
            children, self.declarations = tuple(self.declarations), outer
        name = str(target.value) if isinstance(target, Literal) else ""
        return BicepDeclaration(at, kind, symbol, name, existing, body, children)

    def entry(self, entries: dict[str, ObjectEntry], spread: list[Node]) -> None:
        """Parse a key and its value, or a resource nested in a resource."""
        token = self.peek()
        if token.kind == MARK and token.value == "@":
            self.decorator()
            return
        ahead = self.lookahead()
        if token.kind == WORD and token.value == "resource" and ahead.kind == WORD:
            self.take()
            self.declarations.append(self.declaration(token.at, token.value))
            return
        super().entry(entries, spread)
