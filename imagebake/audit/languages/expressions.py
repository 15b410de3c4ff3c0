"""Expressions of ARM, Bicep and Terraform: close enough to one another to be read by one hand."""

from __future__ import annotations

import abc

from imagebake.audit.languages.nodes import (
    ForExpression,
    FunctionCall,
    Identifier,
    IndexAccess,
    Interpolation,
    ListValue,
    Literal,
    MemberAccess,
    Node,
    ObjectEntry,
    ObjectValue,
    OperatorExpression,
    Scalar,
    UnknownValue,
)
from imagebake.audit.languages.tokens import (
    ARM,
    ARM_LANGUAGE,
    BICEP,
    END,
    MARK,
    NEWLINE,
    NUMBER,
    PRECEDENCE,
    TEXT,
    WORD,
    ParseError,
    Token,
    TokenStream,
    describe_token,
    tokenize,
)
from imagebake.audit.source import SourceText


class BracketParser(TokenStream, abc.ABC):
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
        return IndexAccess(self.source, node.at, node, key)

    def called(self, name: Identifier | MemberAccess) -> Node:
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
        return FunctionCall(self.source, name.at, name.name, tuple(arguments))

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
        return UnknownValue(self.source, at, self.source.snippet(at), "it is a function")

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
        return ListValue(self.source, start, tuple(items))

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
        entries: dict[str, ObjectEntry] = {}
        spread: list[Node] = []
        while not self.at_mark("}"):
            self.entry(entries, spread)
            if not self.separated():
                break
        self.leave("}", before)
        return ObjectValue(self.source, start, entries, tuple(spread))

    def entry(self, entries: dict[str, ObjectEntry], spread: list[Node]) -> None:
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
            spread.append(
                UnknownValue(self.source, token.at, self.source.snippet(token.at), "its key")
            )
        else:
            entries[name.lower()] = ObjectEntry(token.at, name, value)

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
            body = OperatorExpression(self.source, body.at, "if", (condition, body))
        return ForExpression(self.source, start, names, over, body, key)

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


_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_DIRECTIVES = frozenset({"if", "else", "endif", "for", "endfor"})


def parse_expression(source: SourceText, at: int, text: str) -> Node:
    """The expression of an ARM template that *text* is, its brackets left out.

    All of it is said to stand at *at*. Raises `ParseError`.
    """
    tokens, wrong = tokenize(SourceText("", text), ARM)
    if wrong:
        raise ParseError(at, wrong[0].message)
    parser = ExpressionParser(
        source, tuple(token._replace(at=at) for token in tokens), ARM_LANGUAGE
    )
    node = parser.expression()
    if parser.peek().kind != END:
        raise ParseError(at, f"{describe_token(parser.peek())} cannot stand in this expression")
    return node


class ExpressionParser(BracketParser):
    """Reads expressions off a row of tokens; raises `ParseError` where there is none."""

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
        return OperatorExpression(self.source, at, "?:", (condition, yes, no))

    def binary(self, weakest: int) -> Node:
        """Operators that bind at least as strongly as *weakest*."""
        left = self.unary()
        while self.continues(*PRECEDENCE):
            operator = self.peek().value
            strength = PRECEDENCE[operator]
            if strength < weakest:
                return left
            self.take()
            self.pass_lines()
            right = self.binary(strength + 1)
            left = OperatorExpression(self.source, left.at, operator, (left, right))
        return left

    def unary(self) -> Node:
        """`!x`, `-x`, or what has neither."""
        if not self.at_mark("!", "-", "..."):
            return self.postfix(self.primary())
        self.deeper()
        mark = self.take()
        node = OperatorExpression(self.source, mark.at, mark.value, (self.unary(),))
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
            return IndexAccess(self.source, node.at, node, None)
        if self.peek().kind not in {WORD, NUMBER}:
            raise self.missing("a name")
        found = MemberAccess(self.source, node.at, node, self.take().value)
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
        return Interpolation(
            self.source, token.at, tuple(self.piece(token, part) for part in token.parts)
        )

    def piece(self, token: Token, part: str | tuple[Token, ...]) -> Node:
        """A piece of a text; a directive of Terraform's is nobody's value."""
        if isinstance(part, str):
            return Literal(self.source, token.at, part)
        at = part[0].at if part else token.at
        if not part or (part[0].kind == WORD and part[0].value in _DIRECTIVES):
            return UnknownValue(self.source, at, self.source.snippet(at), "it is a directive")
        inner = ExpressionParser(self.source, (*part, Token(END, part[-1].at, "")), self.language)
        inner.free, inner.depth = True, self.depth
        if inner.at_mark("~"):
            inner.take()
        node = inner.expression()
        if inner.peek().kind != END and not inner.at_mark("~"):
            raise ParseError(inner.peek().at, f"{describe_token(inner.peek())} cannot stand here")
        return node

    def word(self, token: Token) -> Node:
        """A constant, a name, a call, or a function of one argument."""
        name = Identifier(self.source, token.at, token.value)
        if token.value == "if" and self.language.grammar is BICEP and self.at_mark("("):
            condition = self.parenthesis()
            self.pass_lines()
            return OperatorExpression(self.source, token.at, "if", (condition, self.expression()))
        if self.at_mark("("):
            return self.called(name)
        if self.at_mark("=>") and self.language.grammar is BICEP:
            return self.function(token.at)
        if token.value in _CONSTANTS:
            return Literal(self.source, token.at, _CONSTANTS[token.value])
        return name


def _number(text: str) -> Scalar:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else float(text)  # noqa: PLR2004 - 64 bits
