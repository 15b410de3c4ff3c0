"""The extensions in the models of machines, which no list of machines tells."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from imagebake.cloud.answers import NotFound
from imagebake.cloud.clients import Clients
from imagebake.cloud.ids import names
from imagebake.cloud.scale_sets import handlers
from imagebake.cloud.together import together
from imagebake.kernel.errors import CloudError


def machine_extensions(
    clients: Clients, machines: Iterable[str]
) -> tuple[dict[str, Mapping[str, str]], tuple[str, ...]]:
    """By machine, in lower case, what the agent calls each extension; and what was not read.

    That is a request for each machine: Azure's lists have the ids of extensions only.
    """
    wanted = list(machines)
    told = together(functools.partial(_of, clients, one) for one in wanted)
    found = {one.lower(): said for one, said in zip(wanted, told, strict=True)}
    unread = tuple(said for said in found.values() if isinstance(said, str))
    return {one: said for one, said in found.items() if not isinstance(said, str)}, unread


def _of(clients: Clients, machine: str) -> Mapping[str, str] | str:
    """The extensions of *machine*, or why they are not known."""
    place = names(machine, "resourcegroups", "virtualmachines")
    operations = clients.compute.virtual_machine_extensions
    try:
        listed = clients.ask(f"list the extensions of {place[-1]!r}", operations.list, *place)
    except NotFound:
        return {}
    except CloudError as error:
        return f"the extensions of {machine}: {error.said}"
    return handlers({"extensions": listed.get("value") or ()})
