"""Rules about secrets in specs and images: P140, and P401 to P409."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.policy.facts import ImageFacts, SpecFacts
from imagebake.policy.paths import absent, empty
from imagebake.policy.rule import Breach, rule

_WHY = "every account that can create a machine from the image, or read its disk, has it"
_SOURCE = "imagebake's security rules: secrets are never baked"
_REVOKE = "revoke it, and fetch it at run time with a managed identity"


@rule(
    "P401",
    "No text in the image has a secret",
    why=_WHY,
    source=_SOURCE,
    fix=f"take it out, {_REVOKE}",
)
def texts_have_no_secrets(facts: ImageFacts) -> Iterator[Breach]:
    """Unmodified files of packages are the archive's own, and not searched."""
    for leak in facts.contents.leaks:
        yield Breach(leak.path, f"line {leak.line} has a {leak.kind} (sha256 {leak.sha256[:12]}…)")


_HOMES = ("/root", "/home/*", "/opt/*", "/srv/*", "/var/lib/*")

no_credential_files = empty(
    "P402",
    "No program's credentials are in the image",
    *(
        f"{home}/{name}"
        for home in _HOMES
        for name in (
            ".netrc",
            ".git-credentials",
            ".azure/*",
            ".config/gh/hosts.yml",
            ".docker/config.json",
            ".kube/config",
            ".ssh/id_*",
            "*.publishsettings",
            ".credentials",
            ".credentials_rsaparams",
            ".runner",
            ".npmrc",
            ".pypirc",
        )
    ),
    "/etc/apt/auth.conf",
    "/etc/apt/auth.conf.d/*",
    "/run/containers/*/auth.json",
    why=_WHY,
    source=_SOURCE,
    fix=f"remove the file, {_REVOKE}",
)

no_user_data = absent(
    "P403",
    "No machine's user data is in the image",
    "/var/lib/cloud/*/user-data*",
    "/var/lib/cloud/*/vendor-data*",
    "/var/lib/waagent/ovf-env.xml",
    "/var/lib/waagent/CustomData",
    why="it is what the build machine received at its start, often with passwords",
    source="cloud-init documentation; WALinuxAgent",
    fix="clean it: sudo cloud-init clean --logs --seed; sudo waagent -force -deprovision+user",
)

no_machine_certificates = absent(
    "P404",
    "No certificate or setting that the platform gave a machine is in the image",
    "/var/lib/waagent/*.prv",
    "/var/lib/waagent/*.crt",
    "/var/lib/waagent/*.p7m",
    "/var/lib/waagent/*.pem",
    "/var/lib/waagent/*/config/*.settings",
    why="with the key, the settings that other machines of the subscription get can be read",
    source="WALinuxAgent: protected settings are encrypted for that certificate",
    fix="generalise: sudo waagent -force -deprovision+user",
)


_AIB = "Azure Image Builder template reference (image-builder-json), "


@rule(
    "P140",
    "No secret is in a spec or in what is rendered from it",
    why="everyone who may read the image template can read its inline lines and tags",
    source=_AIB + "inline commands are stored in the template in clear text",
    fix="take it out, revoke it, and fetch it at run time with a managed identity",
)
def spec_has_no_secret(facts: SpecFacts) -> Iterator[Breach]:
    """Report the digest, never the secret."""
    for leak in facts.leaks:
        yield Breach(
            f"{leak.path}, line {leak.line}", f"it has a {leak.kind} (sha256 {leak.sha256[:12]}…)"
        )
