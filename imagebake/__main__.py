"""`python -m imagebake`: the command line."""

from __future__ import annotations

from imagebake.cli.program import main

if __name__ == "__main__":
    main()
