"""The walls of the house: who may import whom, who owns which effect, how large things get."""

from __future__ import annotations

import ast
import functools
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "imagebake"

LAYERS = (
    ("program",),
    ("commands",),
    ("ends",),
    ("supply",),
    ("app",),
    ("local",),
    # Machines of the local end: the emulator's wish, the engine's layers, a first boot.
    ("region",),
    ("verbs",),
    # A version from its run on: what bakes do, and whoever picks one up.
    ("making",),
    (
        "specs",
        "pins",
        "catalog",
        "render",
        "policy",
        "rollout",
        "reports",
        "rollout",
        "cloud",
        "artifacts",
        "emulator",
        "engine",
        "inspection",
        "fabric",
        "firstboot",
        "foreign",
        "diskboot",
    ),
    ("host",),
    ("model",),
    ("settings", "workspace"),
    ("errors",),
    ("digest", "diagnostics", "docstrings", "freeze", "progress", "redaction", "version"),
)
"""From the top down; a module may import its own room and what stands below it."""

ACROSS = {
    # The catalogue is data that the scripts are rendered from.
    ("render", "catalog"),
    # A first boot is a boot against the fabric.
    ("firstboot", "fabric"),
}

SELF_SUFFICIENT = ("emulator", "engine", "fabric")
"""Rooms that know the wire and the host, and nothing of our model."""

OWNERS = {
    "subprocess": ("host/process.py",),
    "azure": ("cloud/",),
    "msrest": (),
    "yaml": ("specs/", "settings.py"),
    "jinja2": ("render/",),
    "werkzeug": ("emulator/",),
    "sqlite3": ("emulator/",),
    "invoke": ("app.py", "program.py", "commands/"),
}
"""Who may import what stands outside: one door an effect."""

BROAD_EXCEPT = ("app.py",)
MODULE_LINES, FUNCTION_LINES, MEDIAN_MODULE_LINES = 300, 50, 130


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """Every module that *path* imports, wherever in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    """The room of a module of ours, by its dotted name; verbs are modules of the package."""
    first = module.split(".")[1] if "." in module else "program"
    known = {room for layer in LAYERS for room in layer}
    if first in known:
        return first
    return "program" if first == "__main__" else "verbs"


def dotted(path: Path) -> str:
    return "imagebake." + name_of(path).removesuffix(".py").replace("/", ".")


def layer_of(room: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if room in layer)


def ours(path: Path) -> Iterator[str]:
    return (module for module in imports_of(path) if module.split(".")[0] == "imagebake")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down_only(path: Path) -> None:
    own = room_of(dotted(path))

    for module in ours(path):
        room = room_of(module)
        if room == own and own != "verbs":
            continue
        allowed = layer_of(room) > layer_of(own) or (own, room) in ACROSS
        assert allowed, f"{name_of(path)} imports {module}: {own} stands not above {room}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_an_effect_has_one_door(path: Path) -> None:
    name = name_of(path)

    for module in imports_of(path):
        owners = OWNERS.get(module.split(".")[0])
        if owners is not None:
            assert name.startswith(owners or ("-",)), f"{name} imports {module}"


@pytest.mark.parametrize("room", SELF_SUFFICIENT)
def test_emulator_and_engine_know_nothing_of_our_model(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        for module in ours(path):
            assert room_of(module) in (room, "host", "digest", "errors"), (
                f"{name_of(path)} imports {module}"
            )


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {dotted(path): path for path in modules()}
    edges = {
        name: {
            target
            for module in ours(path)
            for target in (module, module.rpartition(".")[0])
            if target in names and target != name
        }
        for name, path in names.items()
    }
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " → ".join((*above, name))
        if name not in done:
            for target in edges[name]:
                walk(target, (*above, name))
            done.add(name)

    for name in edges:
        walk(name, ())


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_the_boundary_catches_everything(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type is None or (
            isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
        )
        reraises = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in node.body)
        argued = "BLE001 - " in lines[node.lineno - 1]
        assert not caught or reraises or argued or name_of(path) in BROAD_EXCEPT, (
            f"{name_of(path)}:{node.lineno} catches everything and does not say why"
        )


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{name_of(path)}:{node.lineno} {node.name}: {length}"


def test_the_median_module_is_short() -> None:
    sizes = [len(path.read_text(encoding="utf-8").splitlines()) for path in modules()]
    assert statistics.median(size for size in sizes if size) <= MEDIAN_MODULE_LINES


def test_packages_run_nothing_when_imported() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert path.read_text(encoding="utf-8") == "", name_of(path)


def test_tasks_hold_names_help_and_one_call_each() -> None:
    tree = ast.parse((ROOT / "tasks.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            body = [type(statement).__name__ for statement in node.body]
            assert body == ["Expr", "ImportFrom", "Expr"], f"tasks.py:{node.lineno} {node.name}"


def test_nothing_of_ours_is_patched_in_tests() -> None:
    patched = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path != Path(__file__) and re.search(r"mock\.patch|monkeypatch\.setattr", text):
            patched.append(path.name)
    assert patched == []
