"""Secrets by their shape: kind and position, never the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from imagebake.inspection.contents import Leak
from imagebake.kernel.digest import sha256_bytes

LARGEST = 1 << 20
"""Size limit of files to search, in bytes."""

_BINARY_WITHIN = 8192
_PLACEHOLDER = re.compile(
    rb"(?i)x+|\*+|\.+|pass(word|wd)?|secret|token|changeme|example|[a-z]*pass[a-z]*"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of secret: *needle* is a substring of every text with one, and fast to search."""

    kind: str
    needle: bytes
    pattern: re.Pattern[bytes]


def _shape(kind: str, needle: bytes, pattern: bytes) -> Shape:
    return Shape(kind, needle, re.compile(pattern))


SHAPES = (
    _shape(
        # An HMAC-SHA256 in base64: 43 characters and '=', which a query may escape.
        "shared access signature",
        b"sig=",
        rb"\bsig=((?:[A-Za-z0-9+/]|%2[BbFf]){43}(?:=|%3[Dd]))",
    ),
    _shape(
        "account key",
        b"Key=",
        rb"\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{43,88}={0,2})",
    ),
    _shape(
        # Entra puts 'Q~' after a digit in the fourth place.
        "client secret",
        b"Q~",
        rb"(?<![\w~.-])([\w~.-]{3}[0-9]Q~[\w~.-]{31,34})(?![\w~-])",
    ),
    _shape(
        # A JWT: its header and its payload both begin with base64url of '{"'.
        "web token",
        b"eyJ",
        rb"\b(eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,})",
    ),
    _shape(
        # A header alone, as in a program that looks for one, is no key: 64 characters must follow.
        "private key",
        b"PRIVATE KEY",
        rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        rb"(?=(?s:.{64}))([^-]{0,16384}(?:-(?!----)[^-]{0,16384}){0,64})-----END ",
    ),
    *(
        _shape("GitHub token", prefix, rb"\b(" + prefix + rb"[A-Za-z0-9]{36,255})\b")
        for prefix in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    _shape(
        "GitHub token",
        b"github_pat_",
        rb"\b(github_pat_\w{60,255})\b",
    ),
    _shape(
        "Azure DevOps token",
        b"AZDO",
        rb"\b([A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})\b",
    ),
    _shape(
        "registry token",
        b"npm_",
        rb"\b(npm_[A-Za-z0-9]{36})\b",
    ),
    _shape(
        "registry token",
        b"pypi-AgE",
        rb"\b(pypi-AgE[\w-]{50,})",
    ),
    _shape(
        # AWS uses AKIA…EXAMPLE in its documentation.
        "cloud access key",
        b"AKIA",
        rb"\b(AKIA(?![A-Z2-7]{9}EXAMPLE)[A-Z2-7]{16})\b",
    ),
    _shape(
        "password in an address",
        b"://",
        rb"://[^\s/:@'\"<>]{1,64}:([^\s/@'\"<>:${}*()\[\]]{4,128})@[A-Za-z0-9]",
    ),
)


def find_secrets(path: str, content: bytes) -> Iterator[Leak]:
    """Find the secrets in *content*; *path* is used in the result.

    Binary content, and content larger than `LARGEST`, has none.
    """
    if len(content) > LARGEST or b"\0" in content[:_BINARY_WITHIN]:
        return
    for shape in SHAPES:
        if shape.needle not in content:
            continue
        for match in shape.pattern.finditer(content):
            secret = match[1].strip()
            if not _PLACEHOLDER.fullmatch(secret):
                line = content.count(b"\n", 0, match.start()) + 1
                yield Leak(path, line, shape.kind, sha256_bytes(secret))
