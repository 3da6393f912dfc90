"""How good a model is: its figures, curves, calibration, mistakes or residuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from merkhet.contract.evaluation import CalibrationBin, ChampionComparison, Curve, Evaluation, Residuals
from merkhet.contract.training import Metric, TrainingResult
from merkhet.pages.markup import Markup, element, joined, named
from merkhet.pages.panels import panel, panels, soft
from merkhet.pages.plots import SHARES, Axis, Band, Bars, Line, Mark, Point, around, colour, interval, legend, plot
from merkhet.pages.words import counted, figure, share

MOST_CURVES = 6  # as many as there are colours that people can tell
MOST_CLASSES = 12  # of a confusion matrix
DIAGONAL = Line((0.0, 1.0), (0.0, 1.0), "reference")


def shown(found: Evaluation | None, record: TrainingResult) -> list[Markup]:
    """Sheets; of a version without an evaluation the figures alone."""
    metrics = found.metrics if found is not None else record.metrics
    sheets = [] if not metrics else [_metrics(metrics, found)]
    if found is not None:
        sheets += [*_roc(found), *_precision_recall(found), *_calibration(found.calibration), *_confusion(found)]
        sheets += [] if found.residuals is None else _residuals(found.residuals, found.target)
    return [panels(*sheets)] if sheets else []


def _metrics(metrics: Sequence[Metric], found: Evaluation | None) -> Markup:
    items = [_metric(metric) for metric in metrics]
    notes = [] if found is None else list(_notes(found))
    return panel("Figures on test rows", element("ul", *items, class_="rows"), *notes)


def _metric(metric: Metric) -> Markup:
    low, high = metric.low, metric.high
    ends = [metric.value, low or 0.0, high or 0.0]
    strip = Markup("<span></span>")
    if min(ends) >= 0 and max(ends) <= 1:
        strip = interval(metric.value, low, high, SHARES)
    return element("li", element("span", metric.name), strip, _estimated(metric.value, low, high))


def _estimated(value: float, low: float | None, high: float | None) -> Markup:
    ends = [] if low is None or high is None else [element("small", f"{figure(low)} to {figure(high)}")]
    return element("span", figure(value), *ends, class_="number estimated")


def _notes(found: Evaluation) -> Iterator[Markup]:
    how = found.intervals
    drawn = f", drawn by {counted(how.clusters, 'group')} of rows" if how.clusters is not None else ""
    yield soft(f"{how.confidence * 100:g} % intervals by {how.method}, {how.resamples} resamples{drawn}.")
    chosen = found.threshold
    if chosen is not None:
        yield soft(f"Positive from a score of {figure(chosen.value)} on: {chosen.how}.")
    if found.parity is not None:
        unit = "of probability" if found.task == "Classification" else "standard deviations"
        yield soft(f"ONNX and scikit-learn differ by at most {figure(found.parity.difference)} {unit}, on "
                   f"{counted(found.parity.rows, 'row')}.")  # fmt: skip
    if found.latency is not None:
        yield soft(
            f"One row takes {figure(found.latency.p50)} ms, 99 % of them at most {figure(found.latency.p99)} ms."
        )


def _roc(found: Evaluation) -> list[Markup]:
    if not found.roc:
        return []
    x, y = Axis(0, 1, "share of others taken for positive"), Axis(0, 1, "share of positives found")
    return [_curves("ROC curve", found.roc, x, y, [DIAGONAL])]


def _precision_recall(found: Evaluation) -> list[Markup]:
    if not found.precision_recall:
        return []
    x, y = Axis(0, 1, "share of positives found (recall)"), Axis(0, 1, "share that is right (precision)")
    base: list[Mark] = []
    if len(found.precision_recall) == 1 and (
        rows := dict(zip(map(str, found.classes), found.class_rows, strict=False))
    ):
        rate = rows.get(found.precision_recall[0].name, 0) / (sum(rows.values()) or 1)
        base = [Line((0.0, 1.0), (rate, rate), "reference", f"by chance: {share(rate)}")]
    return [_curves("Precision and recall", found.precision_recall, x, y, base)]


def _curves(title: str, curves: Sequence[Curve], x: Axis, y: Axis, behind: Sequence[Mark]) -> Markup:
    drawn = curves[:MOST_CURVES]
    alone = len(curves) == 1
    kinds = ["main" if alone else colour(index) for index in range(len(drawn))]
    lines = [Line(curve.x, curve.y, kind, curve.name) for curve, kind in zip(drawn, kinds, strict=True)]
    names = [(kind, f"{_class(curve.name)}{_area(curve)}") for curve, kind in zip(drawn, kinds, strict=True)]
    said = f"{title}: {'; '.join(words for _, words in names)}"
    more = len(curves) - len(drawn)
    rest = [soft(f"and {counted(more, 'more class', 'more classes')}")] if more else []
    return panel(title, plot(said, x, y, *behind, *lines), legend(*names), *rest)


def _class(name: str) -> str:
    """A class by its name, which may be a number."""
    return name if name.strip("-0123456789.") else f"class {name}"


def _area(curve: Curve) -> str:
    return "" if curve.area is None else f", area {figure(curve.area)}"


def _calibration(bins: Sequence[CalibrationBin]) -> list[Markup]:
    if not bins:
        return []
    points = [
        Point(
            one.predicted,
            one.observed.value,
            f"{counted(one.rows, 'row')} of about {figure(one.predicted)}: {figure(one.observed.value)} were positive",
            one.observed.low,
            one.observed.high,
        )
        for one in bins
    ]
    line = Line([one.predicted for one in bins], [one.observed.value for one in bins], "pale")
    x, y = Axis(0, 1, "predicted score"), Axis(0, 1, "share that is positive")
    said = "Calibration: share that is positive in truth by predicted score"
    told = soft("On the dashed line a score of 0.7 means that 7 of 10 are positive.")
    return [panel("Calibration", plot(said, x, y, DIAGONAL, line, *points), told)]


def _confusion(found: Evaluation) -> list[Markup]:
    if not found.confusion:
        return []
    if len(found.confusion) > MOST_CLASSES:
        return [_mistaken(found)]
    names = [str(name) for name in found.classes]
    head = element("tr", element("td", "truth ↓", class_="soft small"),
                   *(element("th", named(name, 20), scope="col", class_="number") for name in names))  # fmt: skip
    rows = [
        element("tr", element("th", named(name, 30), scope="row"), *_cells(at, counts))
        for at, (name, counts) in enumerate(zip(names, found.confusion, strict=True))
    ]
    table = element("table", element("thead", head), element("tbody", *rows), class_="confusion")
    return [panel("Taken for", element("div", table, class_="scroll", tabindex="0"),
                  soft("Shares are of the rows that truly are of the class."))]  # fmt: skip


def _cells(at: int, counts: Sequence[int]) -> Iterator[Markup]:
    total = sum(counts) or 1
    for other, count in enumerate(counts):
        kind = "right" if at == other else "wrong"
        depth = f"--depth:{round(count / total * 100)}%"
        yield element(
            "td", element("b", figure(count)), element("small", share(count / total)), class_=kind, style=depth
        )


def _mistaken(found: Evaluation) -> Markup:
    """The most frequent mistakes, where there are too many classes for a table."""
    names = [str(name) for name in found.classes]
    wrong = sorted(
        ((count, truth, said) for truth, counts in enumerate(found.confusion)
         for said, count in enumerate(counts) if count and truth != said),
        reverse=True,
    )[:MOST_CLASSES]  # fmt: skip
    items = [element("li", named(f"{names[truth]} taken for {names[said]}: {counted(count, 'row')}"))
             for count, truth, said in wrong]  # fmt: skip
    return panel(f"Most frequent mistakes among {len(names)} classes", element("ul", *items, class_="checks"))


def _residuals(found: Residuals, target: str) -> list[Markup]:
    most = max(found.counts, default=1)
    x = Axis(found.edges[0], found.edges[-1], "truth minus prediction")
    nought = Line((0.0, 0.0), (0.0, most), "reference")
    spread = plot(f"Residuals of {target}, by size", x, Axis(0, most * 1.05, "rows"), Bars(found.edges, found.counts),
                  *([nought] if x.low < 0 < x.high else []))  # fmt: skip
    sheets = [panel("Residuals", spread)]
    if len(found.predicted) > 1:
        x = around(found.predicted, "prediction")
        y = around((*found.low, *found.high), "truth minus prediction", and_=(0.0,))
        level = Line((x.low, x.high), (0.0, 0.0), "reference")
        marks = (Band(found.predicted, found.low, found.high), level, Line(found.predicted, found.middle))
        said = "Residuals by prediction: the median, and the band that holds the middle 80 % of the rows"
        sheets.append(panel("Residuals by prediction", plot(said, x, y, *marks),
                            soft("The line is the median; the middle 80 % of the rows lie in the band.")))  # fmt: skip
    return sheets


def champion(found: ChampionComparison) -> Markup:
    """The difference from the champion, each figure on a strip whose mark is at no difference."""
    title = f"Against version {found.number}"
    if not found.differences:
        return panel(title, element("p", found.message or "They were not compared."))
    before = {metric.name: metric.value for metric in found.champion}
    after = {metric.name: metric.value for metric in found.candidate}
    items = [
        element(
            "li",
            element("span", metric.name, element("small", f"{figure(before.get(metric.name))} → "
                                                          f"{figure(after.get(metric.name))}")),
            interval(metric.value, metric.low, metric.high,
                     around((metric.value, metric.low, metric.high, 0.0)), reference=0.0),
            _estimated(metric.value, metric.low, metric.high),
        )
        for metric in found.differences
    ]  # fmt: skip
    rows = soft(f"On {counted(found.rows, 'row')} that neither has learned from; the mark is no difference.")
    said = [element("p", joined(found.message))] if found.message else []
    return panel(title, element("ul", *items, class_="rows"), *said, rows)
