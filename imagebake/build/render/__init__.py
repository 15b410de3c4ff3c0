"""Scripts and image templates, rendered from a spec and its lock."""
