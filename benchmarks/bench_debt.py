"""A thousand files of other people's: what machines wait for, beside a plain reading of them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import ROOT, Contest, command, report, seconds

COUNT = 1000
FILES = ROOT / "tests" / "golden" / "debt"


def main() -> None:
    """Measure `debt` over Terraform, Bicep and ARM in equal parts."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _generate(root)
        debt = command([sys.executable, "-m", "imagebake", "debt", folder, "--json"])
        report(
            [
                Contest(f"debt, {COUNT} files", debt, None, "limit", 5),
                Contest(
                    f"debt, {COUNT} files",
                    debt,
                    lambda: seconds(
                        lambda: [len(path.read_text()) for path in root.rglob("main.*")]
                    ),
                    "reading them",
                    200,
                ),
            ],
            runs=3,
        )


def _generate(root: Path) -> None:
    terraform = FILES / "terraform"
    texts = {
        "tf": (terraform / "main.tf").read_text() + (terraform / "variables.tf").read_text(),
        "bicep": (FILES / "bicep" / "main.bicep").read_text(),
        "json": (FILES / "arm" / "machine.json").read_text(),
    }
    for number in range(COUNT):
        kind = tuple(texts)[number % len(texts)]
        folder = root / str(number)
        folder.mkdir()
        (folder / f"main.{kind}").write_text(texts[kind])


if __name__ == "__main__":
    main()
