"""What every message has in common."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Message(BaseModel):
    """A part of a message: immutable, camelCase in JSON; a field that an older reader does not know is passed over."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore", frozen=True
    )

    def body(self) -> dict[str, Any]:
        """JSON values, without what is None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def dump(self) -> str:
        """The same bytes for the same content: sorted, compact, UTF-8 kept."""
        return canonical(self.body())

    @classmethod
    def load(cls, text: str | bytes) -> Self:
        """Parse; raises pydantic's ValidationError, which names the field."""
        return cls.model_validate_json(text)


def canonical(value: Any) -> str:
    """JSON whose bytes depend on the content alone, so that it may be digested."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
