"""Is what we want already there? Comparing what we would apply with what the cluster holds."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from merkhet.api.meta import Body

Path = tuple[str, ...]


def covers(live: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there: additions of others count in lists, not in mappings."""
    if isinstance(wanted, dict):
        if isinstance(live, dict):
            return all(covers(live.get(key), value) for key, value in wanted.items())
        return live is None and not wanted
    if isinstance(wanted, list):
        if isinstance(live, list):
            return len(live) == len(wanted) and all(map(covers, live, wanted))
        return live is None and not wanted
    return bool(live == wanted)


def same_members(live: Any, wanted: Any) -> bool:
    """Whether nothing was added to this mapping or list and all that is wanted is there."""
    if isinstance(live, dict) and isinstance(wanted, dict) and live.keys() != wanted.keys():
        return False
    return covers(live, wanted)


def projected(live: Any, wanted: Any) -> Any:
    """What is live, as far as something is wanted there: what has to stay as it is for an answer to stay valid."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {key: projected(live.get(key), value) for key, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(live, list) and len(live) == len(wanted):
        return [projected(one, other) for one, other in zip(live, wanted, strict=True)]
    return live


def at(body: Body, path: Path) -> Any:
    """What stands at a path, None where nothing does."""
    value: Any = body
    for word in path:
        if not isinstance(value, dict):
            return None
        value = value.get(word)
    return value


def pointer(path: Path) -> str:
    """A path as a JSON patch writes it."""
    return "".join("/" + word.replace("~", "~0").replace("/", "~1") for word in path)


def digest(value: Any) -> str:
    """A short name for a JSON value: equal values have equal digests."""
    canonical = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
