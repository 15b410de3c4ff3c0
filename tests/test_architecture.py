"""The walls of the code: which package may import which, and which one owns an effect."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "imagebake"

PACKAGES = (
    "kernel",
    "spec",
    "azure",
    "inspection",
    "mirror",
    "lock",
    "emulator",
    "lab",
    "session",
    "pins",
    "policy",
    "proof",
    "attest",
    "build",
    "pipelines",
    "bootstrap",
    "rollout",
    "heartbeat",
    "drill",
    "recovery",
    "dashboard",
    "audit",
    "cli",
)
"""Every package of the code; each may import those above it, and none below."""

SELF_SUFFICIENT = ("emulator", "lab.engine", "lab.fabric")
"""Packages that know the wire and the host, and of our code only the kernel."""

DOORS = {
    "subprocess": ("kernel/host/process.py",),
    "azure": ("azure/",),
    "msrest": (),
    "yaml": ("spec/", "kernel/settings.py"),
    "jinja2": ("kernel/templating.py",),
    "markupsafe": ("kernel/templating.py",),
    "urllib3": ("kernel/host/http.py",),
    "werkzeug": ("emulator/",),
    "sqlite3": ("emulator/",),
    "invoke": ("cli/",),
}
"""Which files may import a library that acts on the world, or that a choice hangs on."""

ERROR_BOUNDARY = "cli/boundary.py"
FUNCTION_LINES = 50
PUBLIC_MODULES = 13
SMALL_MODULE_LINES = 40
TASKS_LINES = 100
DIALECT = {"one", "told", "said", "hands", "dice", "Hands"}
"""Names that say nothing about the value they hold; style asks for the field's noun."""

TESTS = ROOT / "tests"
WHOLE_PRODUCT = {
    "azurite",
    "clients",
    "contract",
    "end_to_end",
    "golden",
    "properties",
    "support",
}
"""Folders of tests that are about no single module; neither are the files in `tests/` itself."""


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def dotted(path: Path) -> str:
    return "imagebake." + name_of(path).removesuffix(".py").replace("/", ".")


@functools.cache
def known() -> dict[str, Path]:
    """Every module that is no package, by its dotted name."""
    return {dotted(path): path for path in modules() if path.name != "__init__.py"}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """Every name that *path* imports, wherever in it, functions included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> Iterator[str]:
    """The modules of ours that *path* imports: not the names in them."""
    for name in imports_of(path):
        if name.startswith("imagebake."):
            parent = name.rpartition(".")[0]
            yield name if name in known() else parent if parent in known() else name


def package_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


@functools.cache
def public_modules(package: str) -> tuple[str, ...]:
    """The modules that `__all__` of *package*, a dotted name, lists."""
    tree = tree_of(ROOT / package.replace(".", "/") / "__init__.py")
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return tuple(ast.literal_eval(node.value))
    return ()


def test_every_package_has_its_place() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(PACKAGES)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_package_imports_only_packages_above_it(path: Path) -> None:
    if path.parent == PACKAGE:
        return
    own = PACKAGES.index(package_of(dotted(path)))

    for module in ours(path):
        assert PACKAGES.index(package_of(module)) <= own, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_package_is_reached_through_its_public_modules(path: Path) -> None:
    own = package_of(dotted(path))

    for module in ours(path):
        if package_of(module) == own or own == "__main__":
            continue
        package = "imagebake"
        for part in module.split(".")[1:]:
            if package != "imagebake":
                assert part in public_modules(package), f"{name_of(path)} imports {module}"
            package = f"{package}.{part}"


def test_public_modules_exist_and_are_few() -> None:
    for path in sorted(PACKAGE.rglob("__init__.py")):
        package = dotted(path).removesuffix(".__init__")
        public = public_modules(package)
        missing = [
            name
            for name in public
            if not (path.parent / f"{name}.py").is_file() and not (path.parent / name).is_dir()
        ]
        assert missing == [], package
        assert len(public) <= PUBLIC_MODULES, package


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_commands_are_imported_by_the_command_line_alone(path: Path) -> None:
    for module in ours(path):
        _, _, *parts = module.split(".")
        is_command = parts[:1] == ["commands"] or parts == ["command"]
        assert not is_command or package_of(dotted(path)) == "cli", (
            f"{name_of(path)} imports {module}"
        )


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_an_effect_has_one_door(path: Path) -> None:
    name = name_of(path)

    for module in imports_of(path):
        owners = DOORS.get(module.split(".")[0])
        if owners is not None:
            assert name.startswith(owners or ("-",)), f"{name} imports {module}"


@pytest.mark.parametrize("package", SELF_SUFFICIENT)
def test_emulator_and_engine_know_nothing_of_our_model(package: str) -> None:
    for path in (PACKAGE / package.replace(".", "/")).rglob("*.py"):
        for module in ours(path):
            own = module.startswith(f"imagebake.{package}.")
            assert own or package_of(module) == "kernel", f"{name_of(path)} imports {module}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    edges = {name: set(ours(path)) & set(known()) - {name} for name, path in known().items()}
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " → ".join((*above, name))
        if name not in done:
            for target in edges[name]:
                walk(target, (*above, name))
            done.add(name)

    for name in edges:
        walk(name, ())


def test_a_small_module_has_more_than_one_importer() -> None:
    importers = defaultdict(set)
    for name, path in known().items():
        for module in set(ours(path)) - {name}:
            importers[module].add(name)
    alone = {
        name: importers[name]
        for name, path in known().items()
        if len(importers[name]) == 1 and len(path.read_text().splitlines()) < SMALL_MODULE_LINES
    }
    assert alone == {}, "a small module belongs into the only one that imports it"


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
        assert not caught or reraises or argued or name_of(path) == ERROR_BOUNDARY, (
            f"{name_of(path)}:{node.lineno} catches everything and does not say why"
        )


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_functions_stay_small(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The signature of a command is the table of its flags, and no code to be followed.
            length = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
            assert length <= FUNCTION_LINES, f"{name_of(path)}:{node.lineno} {node.name}: {length}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_names_say_what_they_hold(path: Path) -> None:
    found = set()
    for node in ast.walk(tree_of(path)):
        name = {
            ast.Name: "id",
            ast.arg: "arg",
            ast.FunctionDef: "name",
            ast.ClassDef: "name",
            ast.Attribute: "attr",
        }.get(type(node))
        if name and getattr(node, name).strip("_") in DIALECT:
            found.add(f"{name_of(path)}:{getattr(node, 'lineno', 0)} {getattr(node, name)}")
    assert sorted(found) == []


def test_a_class_name_is_used_once() -> None:
    places = defaultdict(list)
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{name_of(path)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_packages_run_nothing_when_imported() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        for node in tree_of(path).body:
            assert isinstance(node, ast.Expr | ast.Assign), name_of(path)


def test_tasks_are_a_list_of_names() -> None:
    assert len((ROOT / "tasks.py").read_text(encoding="utf-8").splitlines()) <= TASKS_LINES


def test_a_test_stands_beside_its_module() -> None:
    """`tests/a/test_b_faults.py` tests `imagebake/a/b.py`, or the package `imagebake/a/b/`.

    A file about a whole package begins with the package's name, or is `test_laws.py`.
    """
    strangers = []
    for path in sorted(TESTS.rglob("test_*.py")):
        folder = path.relative_to(TESTS).parent
        if folder == Path() or folder.parts[0] in WHOLE_PRODUCT:
            continue
        beside = {module.stem for module in (PACKAGE / folder).glob("[a-z]*")}
        subject = path.stem.removeprefix("test_")
        if not any(
            subject == name or subject.startswith(f"{name}_")
            for name in (*beside, folder.name, "laws")
        ):
            strangers.append(path.relative_to(TESTS).as_posix())
    assert strangers == [], "name the test's module at the beginning of its file's name"


def test_nothing_of_ours_is_patched_in_tests() -> None:
    patched = []
    for path in sorted(TESTS.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path != Path(__file__) and re.search(r"mock\.patch|monkeypatch\.setattr", text):
            patched.append(path.name)
    assert patched == []
