"""What a model goes by: how important features are, and how the answer changes with the leading ones."""

from __future__ import annotations

from collections.abc import Sequence

from merkhet.contract.evaluation import Dependence, FeatureImportance, ImportanceReport
from merkhet.pages.markup import Markup, element, named
from merkhet.pages.panels import panel, panels, soft
from merkhet.pages.plots import Axis, Band, Line, around, ends, interval, plot
from merkhet.pages.words import counted, figure

MOST_FEATURES = 20
HOW = {
    "Permutation": "By how much {metric} falls where a feature's values are shuffled among {rows}, {repeats}.",
    "SHAP": "Mean absolute Shapley value of a feature on {rows}.",
}


def shown(found: ImportanceReport | None) -> list[Markup]:
    """A sheet of all features, and a small one for each leading feature."""
    if found is None or not found.features:
        return []
    shared = _shared(found.dependence)
    return [panels(_importance(found), *(_dependence(one, shared) for one in found.dependence))]


def _importance(found: ImportanceReport) -> Markup:
    leading = found.features[:MOST_FEATURES]
    axis = around([end for one in leading for end in (one.value, one.low, one.high)], and_=(0.0,))
    items = [_feature(one, axis) for one in leading]
    foot = element("li", element("span"), ends(axis), element("span"))
    how = HOW[found.method].format(
        metric=found.metric, rows=counted(found.rows, "test row"), repeats=counted(found.repeats, "time")
    )
    more = len(found.features) - len(leading)
    rest = [soft(f"and {counted(more, 'more feature')}, each below these")] if more else []
    return panel(
        "Importance of features",
        element("ul", *items, foot, class_="rows"),
        soft(how),
        *rest,
        *_how_to_read(found),
        wide=True,
    )


def _how_to_read(found: ImportanceReport) -> list[Markup]:
    """What the small sheets show."""
    if not found.dependence:
        return []
    answer, rows = found.dependence[0].answer, counted(found.dependence[0].rows, "row")
    how = f"the mean of {rows}, the band or whisker holds the middle 80 % of them."
    return [
        soft(f"Below: the {answer} as a leading feature changes and all else stays as it is. The line or dot is {how}")
    ]


def _feature(one: FeatureImportance, axis: Axis) -> Markup:
    return element(
        "li",
        element("span", named(one.feature), title=one.feature),
        interval(one.value, one.low, one.high, axis, reference=0.0, bar=True),
        element("span", figure(one.value), element("small", f"{figure(one.low)} to {figure(one.high)}"),
                class_="number estimated"),
    )  # fmt: skip


def _shared(all_: Sequence[Dependence]) -> Axis:
    """One axis for all answers, so that sheets can be compared."""
    return around([value for one in all_ for values in (one.mean, one.low, one.high) for value in values])


def _dependence(one: Dependence, answer: Axis) -> Markup:
    if one.kind == "category":
        items = [
            element("li", element("span", named(_words(value)), title=_words(value)), interval(mean, low, high, answer),
                    element("span", figure(mean), class_="number"))
            for value, mean, low, high in zip(one.values, one.mean, *_spread(one), strict=True)
        ]  # fmt: skip
        foot = element("li", element("span"), ends(answer), element("span"))
        return panel(f"With {one.feature}", element("ul", *items, foot, class_="rows"))
    values = [float(value) for value in one.values]
    x, y = around(values, one.feature), Axis(answer.low, answer.high, one.answer)
    band = [Band(values, one.low, one.high)] if one.low and one.high else []
    said = f"{one.answer} by {one.feature}: from {figure(one.mean[0])} to {figure(one.mean[-1])}"
    return panel(f"With {one.feature}", plot(said, x, y, *band, Line(values, one.mean)))


def _spread(one: Dependence) -> tuple[Sequence[float | None], Sequence[float | None]]:
    nothing = [None] * len(one.mean)
    return (one.low or nothing, one.high or nothing)


def _words(value: float | str) -> str:
    return value if isinstance(value, str) else figure(value)
