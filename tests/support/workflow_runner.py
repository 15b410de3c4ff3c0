"""Enough of GitHub Actions to run a workflow's commands here, in order, with their values."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


@dataclass(slots=True)
class Runner:
    """Runs workflows in the directory *root*; every job finds what the others left there.

    *variables* are the environment of every step, *event* is `github.event`, *inputs* are
    those of a run by hand, *known* is what the repository's variables say. Artifacts are kept
    in *artifacts*.
    """

    root: Path
    scratch: Path
    variables: Mapping[str, str]
    event: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    artifacts: dict[str, list[Path]] = field(default_factory=dict)
    summary: str = ""

    def run(self, text: str, *, leave_out: frozenset[str] = frozenset()) -> list[str]:
        """Run every job of the workflow *text*; return the names of the steps that ran."""
        workflow = yaml.safe_load(text)
        outputs: dict[str, Any] = {}
        before = len(self.log)
        for name, job in workflow["jobs"].items():
            known = self._context(needs=outputs)
            if not _truth(job.get("if", "true"), known):
                continue
            for matrix in _matrices(job, known):
                context = self._context(needs=outputs, matrix=_dotted(matrix))
                environment = {**workflow.get("env", {}), **job.get("env", {})}
                outputs[name] = self._job(job, context, environment, leave_out)
        return [step for step, _ in self.log[before:]]

    def _context(self, **known: Any) -> dict[str, Any]:  # noqa: ANN401 - any value
        github = {
            "event": self.event,
            "repository": "example/images",
            "token": "not-a-token",
            "server_url": "file:///nowhere",
        }
        known = {name: _dotted(value) for name, value in known.items()}
        return {
            "github": _dotted(github),
            "inputs": _dotted(self.inputs),
            "vars": _dotted(self.known),
            "secrets": _Empty(),
            "steps": SimpleNamespace(),
            "matrix": SimpleNamespace(),
            "fromJSON": json.loads,
            "always": lambda: True,
            "true": True,
            **known,
        }

    def _job(
        self,
        job: Mapping[str, Any],
        context: dict[str, Any],
        environment: Mapping[str, str],
        leave_out: frozenset[str],
    ) -> Any:  # noqa: ANN401 - dotted outputs
        steps: dict[str, Any] = {}
        for step in job["steps"]:
            context["steps"] = _dotted(steps)
            if "uses" in step:
                told = self._use(step, context)
            elif step["name"] in leave_out:
                continue
            else:
                told = self._step(step, context, environment)
            if "id" in step:
                steps[step["id"]] = {"outputs": told}
        context["steps"] = _dotted(steps)
        named = job.get("outputs", {})
        return {"outputs": {name: _filled(text, context) for name, text in named.items()}}

    def _step(
        self, step: Mapping[str, Any], context: dict[str, Any], environment: Mapping[str, str]
    ) -> dict[str, str]:
        given = {
            name: _filled(str(text), context)
            for name, text in {**environment, **step.get("env", {})}.items()
        }
        output, summary = self.scratch / "output", self.scratch / "summary"
        output.write_text("")
        summary.write_text("")
        told = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.root,
            env={**self.variables, **given, **told},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{step['name']}: {step['run']}\n{done.stdout}{done.stderr}"
        self.log.append((step["name"], done.stdout))
        self.summary += summary.read_text()
        pairs = (line.partition("=") for line in output.read_text().splitlines())
        return {name: value for name, _, value in pairs}

    def _there(self, pattern: str) -> list[Path]:
        """What there is of a path in the repository; the state directory is elsewhere."""
        inside = pattern.removeprefix(".imagebake/").rstrip("/")
        state = Path(self.variables["IMAGEBAKE_STATE"])
        return list((state if inside != pattern.rstrip("/") else self.root).glob(inside))

    def _use(self, step: Mapping[str, Any], context: dict[str, Any]) -> dict[str, str]:
        action = step["uses"].partition("@")[0].removeprefix("actions/")
        told = {name: _filled(str(text), context) for name, text in step.get("with", {}).items()}
        if action == "upload-artifact":
            lines = told["path"].split()
            self.artifacts[told["name"]] = [path for line in lines for path in self._there(line)]
        elif action == "download-artifact":
            for path in self.artifacts[told["name"]]:
                if path.parent != self.root:
                    shutil.copy(path, self.root)
        elif action == "attest":
            for name in told.keys() & {"subject-path", "sbom-path"}:
                assert self._there(told[name]), name
        return {"token": "not-a-token"} if action == "create-github-app-token" else {}


class _Empty:
    """A context in which nothing is set."""

    def __getattr__(self, name: str) -> str:
        return ""


class _Dotted(SimpleNamespace):
    """An object whose absent members are empty, as GitHub's are."""

    def __getattr__(self, name: str) -> str:
        return ""


def _dotted(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return _Dotted(**{name: _dotted(member) for name, member in value.items()})
    return value


def _evaluated(expression: str, context: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    python = expression.replace("||", " or ").replace("&&", " and ").strip()
    return eval(python, {"__builtins__": {}}, dict(context))  # noqa: S307 - our own workflows


def _filled(text: str, context: Mapping[str, Any]) -> str:
    return _EXPRESSION.sub(lambda match: str(_evaluated(match[1], context)), text)


def _truth(condition: str, context: Mapping[str, Any]) -> bool:
    return bool(_evaluated(str(condition).replace("True", "true"), context))


def _matrices(job: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    matrix = job.get("strategy", {}).get("matrix", {})
    if not matrix:
        yield {}
    for name, values in matrix.items():
        whole = _EXPRESSION.fullmatch(values) if isinstance(values, str) else None
        for value in _evaluated(whole[1], context) if whole else values:
            yield {name: value}


_GH = """\
echo "$*" >> {folder}/gh.log
case "$*" in
  "run list --status queued "*) cat {folder}/waiting 2>/dev/null || echo 0 ;;
  "run list "*) ls {folder}/runs 2>/dev/null || true ;;
  "run download "*) cp -r {folder}/runs/"$3"/. "$7" ;;
esac"""


def shims(folder: Path, python: str) -> str:
    """A `PATH` on which `sudo` is nothing and `gh` writes down what it was asked.

    How many runs are `waiting` and what the ended `runs` have left are files beside it.
    """
    folder.mkdir(parents=True)
    for name, lines in {
        "sudo": 'exec "$@"',
        "gh": _GH.format(folder=folder),
        "python3": f'exec {python} "$@"',
    }.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
    return f"{folder}{os.pathsep}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
