"""One changed pin, all the way to files that can be handed on."""

from __future__ import annotations

from benchmarks.measure import Contest, report, seconds
from benchmarks.workshop import IMAGE, Workshop, a_workshop


def main() -> None:
    """Measure bake, tar, VHD and the check of the contents, as four commands."""
    with a_workshop() as shop:
        shop.use("old")
        shop.bake()
        shop.remember()
        report(
            [
                Contest(
                    "changed pin → bake, tar, VHD, validate", lambda: _all(shop), None, "limit", 10
                )
            ]
        )


def _all(shop: Workshop) -> float:
    shop.go_back()
    shop.use("new")
    out = shop.folder / "out"
    out.mkdir(exist_ok=True)
    export = ("export", IMAGE, "--format")
    lines: tuple[tuple[str, ...], ...] = (
        ("bake", IMAGE),
        (*export, "tar", "--out", str(out / "image.tar")),
        (*export, "vhd", "--out", str(out / "image.vhd")),
        ("validate", IMAGE),
    )
    return seconds(lambda: [shop.imagebake(*line) for line in lines])


if __name__ == "__main__":
    main()
