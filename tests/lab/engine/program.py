# ruff: noqa: T201 - it talks to the test that started it
"""A process of its own that builds: to be killed, to be another user, to run out of disk.

Called with one JSON argument: `store`, `mirror`, `recipe`, `customize`, and optionally `vhd`.
Prints every run sub-state and log line as it comes, and the record as its last line. Not to be
imported by tests: `support.py` makes its command line.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.recipe import BaseMarketplace, BaseRecipe


def main() -> int:
    told: dict[str, Any] = json.loads(sys.argv[1])
    store = Path(told["store"])
    marketplace = BaseMarketplace(store / "marketplace")
    marketplace.register(told["source"], BaseRecipe.of_json(told["recipe"]))
    engine = Engine(
        folder=store,
        mirror=Path(told["mirror"]),
        marketplace=marketplace,
        fetch=lambda uri, _: Path(uri),
    )
    template = {"properties": {"source": told["source"], "customize": told["customize"]}}
    log = store / "log"
    log.write_text("")
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(log, ended), daemon=True)
    teller.start()
    try:
        try:
            record = engine.build(
                template,
                log=log,
                on_state=lambda state: print(state, flush=True),
                cancelled=lambda: False,
            )
        finally:  # before anything is said of the end, so that nothing of the log comes after it
            ended.set()
            teller.join()
    except EngineFailed as error:
        print(json.dumps({"code": error.code, "message": error.message}), flush=True)
        return 7
    if told.get("vhd"):
        engine.export_vhd(record, Path(told["vhd"]), bootable=False)
    print(json.dumps(record), flush=True)
    return 0


def _tell(log: Path, ended: threading.Event) -> None:
    with log.open() as file:
        while not ended.wait(0.01):
            print(file.read(), end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
