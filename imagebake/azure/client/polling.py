"""How often to ask about an operation that takes long."""

from __future__ import annotations

from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.throttle import Throttle

_SHARE, _LONGEST = 0.01, 15.0
_JITTER = 0.25
_MOST_STRAIN = 0.9


def rest(endpoint: Endpoint, throttle: Throttle, path: str, age: float) -> float:
    """The seconds until the next look at *path*, where *age* of them have passed.

    A hundredth of what has passed, within limits.
    """
    wanted = max(endpoint.polling_seconds, min(age * _SHARE, _LONGEST))
    return stretched(wanted, throttle, path)


def stretched(wanted: float, throttle: Throttle, path: str) -> float:
    """*wanted* seconds, drawn a little shorter, and longer where all together ask too much.

    So bakes that began in step do not go on in step, and the less is left of what all may
    read the slower each of them looks.
    """
    drawn = wanted * (1 - _JITTER * throttle.patience.dice())
    return drawn / (1 - min(_MOST_STRAIN, throttle.strain("GET", path)))
