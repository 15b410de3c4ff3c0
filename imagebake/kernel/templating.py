"""The Jinja environments: scripts, JSON, workflows and pages.

A template has the shape, and cannot print a value raw. Each environment encodes every value for
its language: as a word of the shell, a PowerShell literal, a JSON value, or escaped HTML.
"""

from __future__ import annotations

import functools
import json
import re
import shlex
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from imagebake.kernel.errors import RenderError
from imagebake.kernel.text.times import ago, number, span, utc

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which can end a line or drive a terminal, and lone surrogates."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a script that is printed as it is, because we wrote or rendered it.

    Never make one from a value of a spec or a lock. No template can make one.
    """

    text: str


_ASCII_RUN = re.compile(r"[\x20-\x7e]+|[^\x20-\x7e]+")


def powershell_text(value: object) -> str:
    """Write *value* (a text or a number) as one literal of PowerShell, in ASCII alone.

    PowerShell ends a quoted text at five characters, four of which are curly quotes, and
    Windows PowerShell reads a script without a byte order mark in the machine's own code
    page. So characters beyond ASCII are written as `[char]0x2019`, joined to the texts
    around them. Raises `ValueError` for a control character, and `TypeError` for a value
    that is neither a text nor a number.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a {type(value).__name__} is not a literal of PowerShell")
    text = str(value)
    if found := CONTROL.search(text):
        raise ValueError(f"{text!r} has the control character {found.group()!r}")
    if isinstance(value, int):
        return text if value >= 0 else f"({text})"
    parts = [part for run in _ASCII_RUN.findall(text) for part in _literals(run)]
    if not parts:
        return "''"
    if len(parts) == 1 and parts[0].startswith("'"):
        return parts[0]
    # A sum is a text only where its first part is one.
    first = [] if parts[0].startswith("'") else ["''"]
    return f"({' + '.join([*first, *parts])})"


def _literals(run: str) -> list[str]:
    """Write a run of characters, all ASCII or all beyond it, as literals."""
    if run.isascii():
        doubled = run.replace("'", "''")
        return [f"'{doubled}'"]
    units = run.encode("utf-16-be")
    return [f"[char]0x{units[at : at + 2].hex()}" for at in range(0, len(units), 2)]


def here_string(text: str) -> Fragment:
    """Write *text* as a literal here-string of PowerShell, which keeps its lines readable.

    The newline at the end of *text* is not part of it. Raises `ValueError` for a line that
    would end it early, and for characters beyond ASCII, which Windows PowerShell may misread.
    """
    body = text.removesuffix("\n")
    if found := CONTROL.search(body.replace("\n", "")):
        raise ValueError(f"the text has the control character {found.group()!r}")
    for line in body.split("\n"):
        if not line.isascii():
            raise ValueError(f"the line {line!r} is not ASCII, and may be read as another")
        if line.startswith("'@"):
            raise ValueError(f"the line {line!r} ends the here-string")
    return Fragment(f"@'\n{body}\n'@")


_SUFFIX = ".j2"
_MOST_TEXTS = 500
"""Number of rendered texts kept in memory, a few kilobytes each."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    text: str

    def __str__(self) -> str:
        return self.text


def shell_word(value: object) -> str:
    """Quote *value* (a text or a number) as one word of the POSIX shell.

    Raises `ValueError` for a control character, and `TypeError` for a value that is not a
    single word. A word may still start with a dash: the template writes `--` before it.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a {type(value).__name__} is not a word of the shell")
    text = str(value)
    if found := CONTROL.search(text):
        raise ValueError(f"{text!r} has the control character {found.group()!r}")
    return shlex.quote(text)


def heredoc(text: str, word: str) -> Fragment:
    """Write *text* as a literal here-document, ended by *word*.

    The last line of *text* gets a newline where it has none. Raises `ValueError` for a line
    that would end the document early, and for one that dash would change.
    """
    body = text.removesuffix("\n")
    if word in body.split("\n"):
        raise ValueError(f"a line is {word!r}, which ends the here-document")
    if found := CONTROL.search(body.replace("\n", "")):
        raise ValueError(f"the text has the control character {found.group()!r}")
    if changed := next((line for line in body.split("\n") if _loses_byte(line, word)), None):
        raise ValueError(f"the line {changed!r} begins like {word!r}, and dash would lose a byte")
    return Fragment(f"<<'{word}'\n{body}\n{word}")


def _loses_byte(line: str, word: str) -> bool:
    """Whether dash drops a byte of *line* while it looks for *word*.

    Measured with dash 0.5.12: where a line begins like the word, the byte at which they differ
    is lost if it is not ASCII.
    """
    if line.isascii() or line[0] != word[0]:  # the usual case, without the loop below
        return False
    return any(
        line.startswith(word[:same]) and not line[same : same + 1].isascii()
        for same in range(1, len(word) + 1)
    )


def _finalize_shell(value: Any) -> Any:  # noqa: ANN401 - what a template may print
    if isinstance(value, jinja2.Undefined):
        return value
    return value.text if isinstance(value, Fragment) else shell_word(value)


def _finalize_powershell(value: Any) -> Any:  # noqa: ANN401 - what a template may print
    if isinstance(value, jinja2.Undefined):
        return value
    return value.text if isinstance(value, Fragment) else powershell_text(value)


def _encode(value: Any) -> _Encoded:  # noqa: ANN401 - what a template may print
    if isinstance(value, _Encoded):
        return value
    return _Encoded(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _finalize_json(value: Any) -> Any:  # noqa: ANN401 - what a template may print
    return value if isinstance(value, jinja2.Undefined) else _encode(value)


def _finalize_yaml(value: Any) -> Any:  # noqa: ANN401 - what a template may print
    return value.text if isinstance(value, Fragment) else _finalize_json(value)


def _environment(
    folder: Path, finalize: Callable[[Any], Any], **delimiters: str
) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        **delimiters,
        loader=jinja2.FileSystemLoader(folder),
        auto_reload=False,  # all of a plan comes from the templates as they were at its start
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["heredoc"] = heredoc
    environment.filters["here_string"] = here_string
    environment.filters["tojson"] = _encode
    return environment


_BRACKETS = {
    "variable_start_string": "[[",
    "variable_end_string": "]]",
    "block_start_string": "[%",
    "block_end_string": "%]",
    "comment_start_string": "[#",
    "comment_end_string": "#]",
}


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of *folder*, each compiled once."""

    folder: Path
    _shell: jinja2.Environment = field(init=False, repr=False, compare=False)
    _powershell: jinja2.Environment = field(init=False, repr=False, compare=False)
    _json: jinja2.Environment = field(init=False, repr=False, compare=False)
    _yaml: jinja2.Environment = field(init=False, repr=False, compare=False)
    _texts: dict[Any, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shell", _environment(self.folder, _finalize_shell))
        powershell = _environment(self.folder, _finalize_powershell)
        object.__setattr__(self, "_powershell", powershell)
        object.__setattr__(self, "_json", _environment(self.folder, _finalize_json))
        object.__setattr__(self, "_yaml", _environment(self.folder, _finalize_yaml, **_BRACKETS))

    def shell(self, name: str, **values: Any) -> str:  # noqa: ANN401 - what a template prints
        """Render *name* with every printed value quoted as one word of the shell.

        Many images share steps: the same values give the same text, which is kept.
        """
        return self._cached(self._shell, name, values)

    def powershell(self, name: str, **values: Any) -> str:  # noqa: ANN401 - what a template prints
        """Render *name* with every printed value as a literal of PowerShell; kept as in `shell`."""
        return self._cached(self._powershell, name, values)

    def _cached(self, environment: jinja2.Environment, name: str, values: dict[str, Any]) -> str:
        key = (name, _frozen(values))
        try:
            text = self._texts.get(key)
        except TypeError:  # a value that cannot be a key
            return _render(environment, name, values)
        if text is None:
            text = _render(environment, name, values)
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            self._texts[key] = text
        return text

    def file(self, name: str) -> str:
        """Read *name*, a program for an image and not a template, without its empty lines.

        The lines of an inline step are never empty, and these programs need no empty ones.
        """
        try:
            text = (self.folder / name).read_text(encoding="utf-8")
        except OSError as error:
            raise RenderError(
                f"templates/{name} is missing",
                hint="a repository's own templates/ needs all of them: copy it from imagebake",
            ) from error
        return "".join(f"{line}\n" for line in text.splitlines() if line.strip())

    def workflow(self, name: str, **values: Any) -> str:  # noqa: ANN401 - what a template prints
        """Render *name*, a workflow, with every printed value encoded as JSON, a subset of YAML.

        The delimiters are square brackets, because GitHub's expressions use curly ones.
        """
        return _render(self._yaml, name, values)

    def json(self, name: str, **values: Any) -> Any:  # noqa: ANN401 - JSON is what it is
        """Render *name* with every printed value encoded as JSON, and parse the result."""
        text = _render(self._json, name, values)
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise RenderError(
                f"templates/{name}: the rendered text is not JSON: {error}",
                hint="a value stands alone: {{ value }}, without quotes around it",
            ) from error


def _frozen(value: Any) -> Any:  # noqa: ANN401 - any value of a template
    """Make a key of *value*; two are equal only where every template prints them alike."""
    if isinstance(value, dict):
        return dict, tuple((name, _frozen(part)) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return value if isinstance(value, str) else (type(value), value)


def _render(environment: jinja2.Environment, name: str, values: dict[str, Any]) -> str:
    """Render *name*; raises `RenderError` with a place for every mistake in a template."""
    try:
        return environment.get_template(name).render(values)
    except jinja2.TemplateSyntaxError as error:
        where = f"{error.name or name}:{error.lineno}"
        raise RenderError(f"templates/{where}: {error.message}") from error
    except jinja2.TemplateNotFound as error:
        raise RenderError(
            f"templates/{error.name} is missing",
            hint="a repository's own templates/ needs all of them: copy it from imagebake",
        ) from error
    except jinja2.UndefinedError as error:
        raise RenderError(
            f"templates/{_place(name, error)}: {error.message}",
            hint="docs/concepts/rendering.md lists what each template is given",
        ) from error
    except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError) as error:
        raise RenderError(f"templates/{_place(name, error)}: {error}") from error


def _place(name: str, error: Exception) -> str:
    """Find the template and the line of *error* in its traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.endswith(_SUFFIX)]
    if not inside:
        return name
    # The traceback has the path on the disk; a message names the template as a caller does.
    last = inside[-1]
    parts = Path(last.filename).parts
    depth = len(Path(name).parts)
    return f"{'/'.join(parts[-depth:])}:{last.lineno}"


_PACKAGE = Path(__file__).resolve().parents[1]
_PAGES = (_PACKAGE / "templates" / "pages", _PACKAGE.parent / "templates" / "pages")
"""In the wheel, and in a clone. A repository's own `templates/` has no part in pages, so that one
copied from an older version cannot break them."""
_BREAKS = re.compile(r"(?<=[./:_-])(?=[A-Za-z])|(?<=@)(?=\w)")


def render_page(name: str, **values: Any) -> str:  # noqa: ANN401 - what a template prints
    """Render the HTML or SVG template *name* of `templates/pages/`, with every value escaped.

    The templates belong to the tool. A mistake in one is a bug of ours, so Jinja's own errors
    are left as they are.
    """
    return _page_environment().get_template(name).render(values)


@functools.cache
def _page_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        optimized=False,  # a run renders a page once: to optimize it takes longer than that
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Without this filter no template can print a value unescaped.
    del environment.filters["safe"]
    environment.filters |= {
        "ago": ago,
        "breakable": _breakable,
        "grouped": "{:,}".format,
        "number": number,
        "span": span,
        "utc": utc,
    }
    return environment


def _breakable(text: str) -> Markup:
    """Allow a line break in *text* behind each dot, slash and the like, without a character more.

    A zero-width space would do the same on the screen, but it would be copied with the text.
    """
    return Markup("<wbr>").join(filter(None, _BREAKS.split(text)))
