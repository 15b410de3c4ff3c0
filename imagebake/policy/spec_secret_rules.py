"""The rule about secrets in a spec: P140."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.policy.facts import SpecFacts
from imagebake.policy.rules import Breach, rule

_AIB = "Azure Image Builder template reference (image-builder-json), "


@rule(
    "P140",
    "No secret is in a spec or in what is rendered from it",
    why="inline lines and tags are readable to everybody who may read the image template",
    source=_AIB + "inline commands are stored in the template in clear text",
    fix="take it out, revoke it, and fetch it at run time with a managed identity",
)
def spec_has_no_secret(facts: SpecFacts) -> Iterator[Breach]:
    """Report the digest, never the secret."""
    for leak in facts.leaks:
        yield Breach(
            f"{leak.path}, line {leak.line}", f"it has a {leak.kind} (sha256 {leak.sha256[:12]}…)"
        )
