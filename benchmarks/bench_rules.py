"""Two hundred specs: are their locks fresh, do they break a rule, what do they render to."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import ROOT, Contest, command, report
from imagebake.digest import sha256_json
from imagebake.lock import load_lock, write_lock
from imagebake.specs.load import load_spec

COUNT = 200
MODEL = "debian-12-base"


def main() -> None:
    """Measure each command, and all of them together."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _generate(root)
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


def _generate(root: Path) -> None:
    specs = root / "image_specs"
    (specs / "base").mkdir(parents=True)
    for path in (ROOT / "image_specs" / "base").glob("*.yaml"):
        (specs / "base" / path.name).write_bytes(path.read_bytes())
    text = (ROOT / "image_specs" / f"{MODEL}.yaml").read_text()
    lock = load_lock(ROOT / "image_specs" / f"{MODEL}.lock.json")
    for number in range(COUNT):
        name = f"image-{number:03}"
        path = specs / f"{name}.yaml"
        path.write_text(text.replace(MODEL, name).replace("sku: base", f"sku: base-{number}"))
        inputs = sha256_json(load_spec(path, root=root).lock_inputs())
        own = lock.model_copy(update={"image": name, "inputs_sha256": inputs})
        write_lock(specs / f"{name}.lock.json", own)


if __name__ == "__main__":
    main()
