"""How is a request refused: with which status, in which words?"""

from __future__ import annotations

from merkhet.errors import MerkhetError


class Refusal(MerkhetError):
    """A request that is answered with an error; the message names what was found, what was wanted, what to do."""

    reason = "BadRequest"

    def __init__(self, message: str, status: int = 400, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after  # seconds
