"""Two hundred specs: are their locks fresh, do they break a rule, what do they render to."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import ROOT, Contest, command, report
from imagebake.kernel.digest import sha256_json
from imagebake.lock.locking import load_lock, write_lock
from imagebake.spec.load import load_spec
from imagebake.spec.lock import Lock

COUNT = 200
MODEL = "debian-12-base"


def main() -> None:
    """Measure each command, and all of them together."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        generate(root, COUNT)
        environment = {"IMAGEBAKE_ROOT": folder}
        words = {
            "lock --all --check": ("lock", "--all", "--check"),
            "validate --all --rules-only": ("validate", "--all", "--rules-only"),
            "render --all": ("render", "--all", "--out", str(root / "out")),
        }
        runs = {
            title: command([sys.executable, "-m", "imagebake", *line], **environment)
            for title, line in words.items()
        }
        report(
            [
                *(
                    Contest(f"{title}, {COUNT} specs", act, None, "limit", 2)
                    for title, act in runs.items()
                ),
                Contest("all three", lambda: sum(act() for act in runs.values()), None, "limit", 2),
            ],
            runs=5,
        )


def generate(
    root: Path,
    count: int,
    *,
    edit: Callable[[str], str] = str,
    move: Callable[[Lock], Lock] = lambda lock: lock,
) -> None:
    """Write *count* specs like our own one into *root*, as *edit* has them, with their locks."""
    specs = root / "image_specs"
    (specs / "base").mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "image_specs" / "base").glob("*.yaml"):
        (specs / "base" / path.name).write_bytes(path.read_bytes())
    text = (ROOT / "image_specs" / f"{MODEL}.yaml").read_text()
    lock = move(load_lock(ROOT / "image_specs" / f"{MODEL}.lock.json"))
    for number in range(count):
        name = f"image-{number:04}"
        path = specs / f"{name}.yaml"
        path.write_text(edit(text).replace(MODEL, name).replace("sku: base", f"sku: base-{number}"))
        inputs = sha256_json(load_spec(path, root=root).lock_inputs())
        own = lock.model_copy(update={"image": name, "inputs_sha256": inputs})
        write_lock(specs / f"{name}.lock.json", own)


if __name__ == "__main__":
    main()
