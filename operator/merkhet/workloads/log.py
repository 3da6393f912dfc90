"""A workload's log: one JSON object a line on standard error, each with the words that say whose it is."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import IO


class Lines(logging.Formatter):
    """Time, level, message, the fixed words, and the traceback where there is one."""

    def __init__(self, **words: str) -> None:
        super().__init__()
        self.words = words

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **self.words,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start(stream: IO[str] | None = None, **words: str) -> None:
    """Log to standard error from now on, with these words on each line."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(**words))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
