"""Options of a spec: build, validation, schedule, proof, heartbeat and objectives."""

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
    """Requirements of the offline proof beyond those that hold for all images."""

    budget_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """A first boot must be Ready within this many seconds, whatever is down."""


class HeartbeatTerms(Value):
    """The check of a machine that was just created from the image."""

    script: Annotated[tuple[CommandLine, ...], Field(max_length=50)] = ()
    """Lines that the machine runs as root once it is up; a failing line is a miss."""
    timeout_seconds: Annotated[int, Field(ge=30, le=7200)] = 900
    """The longest a heartbeat may take, from the request for the machine to the end of the script.
    """
    plain: bool = False
    """Whether a plain machine without imagebake is created beside it, to tell whose fault a miss
    is.
    """
    misses: Annotated[int, Field(ge=1, le=20)] = 1
    """How many consecutive misses open an incident, which stops promotions."""


class ErrorAction(enum.StrEnum):
    """What happens to the build machine when a step fails."""

    CLEANUP = "cleanup"
    ABORT = "abort"


OnError = Annotated[ErrorAction, Field(strict=False)]


class Build(Grown):
    """The build machine on Azure, and its limits."""

    later: ClassVar[frozenset[str]] = frozenset(
        {
            *("optimize_boot", "optimize_workload", "on_customizer_error", "on_validation_error"),
            *("identities", "subnet", "container_subnet", "proxy_vm_size"),
            *("staging_resource_group", "managed_tags", "data_disks"),
        }
    )

    # The limits of buildTimeoutInMinutes.
    timeout_minutes: Annotated[int, Field(ge=6, le=960)] = 120
    """Azure cancels the build after this many minutes."""
    vm_size: VmSize = "Standard_D2ds_v5"
    """The size of the build machine."""
    os_disk_gb: Annotated[int, Field(ge=1, le=2048)] = 30
    """The size of the image's disk, in GiB."""
    # A managed disk has at most 32,767 GiB.
    data_disks: Annotated[
        tuple[Annotated[int, Field(ge=1, le=32767)], ...], Field(max_length=16)
    ] = ()
    """The sizes of additional disks of the image, in GiB, beside those of its source."""
    optimize_boot: bool = False
    """Whether Azure optimises the image for faster boots."""
    optimize_workload: Fetched | None = None
    """The script from which Azure learns the workload to optimise the image for."""
    on_customizer_error: OnError = ErrorAction.CLEANUP
    """`abort` keeps the build machine when a customizer fails, for inspection; it costs money."""
    on_validation_error: OnError = ErrorAction.CLEANUP
    """`abort` keeps the build machine when a validator fails, for inspection; it costs money."""
    identities: Annotated[tuple[IdentityId, ...], Field(max_length=20)] = ()
    """Identities of the build machine in addition to imagebake's own."""
    subnet: SubnetId | None = None
    """The subnet of the build machine; Azure creates a network when absent."""
    container_subnet: SubnetId | None = None
    """The subnet of the containers that run the build, in the same virtual network."""
    proxy_vm_size: VmSize | None = None
    """The size of the proxy machine, where there is a `subnet` but no `container_subnet`."""
    staging_resource_group: ResourceGroupId | None = None
    """The empty group that Azure builds in; Azure creates one when absent."""
    managed_tags: Tags = Field(default_factory=dict)
    """Azure tags of the resources that Azure creates for the build, where policies require them."""


class ValidationTerms(Value):
    """When Azure validates, and what happens to an image that fails."""

    continue_distribute_on_failure: bool = False
    """Whether an image that fails its validators is distributed anyway."""
    source_only: bool = False
    """Whether only the source is validated: nothing is built, no version is created."""


class Trigger(Value):
    """A permanent image template that Azure runs whenever the source has a newer version.

    Its result is a candidate: it comes from `latest`, so that no lock describes it, and it has
    a definition of its own, so that no machine uses it. It shows early whether the image would
    still bake on the new source.
    """

    definition: DefinitionId
    """The id of the definition of candidates; never the image's own."""


class Schedule(Value):
    """When the scheduled workflow bakes."""

    cron: Cron
    """Minute, hour, day of the month, month, day of the week."""
    timezone: Timezone = "Etc/UTC"
    """The time zone of the fields."""


class Objectives(Value):
    """Service levels during an incident; `drill` measures them."""

    ready_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """95 of 100 machines are Ready within this many seconds, whatever is down."""
    recovery_minutes: Annotated[int, Field(ge=0, le=10080)] = 15
    """After the first failed request, machines can be created again within this many minutes."""
    age_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """The greatest age in days of the version that a ring uses."""
    rollback_minutes: Annotated[int, Field(ge=1, le=1440)] = 10
    """Within this many minutes a rollback has moved every machine to the previous version."""
