"""Expressions of the three languages come to what their own tools say they do."""

from __future__ import annotations

import pytest

from imagebake.audit.languages.arm import ArmScope
from imagebake.audit.languages.bicep import parse_bicep
from imagebake.audit.languages.bicep_resources import BicepScope
from imagebake.audit.languages.evaluate import evaluate
from imagebake.audit.languages.hcl import parse_hcl
from imagebake.audit.languages.nodes import (
    ListValue,
    Literal,
    Node,
    ObjectValue,
    OneOf,
    UnknownValue,
    lookup,
    read_json,
)
from imagebake.audit.languages.terraform_scope import TerraformScope
from imagebake.audit.library import TemplateLibrary
from imagebake.audit.source import SourceText
from tests.audit.conftest import TextFiles


def nothing() -> TemplateLibrary:
    """A library of no files, with a budget of its own: what one test uses up no other misses."""
    return TemplateLibrary(TextFiles({}))


def plain(node: Node) -> object:
    match node:
        case Literal():
            return node.value
        case ListValue():
            return [plain(item) for item in node.items]
        case ObjectValue():
            return {member.name: plain(member.value) for member in node.entries.values()}
        case OneOf():
            return {str(plain(option)) for option in node.options}
        case UnknownValue():
            return f"? {node.why}"
    raise AssertionError(node)


def bicep(text: str) -> object:
    file = parse_bicep(SourceText("a.bicep", f"param open string\n{text}"))
    assert file.flaws == ()
    scope = BicepScope(file, {}, nothing())
    return plain(evaluate(file.variables["x"], scope))


def hcl(text: str) -> object:
    files = (parse_hcl(SourceText("a.tf", f'variable "open" {{}}\nlocals {{\n{text}\n}}')),)
    assert files[0].flaws == ()
    scope = TerraformScope(files, {}, nothing())
    return plain(evaluate(scope.locals["x"], scope))


def arm(text: str) -> object:
    root = read_json(SourceText("a.json", f'{{"parameters": {{"open": {{}}}}, {text}}}')).root
    assert isinstance(root, ObjectValue)
    node = lookup(root, "x")
    assert node is not None
    return plain(evaluate(node, ArmScope(root, {})))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("var x = 'a${1 + 2}b'", "a3b"),
        ("var x = 'it\\'s \\${not} \\u{e9}'", "it's ${not} é"),
        ("var x = '''\nas 'is' ${here}'''", "as 'is' ${here}"),
        ("var x = true ? 'yes' : 'no'", "yes"),
        ("var x = open == 'a'\n  ? 'yes'\n  : 'no'", {"yes", "no"}),
        ("var x = null ?? 'else'", "else"),
        ("var c = { a: 1 }\nvar x = c.?b ?? c.a", 1),
        ("var c = [10, 20]\nvar x = c[1]", 20),
        ("var c = [\n  10\n  20\n]\nvar x = c[1]", 20),
        ("var x = !empty('') || false", False),
        ("var x = [for n in ['a', 'b']: '${n}!']", ["a!", "b!"]),
        ("var x = [for (n, i) in ['a', 'b']: '${n}${i}']", ["a0", "b1"]),
        ("var x = [for i in range(1, 2): i]", [1, 2]),
        ("var x = { ...{ a: 1 }\n b: 2 }", {"a": 1, "b": 2}),
        ("var x = format('{0}-{1}', 'a', 2)", "a-2"),
        ("var x = concat(['a'], ['b'])", ["a", "b"]),
        ("var x = union({ a: 1 }, { a: 2 })", {"a": 2}),
        ("var x = toLower('AbC')", "abc"),
        ("var x = contains({ a: 1 }, 'A')", True),
        ("var x = map([1], i => i * 2)", "? only a deployment can call map()"),
        ("var x = resourceGroup().location", "? only a deployment can call resourceGroup()"),
        ("var x = open", "? the parameter 'open' has no default"),
        ("var y = x\nvar x = y", "? 'y' goes round in a circle"),
        ("var x = -3 + 5", 2),
        ("var x = 2 >= 3 && open == 'a'", False),
        ("@export()\nvar x = 1 // comment\n/* another */", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bicep(text: str, value: object) -> None:
    assert bicep(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('x = "a${1 + 2}b"', "a3b"),
        ('x = "$${kept} %%{too} \\"quoted\\" \\u00e9"', '${kept} %{too} "quoted" é'),
        ('x = "${true ? "inner ${1}" : "no"}"', "inner 1"),
        ("x = <<EOT\n  one\n  $two \\n\nEOT", "  one\n  $two \\n\n"),
        ('x = <<-EOT\n  ${lower("A")}\n  EOT', "  a\n"),
        ('x = { a = 1, "b" : 2 }', {"a": 1, "b": 2}),
        ("x = [\n 1,\n 2,\n]", [1, 2]),
        ('x = var.open == 1 ? "yes" : "no"', {"yes", "no"}),
        ('x = [for n in ["a"] : upper(n)]', ["A"]),
        ('x = [for k, v in { a = 1 } : "${k}${v}"]', ["a1"]),
        ("x = [for n in [1] : n if true]", [1]),
        ("y = { a = { b = [7] } }\nx = local.y.a.b[0]", 7),
        ("x = [{ a = 1 }, { a = 2 }][*].a", [1, 2]),
        ("x = merge({ a = 1 }, { b = 2 })", {"a": 1, "b": 2}),
        ('x = lookup({ a = 1 }, "b", 9)', 9),
        ('x = try(local.none, "else")', {"else", "? local.none is not declared"}),
        ('x = coalesce(null, "a")', "a"),
        ('x = join("-", ["a", "b"])', "a-b"),
        ("x = jsonencode({ a = 1 })", {"a": 1}),
        ("x = azurerm_thing.name.id", "? 'azurerm_thing' is known once it is deployed"),
        ('x = file("${path.module}/no")', "? the file is not here"),
        ("x = 1e3", 1000.0),
        ("x = (1\n + 2)", 3),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_terraform(text: str, value: object) -> None:
    assert hcl(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\"x\": \"[concat('a', 'it''s', 1)]\"", "ait's1"),
        ('"x": "[[not an expression]"', "[not an expression]"),
        ('"variables": {"a": {"b": [1, 2]}}, "x": "[variables(\'a\').b[1]]"', 2),
        ('"variables": {"a": {"b": 1}}, "x": "[variables(\'A\')[\'b\']]"', 1),
        ("\"x\": \"[if(true(), 'a', reference('b'))]\"", "a"),
        ("\"x\": \"[if(empty(parameters('open')), 'a', 'b')]\"", {"a", "b"}),
        ('"x": "[parameters(\'open\')]"', "? the parameter 'open' has no default"),
        (
            "\"x\": \"[resourceId('P.C/galleries/images', 'g', 'i')]\"",
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/P.C/galleries/g/images/i",
        ),
        (
            '"x": {"copy": [{"name": "L", "count": 2, "input": "[copyIndex(\'L\')]"}]}',
            {"L": [0, 1]},
        ),
        ('"x": "[base64ToString(base64(\'é\'))]"', "é"),
        ('"x": "[concat(\'a\']"', "? its expression cannot be read: ')' is missing before the end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arm(text: str, value: object) -> None:
    assert arm(text) == value


def test_an_expression_that_grows_is_given_up() -> None:
    doubling = "\n".join(f"var v{n + 1} = '${{v{n}}}${{v{n}}}'" for n in range(40))

    assert str(bicep(f"var v0 = 'ab'\n{doubling}\nvar x = v40")).startswith("? ")


def test_a_long_story_is_given_up() -> None:
    chain = "\n".join(f"var v{n + 1} = v{n}" for n in range(400))

    assert str(bicep(f"var v0 = 1\n{chain}\nvar x = v400")).startswith("? ")
