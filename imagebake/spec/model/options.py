"""What a spec asks for: of the build, of the schedule, of first boots, and in an incident."""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar

from pydantic import Field

from imagebake.spec.model.base import Grown, Value
from imagebake.spec.model.outputs import Tags
from imagebake.spec.model.steps import Fetched
from imagebake.spec.model.types import (
    CommandLine,
    Cron,
    DefinitionId,
    IdentityId,
    ResourceGroupId,
    SubnetId,
    Timezone,
    VmSize,
)


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


class ErrorAction(enum.StrEnum):
    """What becomes of the build machine when a step fails."""

    CLEANUP = "cleanup"
    ABORT = "abort"


OnError = Annotated[ErrorAction, Field(strict=False)]


class Build(Grown):
    """The machine that Azure builds on, and how long it may take."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            *("optimize_boot", "optimize_workload", "on_customizer_error", "on_validation_error"),
            *("identities", "subnet", "container_subnet", "proxy_vm_size"),
            *("staging_resource_group", "managed_tags", "data_disks"),
        }
    )

    timeout_minutes: Annotated[int, Field(ge=6, le=960)] = 120
    """After this many minutes Azure gives the build up."""
    vm_size: VmSize = "Standard_D2ds_v5"
    """The size of the build machine."""
    os_disk_gb: Annotated[int, Field(ge=1, le=2048)] = 30
    """The size of the image's disk, in GiB."""
    data_disks: Annotated[
        tuple[Annotated[int, Field(ge=1, le=32767)], ...], Field(max_length=16)
    ] = ()
    """The sizes of the image's further disks, in GiB, beside those of its source."""
    optimize_boot: bool = False
    """Whether Azure arranges the image so that machines start sooner."""
    optimize_workload: Fetched | None = None
    """The script by which Azure learns what machines do, and arranges the image for that."""
    on_customizer_error: OnError = ErrorAction.CLEANUP
    """`abort` keeps the build machine when a customizer fails, to be looked at and paid for."""
    on_validation_error: OnError = ErrorAction.CLEANUP
    """`abort` keeps the build machine when a validator fails, to be looked at and paid for."""
    identities: Annotated[tuple[IdentityId, ...], Field(max_length=20)] = ()
    """Identities that the build machine has beside imagebake's own."""
    subnet: SubnetId | None = None
    """The subnet of the build machine; a network that Azure makes when absent."""
    container_subnet: SubnetId | None = None
    """The subnet of the containers that the build is run from, in the same virtual network."""
    proxy_vm_size: VmSize | None = None
    """The size of the machine in between, where there is a `subnet` and no `container_subnet`."""
    staging_resource_group: ResourceGroupId | None = None
    """The empty group that Azure builds in; one that Azure makes when absent."""
    managed_tags: Tags = Field(default_factory=dict)
    """Azure tags of what Azure makes for the build, where policies ask for them."""


class ValidationTerms(Value):
    """When Azure validates, and what becomes of an image that fails."""

    continue_distribute_on_failure: bool = False
    """Whether an image that fails its validators is distributed all the same."""
    source_only: bool = False
    """Whether the source is validated and nothing is built: no version is made."""


class Trigger(Value):
    """A standing image template, which Azure runs whenever the source has a newer version.

    What it makes is a candidate: it comes from `latest`, so that no lock knows it, and it is
    of a definition of its own, so that no machine is given it. It tells early whether the
    image would bake on the new source.
    """

    definition: DefinitionId
    """The id of the definition that candidates are versions of; never the image's own."""


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
