"""An in-toto statement about a proof: the image by its digest, and what was tested."""

from __future__ import annotations

from typing import Any

from imagebake.azure.model.manifest import BakeManifest
from imagebake.lab.proof_result import Law, Proof

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
"""The predicate that in-toto has for results of tests."""


def proof_statement(proof: Proof, manifest: BakeManifest, *, record_sha256: str) -> dict[str, Any]:
    """State the verdict of *proof* about the image of *manifest*.

    *record_sha256* is the digest of the proof's own record, which has everything else. The
    statement is not signed: who signs it vouches for the machine that carried out the proof.
    """
    broken = {trial for reason in proof.reasons for trial in reason.trials}
    names = [one.trial for one in proof.seen]
    refused = any(reason.law is Law.CONTROL for reason in proof.reasons)
    return {
        "_type": STATEMENT,
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
