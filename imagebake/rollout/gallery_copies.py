"""What is done to the copies that a second gallery has of versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imagebake.azure.resources.resource_ids import spoken
from imagebake.rollout.model.actions import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Action):
    """Make a version of a second gallery from the version *source*, hidden everywhere."""

    source: str
    location: str
    replicas: Mapping[str, int]
    tags: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """What is done."""
        gallery = self.subject.partition("/galleries/")[2].partition("/")[0]
        regions = ", ".join(sorted(self.replicas))
        return f"Copy {spoken(self.source)} to gallery {gallery} in {regions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTags(Action):
    """Let a copy say what its original says now: *tags* are set, and *gone* taken away."""

    tags: Mapping[str, str]
    gone: frozenset[str]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Bring the tags of the copy {spoken(self.subject)} up to date"
