"""SBOM, provenance and verification of image versions."""
