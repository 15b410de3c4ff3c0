"""What a spec asks for: of the build, of the schedule, of first boots, and in an incident."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagebake.model.texts import CommandLine, Cron, Timezone, VmSize
from imagebake.model.values import Value


class ProofTerms(Value):
    """What the offline proof asks of the image beyond the laws that hold for all."""

    budget_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """After this many seconds a first boot must be Ready, whatever is down."""


class HeartbeatTerms(Value):
    """What a heartbeat asks of a machine that was just made from the image."""

    script: Annotated[tuple[CommandLine, ...], Field(max_length=50)] = ()
    """Lines that the machine runs as its root once it is up; the first that fails is a miss."""
    timeout_seconds: Annotated[int, Field(ge=30, le=7200)] = 900
    """So long everything may take, from asking for the machine to the end of the script."""
    plain: bool = False
    """Whether a machine without imagebake's part is made beside it, to tell whose fault it is."""
    misses: Annotated[int, Field(ge=1, le=20)] = 1
    """So many in a row open an incident, which stops promotions."""


class Build(Value):
    """The machine that Azure builds on, and how long it may take."""

    timeout_minutes: Annotated[int, Field(ge=6, le=960)] = 120
    """After this many minutes Azure gives the build up."""
    vm_size: VmSize = "Standard_D2ds_v5"
    """The size of the build machine."""
    os_disk_gb: Annotated[int, Field(ge=1, le=2048)] = 30
    """The size of the image's disk, in GiB."""


class Schedule(Value):
    """When the scheduled workflow bakes."""

    cron: Cron
    """Minute, hour, day of the month, month, day of the week."""
    timezone: Timezone = "Etc/UTC"
    """The time zone that the fields are in."""


class Objectives(Value):
    """What machines made from the image must achieve in an incident; `drill` measures it."""

    ready_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """So soon 95 of 100 machines are Ready, whatever is down."""
    recovery_minutes: Annotated[int, Field(ge=0, le=10080)] = 15
    """So soon after the first one that could not be had, machines can be had again."""
    age_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """So old the version that a ring has may become."""
    rollback_minutes: Annotated[int, Field(ge=1, le=1440)] = 10
    """So soon after it was asked for, a rollback has every machine on the version before."""
