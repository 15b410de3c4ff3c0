"""SDK clients with our retry policy, throttle, tokens and error texts."""

__all__ = [
    "clients",
    "endpoint",
    "errors",
    "identity",
    "requests",
    "retry",
    "serialize",
    "token_clients",
]
