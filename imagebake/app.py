"""The composition root, and the only error boundary."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from invoke.exceptions import Exit

from imagebake import progress as reporting
from imagebake import settings as configuration
from imagebake.errors import ImagebakeError, SpecError
from imagebake.settings import Settings
from imagebake.workspace import Workspace, find_root

BUG = 1
INTERRUPTED = 130



@contextlib.contextmanager
def boundary() -> Iterator[None]:
    """Turn what goes wrong into words for its reader and an exit code.

    The user's mistakes are one message; ours are a traceback and where to report it.
    """
    try:
        yield
    except ImagebakeError as error:
        print(explain(error, annotate="GITHUB_ACTIONS" in os.environ), file=sys.stderr)
        raise Exit(code=error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise Exit(code=INTERRUPTED) from None
    except (Exit, BrokenPipeError):
        raise
    except Exception:
        traceback.print_exc()
        print(
            "error: this is a mistake in imagebake, not in your files\n"
            "  = hint: please open an issue with the lines above and the command you typed",
            file=sys.stderr,
        )
        raise Exit(code=BUG) from None


def explain(error: ImagebakeError, *, annotate: bool = False) -> str:
    """What to print for *error*; with *annotate*, GitHub's form for mistakes in files."""
    if isinstance(error, SpecError):
        shown = [str(diagnostic) for diagnostic in error.diagnostics]
        if annotate:
            shown += [diagnostic.annotation() for diagnostic in error.diagnostics]
        return "\n\n".join([*shown, f"error: {error.message}"])
    lines = [f"error: {error.message}"]
    if error.hint:
        lines.append(f"  = hint: {error.hint}")
    return "\n".join(lines)


def load_workspace() -> tuple[Workspace, Settings]:
    """The workspace and its settings, from the environment and the current directory."""
    named = os.environ.get("IMAGEBAKE_ROOT")
    root = Path(named) if named else find_root(Path.cwd())
    settings = configuration.load(root, os.environ)
    state = Path(settings.state) if settings.state else root / ".imagebake"
    return Workspace(root=root, state=state if state.is_absolute() else root / state), settings


def console_progress(*, quiet: bool) -> reporting.Progress:
    """Progress for whoever reads standard error."""
    return reporting.NoProgress() if quiet else reporting.PlainProgress(sys.stderr)
