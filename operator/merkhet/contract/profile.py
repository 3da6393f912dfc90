"""What is known of the rows of a FeatureSet's version: for people, and to measure later rows against.

The same rows give the same bytes. Of a personal column there is nothing but its type and how much of it is missing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.features import CheckedBias, CheckedRule

PROBABILITIES = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
MAX_BINS = 34  # of a histogram: 32, and one for each tail
MAX_BANDS = 20
MAX_TIMES = 100
MAX_VALUES = 20
LONGEST_VALUE = 63  # characters; longer texts are cut


class Histogram(Message):
    """How many values lie from each edge to before the next; the last bin has its upper edge in it."""

    edges: tuple[float, ...] = Field(max_length=MAX_BINS + 1)  # ascending, one more than the counts
    counts: tuple[int, ...] = Field(max_length=MAX_BINS)
    low_tail: bool = False  # whether the first bin is a tail, wider than the others
    high_tail: bool = False


class Bands(Message):
    """About equally many values in each, as far as repeated ones allow: what distances to later rows are taken over.

    The first band is all below the first cut, the last all from the last cut on: each number has its band.
    """

    cuts: tuple[float, ...] = Field(max_length=MAX_BANDS - 1)  # ascending, one fewer than the counts
    counts: tuple[int, ...] = Field(max_length=MAX_BANDS)


class Numbers(Message):
    """The finite numbers of a column, and how many others there are."""

    count: int
    nan: int = 0  # these are among the missing, too
    infinite: int = 0
    minus_infinite: int = 0
    min: int | float | None = None  # None, and the same below: there is no finite number
    max: int | float | None = None
    mean: float | None = None
    deviation: float | None = None  # standard deviation of these rows, by n
    quantiles: tuple[float, ...] = Field(default=(), max_length=len(PROBABILITIES))  # at PROBABILITIES, interpolated
    histogram: Histogram | None = None
    bands: Bands | None = None


class Value(Message):
    """A value and how many rows have it."""

    value: str = Field(max_length=LONGEST_VALUE + 1)  # text longer than LONGEST_VALUE ends with …
    count: int


class Values(Message):
    """The most frequent values; none where no value comes twice."""

    top: tuple[Value, ...] = Field(default=(), max_length=MAX_VALUES)  # the most frequent first
    others: int = 0  # rows with any other value


class Times(Message):
    """The times of a column, in UTC; bins follow each other without a gap. All is ISO 8601."""

    count: int
    infinite: int = 0
    first: str | None = None  # None: there is no finite time
    last: str | None = None
    unit: str = ""  # of the bins: second, minute, hour, day, week, month, quarter, year, decade, century, millennium
    starts: tuple[str, ...] = Field(default=(), max_length=MAX_TIMES)
    counts: tuple[int, ...] = Field(default=(), max_length=MAX_TIMES)


class ColumnProfile(Message):
    """A column: how much is missing, and one or two of the others by its type."""

    name: str
    type: str
    description: str = ""
    personal: bool = False
    missing: int = 0  # rows without a value; NaN is none
    missing_share: float = 0.0
    distinct: int | None = None  # different values, NaN not counted; None: the column is personal
    numbers: Numbers | None = None
    values: Values | None = None  # of text, boolean, and whole numbers with few different values
    times: Times | None = None


class Profile(Message):
    """A version's profile, at ``featuresets/<name>/<N>.profile.json`` and a blob."""

    version: Literal[1] = 1
    feature_set: str
    number: int
    rows: int
    data_digest: str  # of columns and rows, as in the manifest
    sampled: int | None = None  # of very many rows, how many the counts are of; missing, least and greatest are of all
    entity: tuple[str, ...] = ()
    timestamp: str | None = None
    columns: tuple[ColumnProfile, ...] = Field(max_length=1000)
    quality: tuple[CheckedRule, ...] | None = Field(default=None, max_length=50)  # as found when the version was made
    bias: CheckedBias | None = None  # the same
