"""End-of-life dates as Microsoft.Compute reads them."""

from __future__ import annotations

import datetime as dt

from imagebake.emulator.errors import invalid_parameter


def moment(text: object) -> dt.datetime | None:
    """Read a date or a moment; None when there is none. A moment without a zone is in UTC."""
    if not text:
        return None
    try:
        read = dt.datetime.fromisoformat(str(text))
    except ValueError:
        raise invalid_parameter(
            f"Could not convert string to DateTimeOffset: {text}. Path 'properties.endOfLifeDate'."
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=dt.UTC)


def require_future(text: object, now: dt.datetime) -> None:
    """Refuse an end-of-life date that has passed."""
    end = moment(text)
    if end and end <= now:
        raise invalid_parameter("EndOfLifeDate must be set to a future date.")
