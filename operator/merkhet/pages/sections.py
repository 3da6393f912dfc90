"""The nine sections of a model card in words: made once, shown as Markdown and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from merkhet.contract.card import Card, RowsUsed
from merkhet.contract.evaluation import ChampionComparison, Estimate, Group
from merkhet.contract.training import Metric
from merkhet.pages.words import NOTHING, counted, figure

NOT_STATED = "not stated"
SHORT_DIGEST = len("sha256:") + 12


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person wrote; empty where nobody did."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Words in columns. Shapes: each row as the head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """What people wrote first, then what the run knows."""

    title: str
    statements: tuple[Statement, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()


def sections(card: Card) -> tuple[Section, ...]:
    """All nine, in the order of the paper."""
    use, ethics, caveats = card.intended_use, card.ethics, card.caveats
    return (
        Section("Model details", facts=_details(card)),
        Section(
            "Intended use",
            (Statement("What it is for", use.stated), Statement("What it is not for", use.out_of_scope)),
        ),
        Section("Factors", facts=_factors(card)),
        Section("Metrics", facts=_metrics(card)),
        Section("Evaluation data", facts=_rows(card.evaluation_data)),
        Section("Training data", facts=_rows(card.training_data)),
        Section("Quantitative analyses", facts=_analyses(card), tables=_tables(card)),
        Section("Ethical considerations", (Statement("As people see them", ethics.stated),), _ethics(card)),
        Section("Caveats and recommendations", (Statement("Limitations", caveats.stated),), _caveats(card)),
    )


def _details(card: Card) -> tuple[tuple[str, str], ...]:
    details = card.details
    classes = [f"{one}{' (looked for)' if one == details.positive else ''}" for one in details.classes]
    personal = " (personal: its values are not shown)" if details.personal_target else ""
    components = [f"{use.name} {use.version} ({_short(use.digest or NOTHING)})" for use in details.components]
    return (
        ("model", f"{card.name}, version {card.number}"),
        ("task", f"{details.task} of {details.target}{personal}"),
        *([("classes", _listed(classes))] if classes else []),
        ("algorithm", ", then ".join(details.algorithm) or "not known: the model was brought"),
        ("features", counted(details.features, "column")),
        *([("components", _listed(components))] if components else []),
        ("author", details.author or NOT_STATED),
        ("contact", details.contact or NOT_STATED),
        ("license", details.license or NOT_STATED),
        ("trained by", _training(details.training, details.revision)),
        *([("image", details.image)] if details.image else []),
        *([("packages", _listed([f"{name} {at}" for name, at in details.packages.items()]))]
          if details.packages else []),
    )  # fmt: skip


def _training(training: dict[str, str], revision: str) -> str:
    if "name" not in training:
        return "another program; it was brought here"
    source = f", source {revision}" if revision else ""
    return f"ModelTraining {training['name']}, run {training.get('run', NOTHING)}{source}"


def _factors(card: Card) -> tuple[tuple[str, str], ...]:
    if not card.factors:
        return (("groups", "none are told apart: no sensitive column is named"),)
    return tuple(
        (
            factor.column,
            f"groups {_listed(factor.groups)}; {'a' if factor.feature else 'no'} feature of the model"
            + (f"; too few rows for figures: {_listed(factor.small)}" if factor.small else ""),
        )
        for factor in card.factors
    )


def _metrics(card: Card) -> tuple[tuple[str, str], ...]:
    used = card.metrics
    chosen = used.threshold
    threshold = [] if chosen is None else [("threshold", f"{figure(chosen.value)}, {chosen.how}")]
    return (
        ("figures", _listed(used.names)),
        *threshold,
        ("intervals", used.intervals),
        ("least size of a group", counted(used.min_group_size, "row")),
    )


def _rows(used: RowsUsed | None) -> tuple[tuple[str, str], ...]:
    if used is None:
        return (("data", "not known: the model was brought"),)
    joined = [f"{data.feature_set} version {data.version}" for data in used.joined]
    return (
        ("data", f"FeatureSet {used.data.feature_set} version {used.data.version}, {used.data.digest}"),
        *([("joined", _listed(joined))] if joined else []),
        ("rows", figure(used.rows) + (", each with its weight" if used.weighted else "")),
        ("split", used.split),
    )


def _analyses(card: Card) -> tuple[tuple[str, str], ...]:
    found = card.analyses
    leading = [f"{one.feature} {estimated(one.value, one.low, one.high)}" for one in found.leading]
    return ((f"what it goes by ({found.importance})", _listed(leading)),) if leading else ()


def _tables(card: Card) -> tuple[Table, ...]:
    found = card.analyses
    overall = Table("All test rows", ("figure", "value", "95 % interval"), tuple(map(_metric, found.metrics)))
    columns = dict.fromkeys(group.by for group in found.groups)
    groups = [_groups(by, [group for group in found.groups if group.by == by]) for by in columns]
    fairness = Table(
        "Fairness",
        ("figure", "by", "value", "95 % interval", "in words"),
        tuple((one.metric, one.by, *_estimate(one.estimate), one.message) for one in found.fairness),
    )
    compared = [] if found.champion is None or not found.champion.differences else [_champion(found.champion)]
    return (overall, *groups, *([fairness] if fairness.rows else []), *compared)


def _groups(by: str, groups: Sequence[Group]) -> Table:
    names = tuple(dict.fromkeys(metric.name for group in groups for metric in group.metrics))
    rows = []
    for group in groups:
        found = {metric.name: estimated(metric.value, metric.low, metric.high) for metric in group.metrics}
        rates = [NOTHING if one is None else estimated(one.value, one.low, one.high)
                 for one in (group.base, group.positive)]  # fmt: skip
        rows.append((group.group, figure(group.rows), *rates, *(found.get(name, NOTHING) for name in names)))
    return Table(f"By {by}", ("group", "rows", "truly positive", "predicted positive", *names), tuple(rows))


def _champion(found: ChampionComparison) -> Table:
    title = f"Difference from version {found.number}, on {counted(found.rows, 'row')} that neither learned from"
    return Table(title, ("figure", "difference", "95 % interval"), tuple(map(_metric, found.differences)))


def _metric(metric: Metric) -> tuple[str, str, str]:
    return metric.name, figure(metric.value), _interval(metric.low, metric.high)


def _estimate(estimate: Estimate | None) -> tuple[str, str]:
    if estimate is None:
        return NOTHING, NOTHING
    return figure(estimate.value), _interval(estimate.low, estimate.high)


def _interval(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{figure(low)} to {figure(high)}"


def estimated(value: float, low: float | None, high: float | None) -> str:
    """A figure with its interval where it has one.

    Example:
        >>> estimated(0.9051, 0.8992, 0.911), estimated(2, None, None)
        ('0.9051 (0.8992 to 0.911)', '2')

    """
    return figure(value) if low is None or high is None else f"{figure(value)} ({_interval(low, high)})"


def _ethics(card: Card) -> tuple[tuple[str, str], ...]:
    ethics = card.ethics
    return (
        ("sensitive columns that the model is fed with", _listed(ethics.sensitive_features)),
        ("sensitive columns that only tell groups", _listed(ethics.sensitive_left_out)),
        ("personal columns left out", figure(ethics.personal_left_out)),
    )


def _caveats(card: Card) -> tuple[tuple[str, str], ...]:
    caveats = card.caveats
    return (
        *(("worth knowing", warning) for warning in caveats.warnings),
        *((f"limit {gate.result.lower()}", f"{gate.name}: {gate.message}") for gate in caveats.not_passed),
        *(("not known", words) for words in caveats.not_known),
    )


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"


def _short(digest: str) -> str:
    return digest[:SHORT_DIGEST]
