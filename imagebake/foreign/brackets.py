"""What stands in brackets: lists, tables, loops, arguments."""

from __future__ import annotations

import abc

from imagebake.foreign.nodes import (
    Call,
    Entry,
    Field,
    Index,
    Items,
    Literal,
    Loop,
    Name,
    Node,
    Operation,
    Table,
    Unknown,
)
from imagebake.foreign.row import Row
from imagebake.foreign.tokens import BICEP, MARK, NEWLINE, NUMBER, TEXT, WORD, Token


class Brackets(Row, abc.ABC):
    """Reads what stands in brackets, and leaves the rest of an expression to who extends it."""

    @abc.abstractmethod
    def expression(self) -> Node:
        """A whole expression."""

    @abc.abstractmethod
    def text(self, token: Token) -> Node:
        """A text, with the expressions in it."""

    def index(self, node: Node) -> Node:
        """`[key]`, `[?key]`, `[*]`."""
        before = self.enter(free=True)
        if self.at_mark("?"):
            self.take()
        key = None
        if self.at_mark("*"):
            self.take()
        else:
            key = self.expression()
        self.leave("]", before)
        return Index(self.source, node.at, node, key)

    def called(self, name: Name | Field) -> Node:
        """A call; of `sys.name(…)` and `item.method(…)` the last name."""
        before = self.enter(free=True)
        arguments: list[Node] = []
        while not self.at_mark(")"):
            arguments.append(self.expression())
            if self.at_mark("..."):
                self.take()
            if not self.at_mark(","):
                break
            self.take()
        self.leave(")", before)
        return Call(self.source, name.at, name.name, tuple(arguments))

    def parenthesis(self) -> Node:
        """`(expression)`, or the arguments of a function."""
        start = self.peek().at
        if self.is_function():
            while not self.at_mark(")"):
                self.take()
            self.take()
            return self.function(start)
        before = self.enter(free=True)
        node = self.expression()
        self.leave(")", before)
        return node

    def is_function(self) -> bool:
        """Whether the parenthesis ahead has names only, and an arrow behind it."""
        count = 1
        while self.ahead(count).kind in {WORD, NEWLINE} or self.ahead(count).value == ",":
            count += 1
        closing = self.ahead(count)
        return closing.kind == MARK and closing.value == ")" and self.ahead(count + 1).value == "=>"

    def function(self, at: int) -> Node:
        """The rest of `x => body`, which nobody calls here."""
        self.expect("=>")
        self.pass_lines()
        self.expression()
        return Unknown(self.source, at, self.source.snippet(at), "it is a function")

    def sequence(self) -> Node:
        """A list, or a loop that makes one."""
        start = self.peek().at
        bicep = self.language.grammar is BICEP
        before = self.enter(free=not bicep)
        self.pass_lines()
        if self.at_word("for") and self.ahead().value != ",":
            loop = self.loop(start, keyed=False)
            self.leave("]", before)
            return loop
        items: list[Node] = []
        while not self.at_mark("]"):
            items.append(self.expression())
            if not self.separated():
                break
        self.leave("]", before)
        return Items(self.source, start, tuple(items))

    def separated(self) -> bool:
        """Pass over what separates two items; whether there was anything."""
        start = self.position
        while self.at_mark(",") or self.peek().kind == NEWLINE:
            self.take()
        return self.position > start or self.tokens[self.position - 1].kind == NEWLINE

    def table(self) -> Node:
        """An object, or Terraform's loop that makes one."""
        start = self.peek().at
        before = self.enter(free=False)
        self.pass_lines()
        if self.at_word("for") and self.ahead().kind == WORD:
            self.free = True
            loop = self.loop(start, keyed=True)
            self.leave("}", before)
            return loop
        entries: dict[str, Entry] = {}
        spread: list[Node] = []
        while not self.at_mark("}"):
            self.entry(entries, spread)
            if not self.separated():
                break
        self.leave("}", before)
        return Table(self.source, start, entries, tuple(spread))

    def entry(self, entries: dict[str, Entry], spread: list[Node]) -> None:
        """One key and its value, or what is poured in."""
        token = self.peek()
        if self.at_mark("..."):
            self.take()
            spread.append(self.expression())
            return
        self.deeper()
        name = self.key(token)
        if not self.at_mark(*self.language.gives):
            raise self.missing(repr(self.language.gives[0]))
        self.take()
        self.pass_lines()
        value = self.expression()
        self.depth -= 1
        if name is None:
            spread.append(Unknown(self.source, token.at, self.source.snippet(token.at), "its key"))
        else:
            entries[name.lower()] = Entry(token.at, name, value)

    def key(self, token: Token) -> str | None:
        """The name of an entry; None where an expression makes it."""
        if token.kind in {WORD, NUMBER}:
            self.take()
            if not self.at_mark(".", "["):
                return token.value
            while not self.at_mark(*self.language.gives) and self.peek().kind not in {
                NEWLINE,
                "end",
            }:
                self.take()
            return None
        node = self.text(self.take()) if token.kind == TEXT else self.expression()
        return str(node.value) if isinstance(node, Literal) else None

    def loop(self, start: int, *, keyed: bool) -> Node:
        """`for … in …: …`, which stands in brackets."""
        self.take()
        names = self.loop_names()
        self.pass_lines()
        if not self.at_word("in"):
            raise self.missing("'in'")
        self.take()
        self.pass_lines()
        over = self.expression()
        self.expect(":")
        self.pass_lines()
        body, key = self.expression(), None
        if keyed:
            self.pass_lines()
            self.expect("=>")
            self.pass_lines()
            body, key = self.expression(), body
            if self.at_mark("..."):
                self.take()
        self.pass_lines()
        if self.at_word("if"):
            self.take()
            condition = self.expression()
            body = Operation(self.source, body.at, "if", (condition, body))
        return Loop(self.source, start, names, over, body, key)

    def loop_names(self) -> tuple[str, ...]:
        """The names that a loop gives to what it goes over: the key, if any, and the value."""
        bracketed = self.at_mark("(")
        if bracketed:
            self.take()
        names = [self.expect_name()]
        while self.at_mark(","):
            self.take()
            names.append(self.expect_name())
        if bracketed:  # Bicep has the value first
            self.expect(")")
            names.reverse()
        return tuple(names)
