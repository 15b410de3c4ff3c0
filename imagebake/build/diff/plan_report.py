"""Render a plan diff for a terminal and as a pull request comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from imagebake.build.diff.changes import PlanChange, PlanDiff
from imagebake.kernel.text.markdown import code, fenced, folded, plain, table

MARK = "<!-- imagebake: plan -->"
"""First line of the comment, by which the workflow finds its earlier comment."""

LARGEST = 65_000
"""Largest comment in bytes; GitHub accepts 65,536 characters."""

COLUMNS = ("", "what", "name", "from → to", "why")
_KIBI = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlanDiff:
    """The plan diff of one image; *against* names the other side.

    *missing* and *missing_bytes* count what this machine's mirror lacks for the bake. *note* is
    a caveat on the rest.
    """

    comparison: PlanDiff
    against: str
    missing: int = 0
    missing_bytes: int = 0
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the plan diff for programs."""
        return self.comparison.to_json() | {
            "against": self.against,
            "to_mirror": self.missing,
            "to_mirror_bytes": self.missing_bytes,
            "note": self.note or None,
        }


def bake_effect(plan: ImagePlanDiff) -> str:
    """Describe the effect of a bake in a few words."""
    comparison = plan.comparison
    if comparison.gone:
        return "the image is removed: no spec bakes it any more"
    if comparison.rebuilt:
        return "a bake makes a new version"
    if comparison.changes:
        return "a bake makes no new version: these changes come with the next one"
    return "a bake changes nothing"


def pending_work(plan: ImagePlanDiff) -> tuple[str, ...]:
    """Return the steps to run and the artifacts to fetch; empty if nothing is built."""
    comparison = plan.comparison
    if not comparison.rebuilt or comparison.gone:
        return ()
    count, rerun = len(comparison.steps), comparison.rerun
    first = comparison.steps[count - rerun] if rerun else ""
    steps = f"steps: Azure runs all {count}; this machine {rerun}" + (
        f", from {first} on" if 0 < rerun < count else ""
    )
    new_size = format_bytes(comparison.fetched_bytes)
    fetched = (
        f"artifacts: {_are(len(comparison.fetched))} new ({new_size}),"
        f" {_are(plan.missing)} not in the mirror here ({format_bytes(plan.missing_bytes)})"
    )
    return steps, fetched


def terminal_rows(changes: Sequence[PlanChange], *, most: int) -> tuple[list[tuple[str, ...]], int]:
    """Return the changes as rows under `COLUMNS`, and the number of omitted ones.

    If more than *most* indirect changes exist, none of them is shown.
    """
    along = sum(not change.direct for change in changes)
    shown = [change for change in changes if change.direct or along <= most]
    cells: list[tuple[str, ...]] = [
        (change.sign, change.kind, change.name, change.moved, " · ".join(_why(change)))
        for change in shown
    ]
    return cells, len(changes) - len(shown)


def render_comment(plans: Sequence[ImagePlanDiff], *, limit: int = LARGEST) -> str:
    """Render all plans as a comment of at most *limit* bytes; unchanged images are only counted.

    If it is too long, these are cut in order: ends of the diffs, diffs, indirect changes,
    tables, images.
    """
    differing = [plan for plan in plans if plan.comparison.differs or plan.note]
    # Each round leaves out more, until the comment fits.
    for detail in (_Detail(lines=lines) for lines in (2000, 400, 100, 25, 0)):
        text = _comment(plans, differing, detail)
        if len(text.encode()) <= limit:
            return text
    for detail in (_Detail(lines=0, folded=False), _Detail(lines=0, folded=False, tables=False)):
        text = _comment(plans, differing, detail)
        if len(text.encode()) <= limit:
            return text
    return _cut(text, limit)


def format_bytes(count: int) -> str:
    """Format a number of bytes in its largest unit: `1.5 MiB`."""
    amount = float(count)
    for unit in ("B", "KiB"):
        if amount < _KIBI:
            return f"{amount:.0f} {unit}"
        amount /= _KIBI
    return f"{amount:.1f} MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Detail:
    """Level of detail; *lines* limits each image's diff."""

    lines: int
    folded: bool = True
    tables: bool = True


def _comment(
    plans: Sequence[ImagePlanDiff], differing: Sequence[ImagePlanDiff], detail: _Detail
) -> str:
    parts = [MARK, f"### Plan: {_counted(len(differing), len(plans))}"]
    if len(differing) > 1:
        parts.append(
            table(
                ("image", "", "changes"),
                (
                    (code(plan.comparison.image), bake_effect(plan), _sum(plan.comparison))
                    for plan in differing
                ),
            )
        )
    if detail.tables or len(differing) == 1:
        for plan in differing:
            parts += _image(plan, detail)
    else:
        parts.append("The tables do not fit here: `./inv plan IMAGE` shows those of one image.")
    return "\n\n".join(parts) + "\n"


def _counted(differing: int, count: int) -> str:
    same = count - differing
    if not differing:
        return "nothing changes"
    changes = f"{differing} image{' changes' if differing == 1 else 's change'}"
    return f"{changes}, {same} {'does' if same == 1 else 'do'} not" if same else changes


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def _sum(comparison: PlanDiff) -> str:
    counts = [f"{risk.value.lower()} ({len(changes)})" for risk, changes in comparison.groups()]
    return ", ".join(counts)


def _image(plan: ImagePlanDiff, detail: _Detail) -> Iterator[str]:
    comparison = plan.comparison
    yield f"#### {code(comparison.image)}: {bake_effect(plan)}"
    yield f"Compared with {plain(plan.against)}." + (f" {plain(plan.note)}." if plan.note else "")
    for risk, changes in comparison.groups():
        yield f"**{risk.value}**"
        direct = [change for change in changes if change.direct]
        if direct:
            yield _table(direct) if detail.tables else f"{len(direct)} changes"
        along = [change for change in changes if not change.direct]
        if along:
            what = f"{len(along)} more that follow{'s' if len(along) == 1 else ''} from these"
            yield folded(what, _table(along)) if detail.folded else f"{what}."
    if todo := pending_work(plan):
        yield "\n".join(f"- {line}" for line in todo)
    if comparison.diff:
        yield _diff(comparison, detail)


def _table(changes: Sequence[PlanChange]) -> str:
    return table(COLUMNS, ((_sign(change), change.kind, *_cells(change)) for change in changes))


def _sign(change: PlanChange) -> str:
    return code(change.sign)


def _cells(change: PlanChange) -> tuple[str, str, str]:
    why = [plain(text) for text in _why(change)]
    if change.link:
        why.append(f"[release]({quote(change.link, safe=':/%')})")
    texts = [change.old, change.new] if change.old != change.new else [change.new]
    moved = " → ".join(code(text) for text in texts if text)
    return code(change.name), moved, " · ".join(why)


def _why(change: PlanChange) -> list[str]:
    answer = ": ".join(text for text in (change.owner, change.reason) if text)
    return [text for text in (change.note, answer) if text]


def _diff(comparison: PlanDiff, detail: _Detail) -> str:
    lines = comparison.diff.splitlines()
    added, gone = (
        sum(line.startswith(sign) and not line.startswith(sign * 3) for line in lines)
        for sign in "+-"
    )
    summary = f"Rendered scripts: {added} lines added, {gone} removed"
    if not detail.lines:
        return f"{summary}. `./inv plan {comparison.image} --diff` shows them."
    shown = lines[: detail.lines]
    if len(shown) < len(lines):
        shown.append(f"… {len(lines) - len(shown)} more lines: ./inv plan IMAGE --diff")
    return folded(summary, fenced("\n".join(shown), "diff"))


def _cut(text: str, limit: int) -> str:
    """Cut *text* to *limit* bytes after a whole line, and say so in a last one."""
    end = "\n\nThe rest does not fit here: `./inv plan` shows it\n"
    head = text.encode()[: limit - len(end.encode())].decode(errors="ignore")
    return head.rpartition("\n")[0] + end
