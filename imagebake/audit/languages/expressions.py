"""Parser of the expressions of ARM, Bicep and Terraform, which are alike but for their syntax."""

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
    """Parser of everything in brackets; a subclass parses whole expressions."""

    @abc.abstractmethod
    def expression(self) -> Node:
        """Parse a whole expression."""

    @abc.abstractmethod
    def text(self, token: Token) -> Node:
        """Parse a string token with its interpolations."""

    def index(self, node: Node) -> Node:
        """Parse `[key]`, `[?key]` or `[*]`."""
        before = self.enter(ignore_newlines=True)
        if self.at_mark("?"):
            self.take()
        key = None
        if self.at_mark("*"):
            self.take()
        else:
            key = self.expression()
        self.leave("]", before)
        return IndexAccess(self.source, node.at, node, key)

    def function_call(self, name: Identifier | MemberAccess) -> Node:
        """Parse a call; of `sys.name(…)` and `item.method(…)` only the last name is kept."""
        before = self.enter(ignore_newlines=True)
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
        """Parse `(expression)`, or a lambda with its parameters."""
        start = self.peek().at
        if self.is_lambda():
            while not self.at_mark(")"):
                self.take()
            self.take()
            return self.lambda_body(start)
        before = self.enter(ignore_newlines=True)
        node = self.expression()
        self.leave(")", before)
        return node

    def is_lambda(self) -> bool:
        """Return whether the parenthesis holds only names and an arrow follows it."""
        count = 1
        while self.lookahead(count).kind in {WORD, NEWLINE} or self.lookahead(count).value == ",":
            count += 1
        closing = self.lookahead(count)
        return (
            closing.kind == MARK
            and closing.value == ")"
            and self.lookahead(count + 1).value == "=>"
        )

    def lambda_body(self, at: int) -> Node:
        """Parse the rest of `x => body`; its value stays unknown, as no call is evaluated."""
        self.expect("=>")
        self.skip_newlines()
        self.expression()
        return UnknownValue(self.source, at, self.source.snippet(at), "it is a function")

    def list_or_loop(self) -> Node:
        """Parse a list, or a loop that makes one."""
        start = self.peek().at
        bicep = self.language.grammar is BICEP
        before = self.enter(ignore_newlines=not bicep)
        self.skip_newlines()
        if self.at_word("for") and self.lookahead().value != ",":
            loop = self.loop(start, keyed=False)
            self.leave("]", before)
            return loop
        items: list[Node] = []
        while not self.at_mark("]"):
            items.append(self.expression())
            if not self.skip_separators():
                break
        self.leave("]", before)
        return ListValue(self.source, start, tuple(items))

    def skip_separators(self) -> bool:
        """Skip commas and line ends; return whether there were any."""
        start = self.position
        while self.at_mark(",") or self.peek().kind == NEWLINE:
            self.take()
        return self.position > start or self.tokens[self.position - 1].kind == NEWLINE

    def object(self) -> Node:
        """Parse an object, or a Terraform loop that makes one."""
        start = self.peek().at
        before = self.enter(ignore_newlines=False)
        self.skip_newlines()
        if self.at_word("for") and self.lookahead().kind == WORD:
            self.ignore_newlines = True
            loop = self.loop(start, keyed=True)
            self.leave("}", before)
            return loop
        entries: dict[str, ObjectEntry] = {}
        spread: list[Node] = []
        while not self.at_mark("}"):
            self.entry(entries, spread)
            if not self.skip_separators():
                break
        self.leave("}", before)
        return ObjectValue(self.source, start, entries, tuple(spread))

    def entry(self, entries: dict[str, ObjectEntry], spread: list[Node]) -> None:
        """Parse one key and its value, or a spread."""
        token = self.peek()
        if self.at_mark("..."):
            self.take()
            spread.append(self.expression())
            return
        self.descend()
        name = self.key(token)
        if not self.at_mark(*self.language.separators):
            raise self.missing_error(repr(self.language.separators[0]))
        self.take()
        self.skip_newlines()
        value = self.expression()
        self.depth -= 1
        if name is None:
            spread.append(
                UnknownValue(self.source, token.at, self.source.snippet(token.at), "its key")
            )
        else:
            entries[name.lower()] = ObjectEntry(token.at, name, value)

    def key(self, token: Token) -> str | None:
        """Parse the key of an entry; None where an expression computes it."""
        if token.kind in {WORD, NUMBER}:
            self.take()
            if not self.at_mark(".", "["):
                return token.value
            while not self.at_mark(*self.language.separators) and self.peek().kind not in {
                NEWLINE,
                "end",
            }:
                self.take()
            return None
        node = self.text(self.take()) if token.kind == TEXT else self.expression()
        return str(node.value) if isinstance(node, Literal) else None

    def loop(self, start: int, *, keyed: bool) -> Node:
        """Parse `for … in …: …` inside of brackets."""
        self.take()
        names = self.loop_names()
        self.skip_newlines()
        if not self.at_word("in"):
            raise self.missing_error("'in'")
        self.take()
        self.skip_newlines()
        over = self.expression()
        self.expect(":")
        self.skip_newlines()
        body, key = self.expression(), None
        if keyed:
            self.skip_newlines()
            self.expect("=>")
            self.skip_newlines()
            body, key = self.expression(), body
            if self.at_mark("..."):
                self.take()
        self.skip_newlines()
        if self.at_word("if"):
            self.take()
            condition = self.expression()
            body = OperatorExpression(self.source, body.at, "if", (condition, body))
        return ForExpression(self.source, start, names, over, body, key)

    def loop_names(self) -> tuple[str, ...]:
        """Parse the loop's variables: the key, if any, and the value."""
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
    """Parse *text*, an ARM expression without its brackets; raises `ParseError`.

    Every node gets the position *at*, that of the string that it was written in.
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
    """Parser of expressions; raises `ParseError` where there is none."""

    def expression(self) -> Node:
        """Parse a whole expression."""
        self.descend()
        node = self.binary(1)
        if self.continues("?"):
            node = self.choice(node)
        self.depth -= 1
        return node

    def choice(self, condition: Node) -> Node:
        """Parse the rest of `condition ? yes : no`."""
        at = self.take().at
        self.skip_newlines()
        yes = self.expression()
        self.skip_newlines()
        self.expect(":")
        self.skip_newlines()
        no = self.expression()
        return OperatorExpression(self.source, at, "?:", (condition, yes, no))

    def binary(self, weakest: int) -> Node:
        """Parse binary operators of at least the precedence *weakest*."""
        left = self.unary()
        while self.continues(*PRECEDENCE):
            operator = self.peek().value
            strength = PRECEDENCE[operator]
            if strength < weakest:
                return left
            self.take()
            self.skip_newlines()
            right = self.binary(strength + 1)
            left = OperatorExpression(self.source, left.at, operator, (left, right))
        return left

    def unary(self) -> Node:
        """Parse `!x`, `-x`, or an operand without either."""
        if not self.at_mark("!", "-", "..."):
            return self.postfix(self.primary())
        self.descend()
        mark = self.take()
        node = OperatorExpression(self.source, mark.at, mark.value, (self.unary(),))
        self.depth -= 1
        return node

    def postfix(self, node: Node) -> Node:
        """Parse member accesses and indexes after a value."""
        while True:
            if self.continues(".", ".?", "::"):
                node = self.member_access(node)
            elif self.at_mark("["):
                node = self.index(node)
            elif self.at_mark("!") and self.language.grammar is BICEP:
                self.take()
            else:
                return node

    def member_access(self, node: Node) -> Node:
        """Parse `.name`, `.0`, `.*` or `.name(…)`."""
        self.take()
        if self.at_mark("*"):
            self.take()
            return IndexAccess(self.source, node.at, node, None)
        if self.peek().kind not in {WORD, NUMBER}:
            raise self.missing_error("a name")
        found = MemberAccess(self.source, node.at, node, self.take().value)
        return self.function_call(found) if self.at_mark("(") else found

    def primary(self) -> Node:
        """Parse a literal, a name, a call, or something in brackets."""
        token = self.peek()
        if token.kind == TEXT:
            return self.text(self.take())
        if token.kind == NUMBER:
            return Literal(self.source, self.take().at, _number(token.value))
        if token.kind == WORD:
            return self.word(self.take())
        if token.kind == MARK and token.value in "([{":
            return {"(": self.parenthesis, "[": self.list_or_loop, "{": self.object}[token.value]()
        raise self.missing_error("a value")

    def text(self, token: Token) -> Node:
        """Parse a string token with its interpolations."""
        if not token.parts:
            return Literal(self.source, token.at, token.value)
        return Interpolation(
            self.source, token.at, tuple(self.piece(token, part) for part in token.parts)
        )

    def piece(self, token: Token, part: str | tuple[Token, ...]) -> Node:
        """Parse one part of a string; a directive such as `%{ if … }` is unknown."""
        if isinstance(part, str):
            return Literal(self.source, token.at, part)
        at = part[0].at if part else token.at
        if not part or (part[0].kind == WORD and part[0].value in _DIRECTIVES):
            return UnknownValue(self.source, at, self.source.snippet(at), "it is a directive")
        inner = ExpressionParser(self.source, (*part, Token(END, part[-1].at, "")), self.language)
        inner.ignore_newlines, inner.depth = True, self.depth
        if inner.at_mark("~"):
            inner.take()
        node = inner.expression()
        if inner.peek().kind != END and not inner.at_mark("~"):
            raise ParseError(inner.peek().at, f"{describe_token(inner.peek())} cannot stand here")
        return node

    def word(self, token: Token) -> Node:
        """Parse a constant, a name, a call, or a lambda of one parameter."""
        name = Identifier(self.source, token.at, token.value)
        if token.value == "if" and self.language.grammar is BICEP and self.at_mark("("):
            condition = self.parenthesis()
            self.skip_newlines()
            return OperatorExpression(self.source, token.at, "if", (condition, self.expression()))
        if self.at_mark("("):
            return self.function_call(name)
        if self.at_mark("=>") and self.language.grammar is BICEP:
            return self.lambda_body(token.at)
        if token.value in _CONSTANTS:
            return Literal(self.source, token.at, _CONSTANTS[token.value])
        return name


def _number(text: str) -> Scalar:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else float(text)  # noqa: PLR2004 - 64 bits
