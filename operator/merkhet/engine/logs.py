"""How does the operator log? One JSON object a line, with the object it is about."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

# What a record may carry about the object it speaks of, and how that is written.
OBJECT = {"object_kind": "kind", "object_namespace": "namespace", "object_name": "name"}
# Kopf tells of each event that it hands on.
TALKATIVE = ("kopf", "aiohttp", "asyncio")


class JsonLines(logging.Formatter):
    """A record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        line |= {name: getattr(record, field) for field, name in OBJECT.items() if hasattr(record, field)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str) -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
