"""What people write of a model for those who use it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from merkhet.api.base import Part
from merkhet.api.fields import LongText

Text = Annotated[str, Field(max_length=1024)]


class Card(Part):
    """What users of the model should know; kept with each version."""

    intended_use: LongText = Field(default="", description="What it is for.")
    out_of_scope: LongText = Field(default="", description="What it is not for.")
    limitations: LongText = Field(default="", description="Where it is weak.")
    ethical_considerations: LongText = Field(default="", description="Whom it may harm, and what was done about it.")
    license: Text = Field(default="", description="Under which terms it may be used.")
    contact: Text = Field(default="", description="Whom to ask.")

    def said(self) -> dict[str, str]:
        """What was written, by field."""
        return {name: text for name, text in self.body().items() if text}
