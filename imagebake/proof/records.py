"""Records of proofs and ledgers: files next to the manifest, a tag, and an in-toto statement."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.gallery import TAG_PROOF, GalleryVersion
from imagebake.azure.model.manifest import BakeManifest, Records, read_manifest, record_name
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.lab.disk.result import DiskBoot
from imagebake.lab.ledger import Ledger, LedgerEntry
from imagebake.lab.proof_result import Proof, ProofCriterion

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
"""The predicate type that in-toto defines for test results."""


def proof_statement(proof: Proof, manifest: BakeManifest, *, record_sha256: str) -> dict[str, Any]:
    """Return the in-toto statement of *proof* about the image of *manifest*.

    *record_sha256* is the digest of the proof's own record, which has all details. The statement is
    unsigned: a signature would vouch for the machine that carried out the proof.
    """
    broken = {trial for reason in proof.reasons for trial in reason.trials}
    names = [result.trial for result in proof.seen]
    refused = any(reason.criterion is ProofCriterion.CONTROL for reason in proof.reasons)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": manifest.version_id, "digest": {"sha256": manifest.content_sha256 or ""}}
        ],
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": "PASSED" if proof.passed else "FAILED",
            "configuration": [
                {"name": "lock", "digest": {"sha256": manifest.lock_sha256}},
                {"name": "spec", "digest": {"sha256": manifest.spec_sha256}},
                {"name": "proof.json", "digest": {"sha256": record_sha256}},
            ],
            "passedTests": [
                *(name for name in names if name not in broken),
                *(("negative control",) if proof.controls and not refused else ()),
            ],
            "failedTests": [
                *(name for name in names if name in broken),
                *(("negative control",) if refused else ()),
            ],
        },
    }


PROOF, LEDGER, STATEMENT = "proof.json", "ledger.json", "proof.intoto.json"
DISK_BOOT, CONSOLE = "boot.json", "boot-console.log"
"""The names of the records, next to the manifest."""
PASSED, FAILED = "passed", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRecords:
    """Stores and reads the records of *version* in *gallery*."""

    gallery: str
    version: GalleryVersion
    records: Records

    def keep(self, proof: Proof, *, now: dt.datetime, cloud: Clients) -> None:
        """Store *proof*: if whole with its statement and a tag, otherwise the ledgers only.

        The tag is written last, because a promotion reads it.
        """
        self._record(LEDGER, _ledgers(proof, now))
        if not proof.whole:
            return
        document = proof.to_json() | {"at": now.isoformat(timespec="seconds")}
        content = self._record(PROOF, document)
        manifest = read_manifest(self.records.recorded(self._name("manifest.json")))
        if manifest:
            statement = proof_statement(proof, manifest, record_sha256=sha256_bytes(content))
            self._record(STATEMENT, statement)
        verdict = f"{PASSED if proof.passed else FAILED} sha256:{sha256_bytes(content)}"
        Gallery(cloud, self.gallery).tag_version(
            self.version.definition, self.version.version, {TAG_PROOF: verdict}
        )

    def keep_boot(self, boot: DiskBoot, console: bytes, *, now: dt.datetime) -> str:
        """Store the boot of the version's disk; return the name of the console's record."""
        self._record(DISK_BOOT, boot.to_json() | {"at": now.isoformat(timespec="seconds")})
        self.records.record(self._name(CONSOLE), console)
        return self._name(CONSOLE)

    def verdict(self) -> str | None:
        """Return `passed` or `failed` from the version's tag; None if there is no proof."""
        return self.version.tags.get(TAG_PROOF, "").partition(" ")[0] or None

    def reasons(self) -> tuple[str, ...]:
        """Return why the stored proof failed, each reason with its fix."""
        document = self._read(PROOF) or {"reasons": ()}
        return tuple(
            f"{reason['message']}\n  = fix: {reason['fix']}" for reason in document["reasons"]
        )

    def ledger(self) -> LedgerRecord | None:
        """Return the ledgers of the last first boots; None if there were none."""
        document = self._read(LEDGER)
        if document is None:
            return None
        boots = tuple(
            (str(boot["trial"]), bool(boot["control"]), Ledger.of_json(boot["ledger"]))
            for boot in document["first_boots"]
        )
        return LedgerRecord(at=str(document["at"]), boots=boots)

    def _name(self, record: str) -> str:
        return record_name(self.gallery, self.version.definition, self.version.version, record)

    def _record(self, record: str, document: dict[str, Any]) -> bytes:
        content = canonical_json(document)
        self.records.record(self._name(record), content)
        return content

    def _read(self, record: str) -> dict[str, Any] | None:
        content = self.records.recorded(self._name(record))
        return json.loads(content) if content else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRecord:
    """The ledgers of the last first boots: name, whether it was a control, and ledger."""

    at: str
    boots: tuple[tuple[str, bool, Ledger], ...]

    def entries(self, *, control: bool) -> Iterator[tuple[str, LedgerEntry]]:
        """Yield the entries of the image's own first boots, or of its controls."""
        for name, is_control, ledger in self.boots:
            if is_control is control:
                yield from ((name, entry) for entry in ledger.entries)

    def packets(self) -> dict[str, int]:
        """Return the packets of all first boots but the controls, by class."""
        total: dict[str, int] = {}
        for _, is_control, ledger in self.boots:
            for name, count in ({} if is_control else ledger.counters).items():
                total[name] = total.get(name, 0) + count
        return total

    def to_json(self) -> dict[str, Any]:
        """Return the record as it is stored and printed."""
        boots = [
            {"trial": name, "control": control, "ledger": ledger.to_json()}
            for name, control, ledger in self.boots
        ]
        return {"at": self.at, "first_boots": boots}


def _ledgers(proof: Proof, now: dt.datetime) -> dict[str, Any]:
    boots = [(result.trial, False, result.ledger) for result in proof.seen]
    boots += [(control.seen.trial, True, control.seen.ledger) for control in proof.controls]
    return LedgerRecord(at=now.isoformat(timespec="seconds"), boots=tuple(boots)).to_json()
