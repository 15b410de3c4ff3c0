"""Loading of `image_specs/`: specs, or every mistake in them at once."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import SpecError
from imagebake.kernel.text.constrained import quoted
from imagebake.spec import codes
from imagebake.spec.check import check
from imagebake.spec.fields import EXTENDS, SINGULAR, did_you_mean, entry_name, repeated_names
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.source import SOURCE_KINDS, MarketplaceImage
from imagebake.spec.yaml.nodes import (
    Position,
    YamlEntry,
    YamlMapping,
    YamlNode,
    YamlScalar,
    YamlSequence,
    YamlSource,
)
from imagebake.spec.yaml.reader import read
from imagebake.spec.yaml.text import decode, read_bytes

SOURCE = "source"
CHOSEN = tuple(key for key in SOURCE_KINDS if key not in MarketplaceImage.model_fields)
_MARKETPLACE = MarketplaceImage.model_fields.keys()


def merge(base: YamlMapping, child: YamlMapping) -> YamlMapping:
    """Merge *child* over *base*: mappings merge deeply, any other value is the child's.

    Lists of named entries are the base's entries and then the child's; an entry of the child
    replaces the base's of that name. Every node keeps its own position.
    """
    entries = dict(base.entries)
    for key, entry in child.entries.items():
        old = entries.get(key)
        entries[key] = YamlEntry(entry.key, _value(key, old.value, entry.value)) if old else entry
    return YamlMapping(child.place, entries, base.whole and child.whole)


def _value(key: str, base: YamlNode, child: YamlNode) -> YamlNode:
    if isinstance(base, YamlMapping) and isinstance(child, YamlMapping):
        return child if key == SOURCE and _differ(base, child) else merge(base, child)
    if isinstance(base, YamlSequence) and isinstance(child, YamlSequence) and key in SINGULAR:
        return YamlSequence(child.place, _items(key, base, child))
    return child


def _differ(base: YamlMapping, child: YamlMapping) -> bool:
    """Return whether two sources are of different kinds, so that their keys must not mix."""
    ours = {key for key in CHOSEN if key in child.entries}
    theirs = {key for key in CHOSEN if key in base.entries}
    return ours != theirs and bool(ours or (theirs and _MARKETPLACE & child.entries.keys()))


def _items(key: str, base: YamlSequence, child: YamlSequence) -> tuple[YamlNode, ...]:
    ours: dict[str, YamlNode] = {}
    for item in child.items:
        if found := entry_name(key, item):
            ours.setdefault(found[0], item)
    merged: list[YamlNode] = []
    taken: set[int] = set()
    for item in base.items:
        found = entry_name(key, item)
        mine = ours.get(found[0]) if found else None
        merged.append(mine or item)
        taken.add(id(mine))
    merged += [item for item in child.items if id(item) not in taken]
    return tuple(merged)


SUFFIX = ".yaml"
MAX_INCLUDES = 8
MAX_COMPLAINTS = 30
Instead = MappingOf[Path, bytes]
"""Contents of files that replace those on disk."""


def spec_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the specs in *folder*, sorted, without reading them."""
    return tuple(sorted(path.stem for path in folder.glob(f"*{SUFFIX}") if path.name[0] != "."))


def load_spec(path: Path, *, root: Path, instead: Instead | None = None) -> ImageSpec:
    """Read one spec and what it extends; raises `SpecError` with all its mistakes.

    Paths in diagnostics are relative to *root*. *instead* has the content of files as they
    would be after an edit.
    """
    spec, wrong = _Folder(path.parent, root, instead).spec(path)
    if wrong or spec is None:
        raise SpecError(wrong)
    return spec


def load_all(folder: Path, *, root: Path, instead: Instead | None = None) -> dict[str, ImageSpec]:
    """Read every spec of *folder*; raises `SpecError` with all mistakes in any of them."""
    files = _Folder(folder, root, instead)
    specs: dict[str, ImageSpec] = {}
    wrong: set[Diagnostic] = set(files.misnamed())
    for name in spec_names(folder):
        spec, complaints = files.spec(folder / f"{name}{SUFFIX}")
        wrong.update(complaints)
        if spec:
            specs[name] = spec
    if wrong:
        raise SpecError(sorted(wrong))
    return specs


class Specs:
    """The specs of *folder*, read on demand; a shared include is read once."""

    def __init__(self, folder: Path, *, root: Path) -> None:
        self._files = _Folder(folder, root, None)

    def load(self, name: str) -> ImageSpec:
        """Return the spec called *name*; raises `SpecError` as `load_spec` does."""
        spec, wrong = self._files.spec(self._files.folder / f"{name}{SUFFIX}")
        if wrong or spec is None:
            raise SpecError(wrong)
        return spec


def merged_tree(path: Path, *, root: Path, instead: Instead | None = None) -> YamlMapping:
    """Return the tree of one spec merged with what it extends; nodes keep their positions."""
    tree, wrong = _Folder(path.parent, root, instead).merged(path, ())
    if wrong or tree is None:
        raise SpecError(wrong)
    return tree


class _File(NamedTuple):
    """One file as it was read; *extends* names its include."""

    root: YamlMapping | None
    extends: YamlScalar | None
    wrong: tuple[Diagnostic, ...]


class _Folder:
    """The files below one `image_specs/`, each read once."""

    def __init__(self, folder: Path, root: Path, instead: Instead | None) -> None:
        self.folder = folder
        self.root = root
        self.instead = instead or {}
        self.files: dict[Path, _File] = {}
        self.right: dict[tuple[Path, int], YamlMapping] = {}

    def spec(self, path: Path) -> tuple[ImageSpec | None, list[Diagnostic]]:
        """Return the spec in *path*, and the mistakes in it and in what it extends."""
        merged, wrong = self.merged(path, ())
        if merged is None:
            return None, wrong
        spec, complaints = check(merged)
        complaints += _misnamed(merged, path)
        return spec, [*_fewer({*wrong, *complaints})]

    def misnamed(self) -> Iterator[Diagnostic]:
        """Yield a diagnostic for each file that looks like a spec but has the wrong suffix."""
        for path in sorted(self.folder.glob("*.yml")):
            place = Position(YamlSource(self._shown(path), ()), 1, 1)
            yield place.complaint(
                codes.FILE_NAME, "a spec's file ends in .yaml", f"rename it to {path.stem}.yaml"
            )

    def merged(
        self, path: Path, above: tuple[Path, ...]
    ) -> tuple[YamlMapping | None, list[Diagnostic]]:
        """Return the tree of *path* merged over its include; *above* extend it."""
        file = self._file(path)
        wrong = list(file.wrong)
        if file.root is None or file.extends is None:
            return file.root, wrong
        try:
            included = self._include(file.extends, (*above, path))
        except SpecError as error:
            return file.root._replace(whole=False), [*wrong, *error.diagnostics]
        base, complaints = self._extended(included, (*above, path))
        wrong += complaints
        return (merge(base, file.root) if base else file.root._replace(whole=False)), wrong

    def _extended(
        self, path: Path, above: tuple[Path, ...]
    ) -> tuple[YamlMapping | None, list[Diagnostic]]:
        """Call `merged` and cache a tree without mistakes, because many specs share includes."""
        place = (path, len(above))
        if place in self.right:
            return self.right[place], []
        tree, wrong = self.merged(path, above)
        if tree and not wrong:
            self.right[place] = tree
        return tree, wrong

    def _file(self, path: Path) -> _File:
        if path not in self.files:
            shown = self._shown(path)
            content = self.instead.get(path) or read_bytes(path, YamlSource(shown, ()))
            self.files[path] = _read_file(content, shown)
        return self.files[path]

    def _include(self, extends: YamlScalar, above: tuple[Path, ...]) -> Path:
        """Return the file that *extends* names; raises `SpecError` where it is not allowed."""
        name = PurePosixPath(extends.text)
        path = self.folder / name
        if name.is_absolute() or ".." in name.parts or not self._is_inside(path):
            raise _refusal(
                extends, codes.INCLUDE, f"{quoted(extends.text)} leads out of {self.folder.name}/"
            )
        if not path.is_file():
            hint = did_you_mean(extends.text, self._includes())
            raise _refusal(extends, codes.INCLUDE, f"{self._shown(path)!r} does not exist", hint)
        if path in above:
            raise _refusal(
                extends, codes.INCLUDE_LOOP, f"{quoted(extends.text)} extends this file in turn"
            )
        if len(above) > MAX_INCLUDES:
            raise _refusal(
                extends,
                codes.INCLUDE_LOOP,
                f"this is the end of a chain of more than {MAX_INCLUDES} includes",
            )
        return path

    def _is_inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.folder.resolve())
        except (OSError, ValueError, RuntimeError):
            return False

    def _includes(self) -> list[str]:
        return [str(path.relative_to(self.folder)) for path in self.folder.glob(f"*/**/*{SUFFIX}")]

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)


def _refusal(
    extends: YamlScalar, code: codes.Code, message: str, hint: str | None = None
) -> SpecError:
    return SpecError([extends.place.complaint(code, message, hint)])


def _read_file(content: bytes | Diagnostic, shown: str) -> _File:
    """Read one file; its mistakes are kept, and shown once however often it is used."""
    if isinstance(content, Diagnostic):
        return _File(None, None, (content,))
    text, source, wrong = decode(content, shown)
    start = Position(source, 1, 1)
    if not text and wrong:
        return _File(None, None, _fewer(wrong))
    tree, complaints = read(text, source)
    wrong += complaints
    if tree is None:
        if not wrong:
            wrong.append(start.complaint(codes.MISSING_KEY, "the file says nothing"))
        return _File(None, None, _fewer(wrong))
    if not isinstance(tree, YamlMapping):
        wrong.append(tree.place.complaint(codes.WRONG_KIND, "a spec is a mapping of keys"))
        return _File(None, None, _fewer(wrong))
    wrong += repeated_names(tree)
    root, extends, more = _take_extends(tree)
    return _File(root, extends, _fewer([*wrong, *more]))


def _take_extends(tree: YamlMapping) -> tuple[YamlMapping, YamlScalar | None, list[Diagnostic]]:
    """Return *tree* without its `extends`, and the scalar that it held."""
    entry = tree.entries.get(EXTENDS)
    if not entry:
        return tree, None, []
    left = {key: value for key, value in tree.entries.items() if key != EXTENDS}
    value: YamlNode = entry.value
    if isinstance(value, YamlScalar) and isinstance(value.value, str) and value.text:
        return tree._replace(entries=left), value, []
    complaint = value.place.complaint(
        codes.WRONG_KIND, "'extends' is the path of one include, such as base/debian.yaml"
    )
    return YamlMapping(tree.place, left, whole=False), None, [complaint]


def _misnamed(merged: YamlMapping, path: Path) -> list[Diagnostic]:
    entry = merged.entries.get("name")
    if (
        not entry
        or not isinstance(entry.value, YamlScalar)
        or entry.value.value in (path.stem, None)
    ):
        return []
    name = entry.value
    if not isinstance(name.value, str):
        return []
    message = f"the image is called {quoted(name.text)}, and its file {path.name!r}"
    return [name.place.complaint(codes.FILE_NAME, message, "give both the same name")]


def _fewer(wrong: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return *wrong* in order, cut after `MAX_COMPLAINTS` entries."""
    ordered = heapq.nsmallest(MAX_COMPLAINTS + 1, wrong)
    if len(ordered) <= MAX_COMPLAINTS:
        return tuple(ordered)
    last = ordered[MAX_COMPLAINTS]
    more = Diagnostic(
        path=last.path,
        line=last.line,
        column=last.column,
        code=codes.TOO_MANY.id,
        message="there are more mistakes, which are not shown",
        source=last.source,
    )
    return (*ordered[:MAX_COMPLAINTS], more)
