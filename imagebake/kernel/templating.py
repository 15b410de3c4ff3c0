"""Jinja for shape: every value is quoted, or encoded, by construction."""

from __future__ import annotations

import functools
import json
import re
import shlex
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from imagebake.kernel.errors import RenderError
from imagebake.kernel.text.times import ago, number, span, utc

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What could end a line or ring a bell, and halves of characters."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a script that we wrote, or rendered: it goes into a script as it is.

    Nothing that comes from a spec or a lock may be made one; no template can make one.
    """

    text: str


_ASCII_RUN = re.compile(r"[\x20-\x7e]+|[^\x20-\x7e]+")


def powershell_text(value: object) -> str:
    """Write *value* (a text or a number) as one literal of PowerShell, in ASCII alone.

    PowerShell ends a quoted text at five characters, four of which are curly quotes, and
    Windows PowerShell reads a script without a byte order mark in the machine's own code
    page. So no character beyond ASCII is written: it becomes `[char]0x2019`, joined to the
    texts around it. Raises `ValueError` for a control character, and `TypeError` for
    anything that is neither a text nor a number.
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
    # A sum that begins with a text is a text, whatever is added to it.
    first = [] if parts[0].startswith("'") else ["''"]
    return f"({' + '.join([*first, *parts])})"


def _literals(run: str) -> list[str]:
    """The literals of a run of characters that are all ASCII, or all beyond it."""
    if run.isascii():
        doubled = run.replace("'", "''")
        return [f"'{doubled}'"]
    units = run.encode("utf-16-be")
    return [f"[char]0x{units[at : at + 2].hex()}" for at in range(0, len(units), 2)]


def here_string(text: str) -> Fragment:
    """Write *text* as a here-string that PowerShell leaves alone; its lines stay readable.

    The newline at the end of *text* is not part of it. Raises `ValueError` where a line of
    it would end it early, or where Windows PowerShell might read another character.
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
"""So many rendered texts are kept, a few kilobytes each."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Encoded:
    text: str

    def __str__(self) -> str:
        return self.text


def shell_word(value: object) -> str:
    """Quote *value* (a text or a number) as one word of the POSIX shell.

    Raises `ValueError` for a control character, which could end a line or ring a bell, and
    `TypeError` for anything that is no single word. A word may still start with a dash:
    the template that it goes into writes `--` before it.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a {type(value).__name__} is not a word of the shell")
    text = str(value)
    if found := CONTROL.search(text):
        raise ValueError(f"{text!r} has the control character {found.group()!r}")
    return shlex.quote(text)


def heredoc(text: str, word: str) -> Fragment:
    """Write *text* as a here-document that the shell leaves alone, ended by *word*.

    Raises `ValueError` where a line of *text* would end it early, or be spoilt by the shell.
    The last line of *text* gets a newline where it has none.
    """
    body = text.removesuffix("\n")
    if word in body.split("\n"):
        raise ValueError(f"a line is {word!r}, which ends the here-document")
    if found := CONTROL.search(body.replace("\n", "")):
        raise ValueError(f"the text has the control character {found.group()!r}")
    if spoilt := next((line for line in body.split("\n") if _spoilt(line, word)), None):
        raise ValueError(f"the line {spoilt!r} begins like {word!r}, and dash would lose a byte")
    return Fragment(f"<<'{word}'\n{body}\n{word}")


def _spoilt(line: str, word: str) -> bool:
    """Whether dash 0.5.12, comparing *line* with *word*, drops the byte at which they differ."""
    if line.isascii() or line[0] != word[0]:  # nearly every line
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
        auto_reload=False,  # a plan is made by what was there when it was begun
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
    """The templates of *folder*, compiled once each, with the ways to render them."""

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

        What many images share is rendered once: the same values give the same text.
        """
        return self._once(self._shell, name, values)

    def powershell(self, name: str, **values: Any) -> str:  # noqa: ANN401 - what a template prints
        """Render *name* with every printed value as a literal of PowerShell; once, as `shell`."""
        return self._once(self._powershell, name, values)

    def _once(self, environment: jinja2.Environment, name: str, values: dict[str, Any]) -> str:
        key = (name, _frozen(values))
        render = functools.partial(_render, environment, name, values)
        try:
            known = self._texts.get(key)
        except TypeError:  # a value that cannot be a key
            return _explained(name, render)
        if known is None:
            known = _explained(name, render)
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            self._texts[key] = known
        return known

    def file(self, name: str) -> str:
        """The text of *name*, which is a program of an image and no template; no line is empty.

        Image Builder's lines are never empty, and to these programs empty lines mean nothing.
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
        """Render *name*, a workflow, with every printed value encoded as JSON, which YAML reads.

        Its own values stand in square brackets, because GitHub's stand in curly ones.
        """
        return _explained(name, functools.partial(_render, self._yaml, name, values))

    def json(self, name: str, **values: Any) -> Any:  # noqa: ANN401 - JSON is what it is
        """Render *name* with every printed value encoded as JSON, and read the result."""
        text = _explained(name, functools.partial(_render, self._json, name, values))
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise RenderError(
                f"templates/{name}: the rendered text is not JSON: {error}",
                hint="a value stands alone: {{ value }}, without quotes around it",
            ) from error


def _frozen(value: Any) -> Any:  # noqa: ANN401 - whatever a template is given
    """*value* as a key: equal where a template cannot tell the difference."""
    if isinstance(value, dict):
        return dict, tuple((name, _frozen(part)) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    return value if isinstance(value, str) else (type(value), value)


def _render(environment: jinja2.Environment, name: str, values: dict[str, Any]) -> str:
    return environment.get_template(name).render(values)


def _explained(name: str, render: Callable[[], _Result]) -> _Result:
    """What *render* gives; every way a template can fail becomes one sentence and a place."""
    try:
        return render()
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
            hint="docs/rendering.md lists what each template is given",
        ) from error
    except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError) as error:
        raise RenderError(f"templates/{_place(name, error)}: {error}") from error


def _place(name: str, error: Exception) -> str:
    """The template and line that *error* came from, told from its traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.endswith(_SUFFIX)]
    if not inside:
        return name
    # The traceback has the path on disk; people know the template by its name.
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
