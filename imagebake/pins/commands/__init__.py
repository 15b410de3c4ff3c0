"""The tasks `add`, `remove`, `bump` and `outdated`."""
