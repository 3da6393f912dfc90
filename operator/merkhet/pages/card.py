"""The page of a model version: what was decided, how good it is and for whom, what it goes by, where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from merkhet.contract.card import Card
from merkhet.contract.evaluation import Curve, Evaluation, ImportanceReport, TriedCase
from merkhet.contract.profile import Profile
from merkhet.contract.training import DataVersion, Gate, TrainingResult
from merkhet.pages import evaluated, explained, grouped, origin, searched, written
from merkhet.pages.markup import Markup, element, joined, named, page
from merkhet.pages.panels import check, fact, header, panel, panels, soft
from merkhet.pages.words import counted, figure

# The decision as a class of the style and a sign.
DECISIONS = {"Approved": ("good", "✓"), "Rejected": ("bad", "✗"), "Pending": ("open", "○")}
MOST_TESTED = 50
MOST_GATES = 60


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of a version. ``counts``: the decision that counts, which may not be the written one."""

    written: str = "Pending"
    counts: str = "Pending"
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a version; None is what nobody wrote down. ``made``: when, as RFC 3339."""

    name: str  # of the ModelVersion
    record: TrainingResult
    decision: Decision = field(default_factory=Decision)
    served_by: tuple[str, ...] = ()
    judged_on: tuple[DataVersion, ...] = ()  # of a model that was brought: its lineage names no data
    made: str = ""
    card: Card | None = None
    evaluation: Evaluation | None = None
    importance: ImportanceReport | None = None
    profile: Profile | None = None


def render(known: Known) -> str:
    """One HTML file that needs nothing else."""
    known = without_personal(known)
    record = known.record
    parts = [
        ("At a glance", [_glance(known)]),
        ("How good it is", evaluated.shown(known.evaluation, record)),
        ("For whom", grouped.shown(known.evaluation)),
        ("What it goes by", explained.shown(known.importance)),
        ("What the business asked", _tests(known.evaluation)),
        ("What was tried", searched.shown(known.evaluation, record)),
        ("Where it comes from", origin.shown(_origin(known))),
        ("The model card", written.shown(known.card)),
    ]
    there = [(f"p{index}", title, content) for index, (title, content) in enumerate(parts) if content]
    places = element(
        "nav", *(element("a", title, href=f"#{id_}") for id_, title, _ in there), aria_label="On this page"
    )
    content = [joined(element("h2", title, id=id_), *shown) for id_, title, shown in there]
    return page(f"{known.name} · model card", _header(known), element("main", places, *content), _footer(known))


def without_personal(known: Known) -> Known:
    """The same without the values of a personal target: its classes are numbered, its amounts left out."""
    found = known.evaluation
    if known.card is None or not known.card.details.personal_target:
        return known
    important = known.importance
    if important is not None:
        told = tuple(one.model_copy(update={"answer": "answer"}) for one in important.dependence)
        important = important.model_copy(update={"dependence": told})
    if found is not None:
        numbered = {str(label): f"class {number}" for number, label in enumerate(found.classes, 1)}
        found = found.model_copy(
            update={
                "classes": tuple(numbered.values()),
                "roc": _renamed(found.roc, numbered),
                "precision_recall": _renamed(found.precision_recall, numbered),
                "residuals": None,
                "tests": (),
            }
        )
    return replace(known, evaluation=found, importance=important)


def _origin(known: Known) -> origin.Origin:
    return origin.Origin(
        name=known.name,
        record=known.record,
        judged_on=known.judged_on,
        served_by=known.served_by,
        profile=known.profile,
        important=known.importance,
    )


def _renamed(curves: tuple[Curve, ...], names: dict[str, str]) -> tuple[Curve, ...]:
    return tuple(curve.model_copy(update={"name": names.get(curve.name, "a class")}) for curve in curves)


def _header(known: Known) -> Markup:
    record = known.record
    kind, sign = DECISIONS[known.decision.counts]
    verdict = element("span", f"{sign} {known.decision.counts}", class_=f"badge {kind}")
    name = joined(named(record.model), element("span", f" version {record.number}", class_="version"), " ", verdict)
    task = [] if known.evaluation is None else [fact(f"{known.evaluation.task.lower()} of",
                                                     named(known.evaluation.target, 40), kind="words")]  # fmt: skip
    return header(
        "model card",
        name,
        *_figure(record),
        *task,
        *(fact(f"rows to {part}", figure(count)) for part, count in sorted(record.rows.items(), reverse=True) if count),
        *([fact("made", known.made[:10], kind="words")] if known.made else []),
        *([fact("author", named(record.lineage.author, 60), kind="words")] if record.lineage.author else []),
    )


def _figure(record: TrainingResult) -> list[Markup]:
    """The main figure, with its interval."""
    if not record.metrics:
        return []
    metric = record.metrics[0]
    ends = ""
    if metric.low is not None and metric.high is not None:
        ends = element("span", f" {figure(metric.low)} to {figure(metric.high)}", class_="soft small")
    return [fact(metric.name, joined(figure(metric.value), ends), kind="main")]


def _glance(known: Known) -> Markup:
    told = [_decision(known), *_warnings(known.record), *_unknown(known)]
    compared = _champion(known)
    gates = element("div", _gates(known.record.gates), class_="stack" if compared else "stack broad")
    return panels(
        element("div", *told, class_="stack"), gates, *(element("div", one, class_="stack") for one in compared)
    )


def _decision(known: Known) -> Markup:
    decision = known.decision
    kind, _ = DECISIONS[decision.counts]
    by = joined(" by ", named(decision.by, 60)) if decision.by and decision.counts == decision.written else ""
    said = [element("p", element("span", decision.counts, class_=f"verdict {kind}"), by)]
    if decision.reason:
        said.append(element("blockquote", named(decision.reason)))
    if decision.counts != decision.written:
        why = "the operator has not seen it yet, or the approval policy is not in force."
        by = named(decision.by or "nobody", 60)
        said.append(element("p", f"{decision.written} is written by ", by, f", and does not count: {why}"))
    elif decision.counts == "Pending":
        said.append(soft("Look at the figures, then: ", element("code", f"kubectl merkhet approve {known.name}")))
    serving = joined("Served by ", *_listed(known.served_by)) if known.served_by else "No deployment serves it."
    return panel("Decision", *said, soft(serving))


def _listed(names: tuple[str, ...]) -> Iterator[Markup]:
    for index, name in enumerate(names):
        yield joined(", " if index else "", named(name))


def _gates(gates: tuple[Gate, ...]) -> Markup:
    if not gates:
        return panel("Limits", element("p", "No limit was set."))
    passed = sum(gate.result == "Passed" for gate in gates)
    title = "Every limit is kept" if passed == len(gates) else f"{passed} of {len(gates)} limits are kept"
    order = {"Failed": 0, "Inconclusive": 1, "Passed": 2}
    first = sorted(gates, key=lambda gate: order[gate.result])[:MOST_GATES]
    more = len(gates) - len(first)
    rest = [soft(f"and {counted(more, 'more limit')}")] if more else []
    return panel(title, element("ul", *map(_gate, first), class_="checks"), *rest)


def _gate(gate: Gate) -> Markup:
    limit = "" if gate.limit is None else f", limit {figure(gate.limit)}"
    words = gate.name if gate.value is None or gate.message else f"{gate.name} is {figure(gate.value)}{limit}"
    asked = "asked by the namespace's policy" if gate.source == "policy" else "asked by the spec"
    return check(gate.result, words, "; ".join(filter(None, (gate.message, asked))))


def _warnings(record: TrainingResult) -> list[Markup]:
    if not record.warnings:
        return []
    sign = element("span", "•", class_="sign open", aria_hidden="true")
    items = [element("li", sign, element("span", named(words))) for words in record.warnings]
    return [panel("Worth knowing", element("ul", *items, class_="checks"))]


def _champion(known: Known) -> list[Markup]:
    found = None if known.evaluation is None else known.evaluation.champion
    if found is None:
        return []
    return [evaluated.champion(found)]


def _unknown(known: Known) -> list[Markup]:
    """What nobody wrote down: older versions and brought ones have fewer documents."""
    documents = {"evaluation": known.evaluation, "importance of features": known.importance, "card": known.card}
    lacking = [name for name, document in documents.items() if document is None]
    if not lacking:
        return []
    why = "It was brought here, or made before there were such documents; training it anew makes them."
    items = [element("li", element("span", "?", class_="sign open"), f"There is no {name}.") for name in lacking]
    return [panel("Not known", element("ul", *items, class_="checks"), soft(why))]


def _tests(found: Evaluation | None) -> list[Markup]:
    if found is None or not found.tests:
        return []
    passed = sum(case.passed for case in found.tests)
    cases = sorted(found.tests, key=lambda case: case.passed)[:MOST_TESTED]
    title = f"{passed} of {counted(len(found.tests), 'test')} passed"
    return [panels(panel(title, element("ul", *map(_case, cases), class_="checks"), wide=True))]


def _case(case: TriedCase) -> Markup:
    asked = ", ".join(f"{name} {_worded(value)}" for name, value in case.input.items())
    answer = ", ".join(f"{name} {_worded(value)}" for name, value in case.answer.items())
    found = f"{case.message.rstrip('.')}. " if case.message else ""
    return check("Passed" if case.passed else "Failed", case.name, f"{found}Answered {answer}. Asked {asked}")


def _worded(value: object) -> str:
    return figure(value) if isinstance(value, float) else str(value)


def _footer(known: Known) -> Markup:
    artifact = known.record.artifact
    told = element(
        "p",
        "Figures are those of test rows, which the model has not learned from; whiskers and “to” are 95 % intervals. "
        "Nothing is shown of personal columns.",
    )
    digest = [] if artifact is None else [element("p", "Digest of the model: ", element("code", artifact.digest))]
    return element("footer", told, *digest)
