"""`retire`: what may go, what may not and why; from the cloud, or from a file."""

from __future__ import annotations

from imagebake.commands.retiring_file import from_file
from imagebake.kernel import context
from imagebake.kernel.console import print_json
from imagebake.kernel.errors import UsageError
from imagebake.lock.selection import chosen
from imagebake.rollout.change_request import change_request


def retire(
    image: str,
    *,
    plan: bool,
    apply: bool,
    expect: str,
    inventory: str,
    now: str,
    override: str,
    as_json: bool,
) -> None:
    """Decide which versions may go; with *apply*, hide or delete them.

    From the file *inventory* it is only decided, with no cloud, at the time *now*.
    """
    if plan and apply:
        raise UsageError("--plan shows and --apply does: give one of them")
    site = context.site(quiet=as_json)
    specs = chosen(site, image, every=not image)
    if inventory:
        if apply:
            raise UsageError("a file cannot be retired from: --inventory decides, and no more")
        decided = from_file(site, specs, inventory, now, override)
        if as_json:
            print_json(decided.to_json())
        else:
            print(change_request(decided), end="")
        return
    if now:
        raise UsageError("--now is for --inventory: a gallery is read as it is")
    from imagebake.commands.orders import Order
    from imagebake.commands.retiring_live import retire_here

    again = f"./inv retire {image}".rstrip()
    order = Order(verb="retirement", again=again, expect=expect, as_json=as_json)
    retire_here(site, specs, order, apply=apply, override=override)
