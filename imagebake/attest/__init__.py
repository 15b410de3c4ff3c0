"""SBOM, provenance and verification of image versions."""

__all__ = [
    "attestations",
]
