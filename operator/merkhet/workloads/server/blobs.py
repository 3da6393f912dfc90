"""What are the bytes of that digest?"""

from __future__ import annotations

import hashlib
from pathlib import Path

from merkhet.errors import Corrupt, Missing, Unavailable
from merkhet.store import paths


def read(store: Path, digest: str) -> bytes:
    """The bytes of a blob: those that were verified, read once, are those that are used.

    *Raises* Corrupt where they have another digest; Missing where there are none; Unavailable where the store does
    not answer.
    """
    file = store / paths.blob(digest)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        if not (store / "blobs").is_dir():
            raise Unavailable(
                f"no store is mounted at {store}; mount the blobs of the namespace's store there"
            ) from None
        raise Missing(f"blob {digest} is not in the store; restore it from a snapshot or train again") from None
    except OSError as error:
        raise Unavailable(f"blob {digest} cannot be read: {error}") from error
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != digest:
        raise Corrupt(
            f"blob {digest} is corrupt: found {len(content)} bytes with digest {found}, wanted {digest}; "
            "restore it from a snapshot or train again"
        )
    return content
