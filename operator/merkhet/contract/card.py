"""The model card: nine sections after Mitchell et al., Model Cards for Model Reporting, FAT* 2019.

Text that people wrote is empty where they wrote none. There is no time in it, and nothing of a personal column: the
same run gives the same bytes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.evaluation import ChampionComparison, ChosenThreshold, Fairness, FeatureImportance, Group
from merkhet.contract.features import ComponentUse
from merkhet.contract.training import DataVersion, Gate, Metric

MAX_LEADING = 10  # features that the card names as the most important ones


class ModelDetails(Message):
    """What it is, and who made it how."""

    task: str
    target: str
    classes: tuple[Any, ...] = ()  # none of a personal target, nor which of them is positive
    positive: Any = None
    personal_target: bool = False
    algorithm: tuple[str, ...]  # a step of the pipeline each, in words; none where the model was brought
    features: int  # columns that the model is fed with
    components: tuple[ComponentUse, ...] = ()
    author: str = ""
    license: str = ""
    contact: str = ""
    training: dict[str, str] = Field(default_factory=dict)  # name, uid, run, trigger
    revision: str = ""
    image: str = ""
    packages: dict[str, str] = Field(default_factory=dict)


class IntendedUse(Message):
    """What it is for, and what not: as people wrote it."""

    stated: str = ""
    out_of_scope: str = ""


class Factor(Message):
    """A column that groups are told by, and its groups among the test rows."""

    column: str
    feature: bool  # whether the model is fed with it
    groups: tuple[str, ...] = ()
    small: tuple[str, ...] = ()  # those of them with too few rows for figures


class MetricsUsed(Message):
    """Which figures there are, how sure they are, and from where on the positive class is predicted."""

    names: tuple[str, ...] = ()
    threshold: ChosenThreshold | None = None
    intervals: str = ""  # how they were made, in words
    min_group_size: int


class RowsUsed(Message):
    """Rows of a version of the data."""

    data: DataVersion
    joined: tuple[DataVersion, ...] = ()
    rows: int
    split: str  # how these rows were told from the others, in words
    weighted: bool = False  # whether rows count differently


class Analyses(Message):
    """Figures of all test rows and of each group, and what the model goes by."""

    metrics: tuple[Metric, ...] = ()
    groups: tuple[Group, ...] = ()
    fairness: tuple[Fairness, ...] = ()
    champion: ChampionComparison | None = None
    importance: str = ""  # the method and the figure that falls
    leading: tuple[FeatureImportance, ...] = Field(default=(), max_length=MAX_LEADING)


class Ethics(Message):
    """What people wrote, and what is known of columns that ask for care."""

    stated: str = ""
    sensitive_features: tuple[str, ...] = ()
    sensitive_left_out: tuple[str, ...] = ()
    personal_left_out: int = 0  # columns that would be features if they were not personal


class Caveats(Message):
    """What people wrote, what the run noticed, and which limits were not kept."""

    stated: str = ""
    warnings: tuple[str, ...] = ()
    not_passed: tuple[Gate, ...] = ()
    not_known: tuple[str, ...] = ()  # what nobody looked at, in words


class Card(Message):
    """The document."""

    version: Literal[1] = 1
    name: str
    number: int
    details: ModelDetails
    intended_use: IntendedUse
    factors: tuple[Factor, ...] = ()
    metrics: MetricsUsed
    evaluation_data: RowsUsed
    training_data: RowsUsed | None = None  # None: the model was brought, and nobody here knows them
    analyses: Analyses
    ethics: Ethics
    caveats: Caveats
