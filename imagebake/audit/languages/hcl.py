"""Parser of HCL, Terraform's language: attributes and nested blocks."""

from __future__ import annotations

from typing import NamedTuple

from imagebake.audit.languages.expressions import ExpressionParser
from imagebake.audit.languages.nodes import Literal, ObjectEntry
from imagebake.audit.languages.tokens import (
    BAD,
    END,
    HCL,
    HCL_LANGUAGE,
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

_MISTAKES_MAX = 10


class HclBlock(NamedTuple):
    """`kind "label" "label" { attributes and blocks }`."""

    at: int
    kind: str
    labels: tuple[str, ...]
    attributes: dict[str, ObjectEntry]
    blocks: tuple[HclBlock, ...]

    def inner(self, kind: str) -> tuple[HclBlock, ...]:
        """Return the nested blocks of type *kind*."""
        return tuple(block for block in self.blocks if block.kind == kind)


class HclFile(NamedTuple):
    """Attributes and blocks at the top level of a file."""

    source: SourceText
    attributes: dict[str, ObjectEntry]
    blocks: tuple[HclBlock, ...]
    flaws: tuple[Flaw, ...]


def parse_hcl(source: SourceText) -> HclFile:
    """Parse *source*; a statement with a mistake is left out, the rest is parsed."""
    tokens, wrong = tokenize(source, HCL)
    parser = _HclParser(source, tokens, HCL_LANGUAGE)
    cut = {error.at: Flaw(error.at, error.message) for error in wrong}
    attributes, blocks = parser.body("", 0)
    return HclFile(source, attributes, blocks, first_at_each_offset(parser.flaws, cut))


class _HclParser(ExpressionParser):
    """Parser of the bodies of blocks."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type] # as the stream takes them
        self.flaws: list[Flaw] = []

    def body(self, kind: str, start: int) -> tuple[dict[str, ObjectEntry], tuple[HclBlock, ...]]:
        """Parse attributes and blocks up to the closing brace or the end of the file."""
        attributes: dict[str, ObjectEntry] = {}
        blocks: list[HclBlock] = []
        while len(self.flaws) < _MISTAKES_MAX:
            self.skip_newlines()
            token = self.peek()
            if token.kind == END:
                # After a bad token the missing brace is a consequence, and is not reported again.
                if kind and self.tokens[self.position - 2].kind != BAD:
                    line = self.source.position(start)[0]
                    self.flaws.append(
                        Flaw(token.at, f"the text ends inside {kind!r} of line {line}")
                    )
                break
            if token.kind == MARK and token.value == "}" and kind:
                break
            before, depth = self.position, self.depth
            try:
                self.statement(attributes, blocks)
            except ParseError as error:
                self.flaws.append(Flaw(error.at, error.message))
                self.ignore_newlines, self.depth, self.position = False, depth, before
                self.recover()
        return attributes, tuple(blocks)

    def statement(self, attributes: dict[str, ObjectEntry], blocks: list[HclBlock]) -> None:
        """Parse `name = value`, or a block."""
        token = self.peek()
        if token.kind not in {WORD, TEXT}:
            raise ParseError(token.at, f"{token.value[:30]!r} begins neither attribute nor block")
        self.take()
        if self.at_mark("=", ":"):
            self.take()
            # HCL is case-sensitive; lower case is the key that ARM's members have here.
            attributes[token.value.lower()] = ObjectEntry(token.at, token.value, self.expression())
            if self.at_mark(","):
                self.take()
        else:
            blocks.append(self.block(token.at, token.value))
        if self.peek().kind not in {NEWLINE, END} and not self.at_mark("}"):
            raise self.missing_error("the end of the line")

    def block(self, at: int, kind: str) -> HclBlock:
        """Parse the rest of a block."""
        labels: list[str] = []
        while self.peek().kind in {WORD, TEXT}:
            token = self.take()
            label = self.text(token) if token.kind == TEXT else None
            plain = isinstance(label, Literal) or label is None
            labels.append(token.value if plain else self.source.snippet(token.at))
        self.expect("{")
        self.descend()
        attributes, blocks = self.body(kind, at)
        self.depth -= 1
        if self.at_mark("}"):
            self.take()
        return HclBlock(at, kind, tuple(labels), attributes, blocks)

    def recover(self) -> None:
        """Skip to the end of the statement: of its line, or of the braces that it opens."""
        depth = 0
        while (token := self.tokens[self.position]).kind != END:
            if token.kind == MARK and token.value in "{[(":
                depth += 1
            elif token.kind == MARK and token.value in "}])":
                if not depth:
                    return
                depth -= 1
            elif token.kind == NEWLINE and not depth:
                return
            self.position += 1
