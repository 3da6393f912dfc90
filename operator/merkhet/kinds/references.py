"""How one object names others that its runs use."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from merkhet.api.base import Part
from merkhet.api.fields import ColumnName, ComponentVersion, Duration, Name, Version
from merkhet.api.quantities import duration


class FeatureSetReference(Part):
    """Which features."""

    name: Name = Field(description="Name of a FeatureSet in this namespace.")
    version: Version | None = Field(
        default=None, description="Number of its version; left out: the latest when the run starts."
    )


class Join(Part):
    """Columns of a FeatureSet as they were known at the time of each row."""

    feature_set: FeatureSetReference = Field(description="Which features.")
    by: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=8)] = Field(
        description="The columns, named alike on both sides, that tell which of its rows belong to a row."
    )
    max_age: Duration | None = Field(
        default=None, description="Its rows older than this at the row's time are not taken; left out: any age will do."
    )

    def max_age_seconds(self) -> float | None:
        """The age in seconds."""
        return None if self.max_age is None else duration(self.max_age).total_seconds()


class ComponentReference(Part):
    """Which component, and which version of it."""

    name: Name = Field(description="Name of a Component in this namespace.")
    version: ComponentVersion = Field(description="Its version; it stays the same for ever.")
