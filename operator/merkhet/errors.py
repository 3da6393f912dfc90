"""What can go wrong beyond what is expected: one tree, caught in the loop and in the workloads' mains only."""


class MerkhetError(Exception):
    """Anything Merkhet raises itself; the message names the object, what was found, what was wanted, what to do.

    ``reason`` is CamelCase: the condition's reason, the event's and the metric's label.
    """

    reason = "Failed"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class InvalidSpec(MerkhetError):
    """A spec that the schema let through and that cannot be meant."""

    reason = "InvalidSpec"


class Refused(MerkhetError):
    """Work that would fail the same way each time: trying again with the same input is of no use."""

    reason = "Refused"


class Corrupt(MerkhetError):
    """Stored bytes that are not what their digest says."""

    reason = "Corrupt"


class Missing(MerkhetError):
    """Something stored that is referred to and not there."""

    reason = "Missing"


class Unavailable(MerkhetError):
    """The world does not answer now and may later: trying again is right."""

    reason = "Unavailable"
