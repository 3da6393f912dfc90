"""What the counts of groups say, held against limits: a limit that lies in the interval decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from merkhet.contract.features import Bias, BiasFinding, Column
from merkhet.stats import fairness
from merkhet.stats.fairness import Estimate
from merkhet.stats.intervals import CONFIDENCE
from merkhet.workloads.features.sensitive import Attribute

Result = Literal["Passed", "Failed", "Inconclusive", "Reported"]
CONCERN: tuple[Result, ...] = ("Failed", "Inconclusive", "Passed", "Reported")
# Whether a limit is the least that may be; the others are the most.
METRICS: Mapping[str, bool] = {
    "demographic_parity_difference": False,
    "demographic_parity_ratio": True,
    "min_group_share": True,
    "population_difference": False,
    "missingness_gap": False,
    "proxy_auc": False,
}
OF_LABELS = ("demographic_parity_difference", "demographic_parity_ratio")
NAMED = 5  # groups that a message names
LONGEST_SHOWN = 40  # characters of a group's name in a message
LONGEST = 512  # characters of a message


@dataclass(frozen=True, slots=True)
class Group:
    """A group and its counts; ``missing`` are rows without a value, by column."""

    name: str
    rows: int
    labelled: int
    positive: int
    missing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grouped:
    """The groups of a sensitive column, and the rows that have no value of it."""

    attribute: Attribute
    groups: tuple[Group, ...]
    without: Group | None

    @property
    def all(self) -> tuple[Group, ...]:
        """The groups, the missing one last."""
        return self.groups if self.without is None else (*self.groups, self.without)

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(group.rows for group in self.all)

    def named(self, groups: Sequence[str]) -> str:
        """Groups in words; of a personal column only their number."""
        count = f"{len(groups)} group{'' if len(groups) == 1 else 's'}"
        if self.attribute.column.personal:
            return count
        shown = ", ".join(_short(group) for group in groups[:NAMED])
        return f"{count} ({shown}{', …' if len(groups) > NAMED else ''})"

    def one(self, group: Group) -> str:
        """A group in words."""
        return "a group" if self.attribute.column.personal else f"group {_short(group.name)}"

    def other(self, group: Group) -> str:
        """A second group in words."""
        return "another" if self.attribute.column.personal else self.one(group)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure before its limit is known, and what it is about; without an estimate the words say why."""

    metric: str
    words: str
    estimate: Estimate | None
    harmless: bool = False  # without an estimate there is nothing that could be beyond a limit


def findings(grouped: Grouped, bias: Bias, columns: Sequence[Column]) -> list[BiasFinding]:
    """All that counts say of a sensitive column."""
    figures = (*_rates(grouped, bias), *_shares(grouped), *_population(grouped), *_missingness(grouped, bias, columns))
    return [judged(figure, grouped, bias.limits.get(figure.metric)) for figure in figures]


def ordered(found: Sequence[BiasFinding]) -> list[BiasFinding]:
    """In order of concern: those beyond their limit first, and the furthest beyond among them."""

    def concern(finding: BiasFinding) -> tuple[int, float]:
        if finding.value is None or finding.limit is None:
            return CONCERN.index(finding.result), 0.0
        beyond = finding.value - finding.limit
        return CONCERN.index(finding.result), beyond if METRICS[finding.metric] else -beyond

    return sorted(found, key=concern)


def judged(figure: Figure, grouped: Grouped, limit: float | None) -> BiasFinding:
    """What the limit makes of a figure."""
    estimate = figure.estimate
    result = _result(figure, limit)
    found = "" if estimate is None else f"{_told(estimate, limit, result, least=METRICS[figure.metric])}; "
    return BiasFinding(
        metric=figure.metric,
        column=grouped.attribute.name,
        result=result,
        value=None if estimate is None else estimate.value,
        low=None if estimate is None else estimate.low,
        high=None if estimate is None else estimate.high,
        limit=limit,
        message=_bounded(found + figure.words),
    )


def left_out(grouped: Grouped, large: Sequence[Group], bias: Bias) -> str:
    """Which groups were too small to be compared, and how many rows are in none."""
    small = [group.name for group in grouped.groups if group not in large]
    words = f"; {grouped.named(small)} of fewer than {bias.min_group_size} rows left out" if small else ""
    return words + _without(grouped)


def too_few(grouped: Grouped, large: Sequence[Group], bias: Bias) -> str:
    """Why there is nothing to compare."""
    found = f"{len(large)} group{'' if len(large) == 1 else 's'} of {bias.min_group_size} rows or more"
    return f"there {'is' if len(large) == 1 else 'are'} {found}; two are needed{left_out(grouped, large, bias)}"


def _rates(grouped: Grouped, bias: Bias) -> list[Figure]:
    """How the label's rates differ; only rows with a label count."""
    if bias.label is None:
        return []
    large = [group for group in grouped.groups if group.labelled >= bias.min_group_size]
    if len(large) < 2:
        return [Figure(metric, too_few(grouped, large, bias), None) for metric in OF_LABELS]
    positive, rows = [group.positive for group in large], [group.labelled for group in large]
    lowest = min(large, key=lambda group: group.positive / group.labelled)
    highest = max(large, key=lambda group: group.positive / group.labelled)
    words = f"the rate of {bias.label} is {_rate(lowest)} in "
    if lowest is highest:
        words = f"{words}all of {grouped.named([group.name for group in large])}"
    else:
        words = f"{words}{grouped.one(lowest)} and {_rate(highest)} in {grouped.other(highest)}"
    words += left_out(grouped, large, bias)
    return [
        Figure(OF_LABELS[0], words, fairness.demographic_parity_difference(positive, rows)),
        Figure(OF_LABELS[1], words, fairness.demographic_parity_ratio(positive, rows)),
    ]


def _shares(grouped: Grouped) -> list[Figure]:
    """How many there are of each group; a small group is just what this is about, so that all count."""
    rows = {group.name: group.rows for group in grouped.groups}
    absent = [name for name in grouped.attribute.population if name not in rows]
    rows |= dict.fromkeys(absent, 0)
    if len(rows) < 2 or not any(rows.values()):
        return [Figure("min_group_share", f"fewer than two groups are known{_without(grouped)}", None)]
    least = min(rows, key=lambda name: rows[name])
    group = "a group" if grouped.attribute.column.personal else f"group {_short(least)}"
    words = f"the smallest is {group} with {rows[least]:,} of {sum(rows.values()):,} rows{_without(grouped)}"
    return [Figure("min_group_share", words, fairness.smallest_share(list(rows.values())))]


def _population(grouped: Grouped) -> list[Figure]:
    """How far shares are from those stated; who is not stated has no share of the population."""
    stated = grouped.attribute.population
    if not stated:
        return []
    rows = {group.name: group.rows for group in grouped.groups}
    unstated = [name for name in rows if name not in stated]
    absent = [name for name in stated if name not in rows]
    rows |= dict.fromkeys(absent, 0)
    total = sum(rows.values())
    if not total:
        return [Figure("population_difference", f"no row has a value{_without(grouped)}", None)]
    shares = {name: stated.get(name, 0.0) for name in rows}
    furthest = max(rows, key=lambda name: abs(rows[name] / total - shares[name]))
    group = "a group" if grouped.attribute.column.personal else f"group {_short(furthest)}"
    words = f"{group} has {_number(rows[furthest] / total)} of the rows and {shares[furthest]:g} of the population"
    words += f"; {grouped.named(unstated)} in the data, not in the population" if unstated else ""
    words += f"; {grouped.named(absent)} in the population, not in the data" if absent else ""
    estimate = fairness.population_difference(list(rows.values()), list(shares.values()))
    return [Figure("population_difference", words + _without(grouped), estimate)]


def _missingness(grouped: Grouped, bias: Bias, columns: Sequence[Column]) -> list[Figure]:
    """In which column missing values differ most; columns that lack none differ in nothing."""
    metric = "missingness_gap"
    large = [group for group in grouped.groups if group.rows >= bias.min_group_size]
    if len(large) < 2:
        return [Figure(metric, too_few(grouped, large, bias), None)]
    lacking = [
        place
        for place, column in enumerate(columns)
        if column.name != grouped.attribute.name and any(group.missing[place] for group in large)
    ]
    if not lacking:
        words = f"no column lacks a value in any group{left_out(grouped, large, bias)}"
        return [Figure(metric, words, None, harmless=True)]
    rows = [group.rows for group in large]
    confidence = fairness.together(CONFIDENCE, len(lacking))
    gaps = {
        place: fairness.demographic_parity_difference([group.missing[place] for group in large], rows, confidence)
        for place in lacking
    }
    worst = max(lacking, key=lambda place: gaps[place].value)
    lowest = min(large, key=lambda group: group.missing[worst] / group.rows)
    highest = max(large, key=lambda group: group.missing[worst] / group.rows)
    words = f"{columns[worst].name} lacks {_number(highest.missing[worst] / highest.rows)} of its values in "
    if lowest is highest:
        words += f"all of {grouped.named([group.name for group in large])}"
    else:
        words += f"{grouped.one(highest)} and {_number(lowest.missing[worst] / lowest.rows)} in {grouped.other(lowest)}"
    # All columns' intervals hold together, so that the largest gap's ends are the largest ends.
    estimate = Estimate(
        gaps[worst].value, max(gap.low for gap in gaps.values()), max(gap.high for gap in gaps.values())
    )
    return [Figure(metric, words + left_out(grouped, large, bias), estimate)]


def _told(estimate: Estimate, limit: float | None, result: Result, *, least: bool) -> str:
    """A figure beside its limit."""
    words = f"{_number(estimate.value)} (95 %: {_number(estimate.low)} to {_number(estimate.high)})"
    if limit is not None:
        words += f", {'at least' if least else 'at most'} {limit:g} is asked"
    if limit is None or result != "Inconclusive":
        return words
    misses = estimate.value < limit if least else estimate.value > limit
    return f"{words}: the figure {'misses' if misses else 'keeps to'} it, its interval lies on both sides"


def _result(figure: Figure, limit: float | None) -> Result:
    if limit is None:
        return "Reported"
    if figure.estimate is None:
        return "Passed" if figure.harmless else "Inconclusive"
    low, high, least = figure.estimate.low, figure.estimate.high, METRICS[figure.metric]
    if low >= limit if least else high <= limit:
        return "Passed"
    return "Failed" if (high < limit if least else low > limit) else "Inconclusive"


def _rate(group: Group) -> str:
    """A rate and the rows that it is of."""
    return f"{_number(group.positive / group.labelled)} (n={group.labelled})"


def _without(grouped: Grouped) -> str:
    return "" if grouped.without is None else f"; {grouped.without.rows:,} rows without a value are in no group"


def _number(value: float) -> str:
    """With the digits that a person compares.

    Example:
        >>> _number(0.200596), _number(0.5), _number(0.00001)
        ('0.2006', '0.5', '1e-05')

    """
    return f"{round(value, 4):g}" if abs(value) >= 0.0001 or not value else f"{value:.1g}"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_SHOWN else f"{name[: LONGEST_SHOWN - 1]}…"


def _bounded(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
