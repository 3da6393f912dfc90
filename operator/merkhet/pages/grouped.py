"""How a model treats groups: figures of each group side by side, and how far the groups lie apart."""

from __future__ import annotations

from collections.abc import Sequence

from merkhet.contract.evaluation import Estimate, Evaluation, Fairness, Group
from merkhet.pages.markup import Markup, element, joined, named
from merkhet.pages.panels import panel, panels, soft
from merkhet.pages.plots import SHARES, Axis, around, ends, interval
from merkhet.pages.sections import estimated
from merkhet.pages.words import counted, figure, share

MOST_GROUPS = 12  # drawn of a column; the card has all
MOST_FIGURES = 9

Figures = dict[str, Estimate]  # of a group, by name


def shown(found: Evaluation | None) -> list[Markup]:
    """A sheet for each sensitive column, and one of fairness."""
    if found is None:
        return []
    if not found.groups:
        return [panels(panel("Groups", element("p", "No sensitive column is named, so that no groups were compared.")))]
    overall = {metric.name: metric.value for metric in found.metrics}
    columns = dict.fromkeys(group.by for group in found.groups)
    sheets = [_column(by, [group for group in found.groups if group.by == by], overall) for by in columns]
    return [panels(*sheets, *_fairness(found.fairness))]


def _column(by: str, groups: Sequence[Group], overall: dict[str, float]) -> Markup:
    largest = sorted(groups, key=lambda group: -group.rows)[:MOST_GROUPS]
    drawn = [group for group in groups if group in largest]
    found = {group.group: _figures(group) for group in drawn}
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))[:MOST_FIGURES]
    plots = [_figure(name, drawn, found, overall.get(name)) for name in names]
    small = [group for group in groups if group.small]
    notes = [soft(f"Too few rows for figures: {', '.join(f'{one.group} ({figure(one.rows)})' for one in small)}.")] \
        if small else []  # fmt: skip
    more = len(groups) - len(drawn)
    rest = [soft(f"and {counted(more, 'smaller group')}, in the card below")] if more else []
    return panel(f"By {by}", _sizes(drawn), element("div", *plots, class_="side"), *notes, *rest, wide=True)


def _sizes(groups: Sequence[Group]) -> Markup:
    told = [joined(" · " if index else "", named(group.group), f": {counted(group.rows, 'row')}, {share(group.share)}")
            for index, group in enumerate(groups)]  # fmt: skip
    return soft(*told)


def _figures(group: Group) -> Figures:
    rates = {"truly positive": group.base, "predicted positive": group.positive}
    metrics = {metric.name: Estimate(value=metric.value, low=metric.low, high=metric.high) for metric in group.metrics}
    return {**{name: rate for name, rate in rates.items() if rate is not None}, **metrics}


def _figure(name: str, groups: Sequence[Group], found: dict[str, Figures], overall: float | None) -> Markup:
    """One figure of all groups on one axis; the mark is that of all rows."""
    estimates = [figures[name] for figures in found.values() if name in figures]
    values = [value for one in estimates for value in (one.value, one.low, one.high)]
    axis = around([*values, overall])
    items = [_group(group.group, found[group.group].get(name), axis, overall) for group in groups]
    foot = element("li", element("span"), ends(axis), element("span"))
    all_rows = "" if overall is None else element("small", f"all rows {figure(overall)}")
    return element("div", element("h4", name, " ", all_rows), element("ul", *items, foot, class_="rows"))


def _group(group: str, found: Estimate | None, axis: Axis, overall: float | None) -> Markup:
    if found is None:
        strip, words = interval(None, None, None, axis, reference=overall), element("small", "too few")
    else:
        strip = interval(found.value, found.low, found.high, axis, reference=overall)
        words = joined(figure(found.value))
    title = "" if found is None else estimated(found.value, found.low, found.high)
    return element("li", element("span", named(group), title=group), strip, element("span", words, class_="number"),
                   title=title)  # fmt: skip


def _fairness(found: Sequence[Fairness]) -> list[Markup]:
    if not found:
        return []
    known = [element("li", *_apart(one, one.estimate)) for one in found if one.estimate is not None]
    told = "Differences are best at 0, ratios at 1. By fairlearn's definitions, over groups that are large enough."
    shown = [element("ul", *known, class_="rows fairness"), soft(told)] if known else []
    return [panel("How far groups lie apart", *shown, *_not_known(found), wide=True)]


def _apart(found: Fairness, estimate: Estimate) -> Sequence[Markup]:
    ends = [] if estimate.low is None else [element("small", f"{figure(estimate.low)} to {figure(estimate.high)}")]
    return (
        element("span", f"{found.metric.replace('_', ' ')} by ", named(found.by), element("small", found.message)),
        interval(estimate.value, estimate.low, estimate.high, SHARES),
        element("span", figure(estimate.value), *ends, class_="number estimated"),
    )


def _not_known(found: Sequence[Fairness]) -> list[Markup]:
    """Why there is no figure: once for all that lack it for the same reason."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if one.estimate is None:
            lacking.setdefault((one.by, one.message), []).append(one.metric.replace("_", " "))
    return [soft(f"Not known by {by}: {', '.join(metrics)}; {message}.") for (by, message), metrics in lacking.items()]
