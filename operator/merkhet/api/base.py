"""What every part of a spec and of a status has in common."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """A part of a spec: immutable, camelCase in YAML, strict about unknown fields."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid", frozen=True
    )

    def body(self) -> dict[str, Any]:
        """JSON values as they stand in YAML, without what nobody set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusPart(Part):
    """A part of a status: what a newer or older operator wrote and we do not know is left out, not refused."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def read(cls, body: Any) -> Self:
        """Parse what stands in the cluster; what does not parse counts as nothing said yet."""
        try:
            return cls.model_validate(body or {})
        except ValueError:
            return cls()
