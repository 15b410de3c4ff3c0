"""Script of a heartbeat machine: get a token, run the health checks, report on the console.

The serial console is readable without any network path to the machine: Azure stores it as
boot diagnostics. Consoles lose and interleave lines, so the report is printed repeatedly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

TOKEN, SCRIPT = "token", "script"
_MARK = "imagebake-beat"
_RESOURCE = "https%3A%2F%2Fmanagement.azure.com%2F"
IDENTITY_HOST = "169.254.169.254"

# IMDS is link-local, so it is requested without the proxy that an image may configure.
_TOKEN = f"""\
import json, sys, time, urllib.request
url = ("http://{IDENTITY_HOST}/metadata/identity/oauth2/token"
       "?api-version=2018-02-01&resource={_RESOURCE}")
ask = urllib.request.Request(url, headers={{"Metadata": "true"}})
direct = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
for attempt in range(3):
    try:
        with direct.open(ask, timeout=10) as answer:
            assert json.load(answer)["access_token"]
        sys.exit(0)
    except Exception as error:
        why = "%s: %s" % (type(error).__name__, error)
        time.sleep(attempt + 1)
print(why)
sys.exit(1)
"""

_FRAME = """\
#!/bin/sh
# Run once by cloud-init on a machine that lives for minutes. It never prints the token.
report=
up() {{ cut -d ' ' -f 1 /proc/uptime; }}
check() {{
    began=$(up)
    if message=$("$2" 2>&1); then state=ok; else state=failed; fi
    message=$(printf %s "$message" | tail -n 3 | tr '\\n' ' ' | tr -cd '[:print:]' | cut -c 1-200)
    report="$report
{mark} {nonce} $1 $state $began $(up) $message"
    printf '%s\\n' "$report" >>/dev/console
}}
token() {{ python3 /run/{mark}.py; }}
health() {{ sh -e /run/{mark}.sh; }}
cat >/run/{mark}.py <<'{end}'
{token}{end}
cat >/run/{mark}.sh <<'{end}'
{lines}
{end}
check token token
{health}
(
    left=300
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        sleep 2
        printf '%s\\n' "$report" >>/dev/console
    done
) </dev/null >/dev/null 2>&1 &
"""


class CheckReport(NamedTuple):
    """Result of one check; *seconds* is its duration by the machine's uptime."""

    ok: bool
    seconds: float
    message: str


def health_script(lines: Iterable[str], nonce: str) -> str:
    """Render the user data that checks the token and then runs *lines*, if any.

    Every line of the report carries *nonce*.
    """
    script = "\n".join(lines)
    return _FRAME.format(
        mark=_MARK,
        nonce=nonce,
        # The nonce ends the here-documents: no line of a health script can end them early.
        end=f"END-{nonce}",
        token=_TOKEN,
        lines=script,
        health="check script health" if script else "",
    )


def read_reports(console: str, nonce: str) -> dict[str, CheckReport]:
    """Parse the reports with *nonce* in *console*, by check, ignoring everything else."""
    pattern = rf"{_MARK} {re.escape(nonce)} (\w+) (ok|failed) (\d+\.\d+) (\d+\.\d+)(.*)"
    found: dict[str, CheckReport] = {}
    for check, state, began, ended, message in re.findall(pattern, console):
        seconds = round(max(0.0, float(ended) - float(began)), 2)
        # The script prints its report repeatedly; the first line that arrived whole is kept.
        found.setdefault(check, CheckReport(state == "ok", seconds, message.strip()))
    return found
