"""Docstrings of fields, read from the source because Python does not keep them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType


def field_docs(source: Path) -> Mapping[str, Mapping[str, str]]:
    """Return the docstrings of a module's annotated fields, by class and field name."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return {node.name: _fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def all_field_docs(*modules: ModuleType) -> Mapping[str, Mapping[str, str]]:
    """Return `field_docs` of several modules; classes inherit those of their bases."""
    docs: dict[str, Mapping[str, str]] = {}
    for module in modules:
        docs |= field_docs(Path(str(module.__file__)))
    for module in modules:
        for name in docs.keys() & vars(module).keys():
            inherited: dict[str, str] = {}
            for kind in reversed(vars(module)[name].__mro__):
                inherited |= docs.get(kind.__name__, {})
            docs[name] = inherited
    return docs


def _fields(node: ast.ClassDef) -> dict[str, str]:
    docs = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            docs[field.target.id] = " ".join(text.value.value.split())
    return docs
