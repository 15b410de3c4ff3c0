"""The error of a token service; a module of its own, because its base class is Azure's.

Importing `azure.core` takes a fifth of a second, and whoever asks for no token needs none of it.
"""

from __future__ import annotations

from azure.core.exceptions import ClientAuthenticationError


class NoToken(ClientAuthenticationError):
    """No token; *passing* where the token service may give one when it is asked again later.

    Not one of the errors of a connection, which would be taken for Azure Resource Manager's
    and tried again by those who have tried already.
    """

    def __init__(self, why: str, *, passing: bool, hint: str) -> None:
        super().__init__(message=why)
        self.passing = passing
        self.hint = hint
