"""The tasks `pin`, `unpin`, `bump` and `outdated`."""
