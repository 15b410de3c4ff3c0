"""Redaction of texts from elsewhere before they are shown.

Azure's errors quote addresses whose queries are signatures, headers that hold tokens, and
bodies that hold passwords. Whatever looks like one of them is removed.
"""

from __future__ import annotations

import re

CUT = "…"
_NAMED = (
    r"(?:\b|_)[\w.-]{0,40}(?:secret|password|passwd|pwd|token|signature|assertion|api[_-]?key"
    r"|account[_-]?key|access[_-]?key|shared[_-]?key|private[_-]?key|credential"
    r"|(?<![a-z])sig|(?<![a-z])jwt)"
)


_ADDRESS = re.compile(r"\b[a-z]{2,12}://[^\s'\"<>]+", re.IGNORECASE)
_MARK = re.compile(r"[?#]")


def _rule(pattern: str, instead: str = CUT) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL), instead


_RULES = (
    # PEM, even without its end: a log may have been cut in the middle.
    _rule(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)"),
    # User name and password before the host.
    _rule(r"(\b[a-z]{2,12}://)[^\s/?#'\"<>@]*@", r"\1"),
    _rule(r"(\b(?:proxy-)?authorization['\"]?\s*[:=]\s*)[^\r\n]+", rf"\1{CUT}"),
    # A short word of letters alone is prose, as in "Bearer token required", and stays.
    _rule(r"(\b(?:Bearer|Basic|SharedKey)[ :]+)(?=\S*[\d_.=/+-]|\S{20})[^\s'\",;]+", rf"\1{CUT}"),
    # Base64url of '{"', with which the header of every JWT begins.
    _rule(r"\beyJ[\w-]+(?:\.[\w-]*){0,4}"),
    _rule(rf"({_NAMED}['\"]?\s*[=:]\s*)(['\"])(?:\\.|(?!\2).)*\2?", rf"\1\2{CUT}\2"),
    _rule(rf"({_NAMED}=)[^\s&;,'\")]+", rf"\1{CUT}"),
    _rule(r"(\b(?:account|sharedaccess|access)[_-]?key: ?)[^\s'\"&;,]{6,}", rf"\1{CUT}"),
    _rule(r"(\b(?:password|passwd|client[_-]?secret|secret): ?)[^\s'\"&;,]{6,}", rf"\1{CUT}"),
    # Shapes that need no name: tokens of GitHub and npm, and Entra's client secrets.
    _rule(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{60,255}|npm_[A-Za-z0-9]{36})\b"),
    _rule(r"(?<![\w~.-])[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}"),
)


def redact(text: str) -> str:
    """Return *text* without queries of URLs, tokens, keys and values of secret names."""
    text = _ADDRESS.sub(_without_query, text)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def _without_query(address: re.Match[str]) -> str:
    """Return a URL up to its query, and the rest in brackets."""
    end = _MARK.search(address[0])
    if end is None:
        return address[0]
    _, bracket, behind = address[0][end.end() :].partition(")")
    return f"{address[0][: end.start()]}?{CUT}{bracket}{behind}"
