"""What a person waits for when there is nothing to do."""

from __future__ import annotations

from benchmarks.measure import ROOT, Contest, command, report
from benchmarks.workshop import a_workshop


def main() -> None:
    """Measure `./inv` itself, and a bake that finds its version."""
    with a_workshop() as shop:
        shop.bake()
        report(
            [
                Contest("./inv --list", command([ROOT / "inv", "--list"]), None, "limit", 0.35),
                Contest("bake, unchanged", shop.bake, None, "limit", 1),
            ],
            runs=9,
        )


if __name__ == "__main__":
    main()
