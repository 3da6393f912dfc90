"""What a search for parameters tried, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from merkhet.contract.base import canonical
from merkhet.contract.evaluation import Evaluation, Search, Trial
from merkhet.contract.training import SearchResult, TrainingResult
from merkhet.pages.markup import Markup, element, named
from merkhet.pages.panels import panel, panels, soft
from merkhet.pages.plots import Axis, Point, around, plot, ratios
from merkhet.pages.words import NOTHING, counted, figure

MOST_TRIALS = 20  # in the table
FEWEST = 4  # trials with a figure that a picture says something of
WIDE = 30.0  # from this ratio of greatest to least on a parameter is drawn by its logarithm


def shown(found: Evaluation | None, record: TrainingResult) -> list[Markup]:
    """Sheets, where there was a search."""
    search = None if found is None else found.search
    if search is None:
        return [] if record.search is None else [panels(_winner(record.search))]
    ended = [trial for trial in search.trials if trial.value is not None]
    drawn = [] if len(ended) < FEWEST else [_in_time(search, ended), *_by_parameter(search, ended)]
    return [panels(_winner(search.result, search), *drawn, _table(search))]


def _winner(result: SearchResult, search: Search | None = None) -> Markup:
    items = [element("li", element("span", named(name)), element("code", _plain(canonical(value))), element("span"))
             for name, value in result.parameters.items()]  # fmt: skip
    how = "" if search is None else f" {search.method} search on {search.folds} folds, seed {search.seed}."
    told = soft(f"Trial {result.best} of {result.trials}, {result.finished} of which ended with a figure.{how}")
    return panel(f"Best: {result.metric} {figure(result.value)}", element("ul", *items, class_="rows"), told)


def _in_time(search: Search, ended: Sequence[Trial]) -> Markup:
    x = around([trial.number for trial in ended], "trial")
    return panel("By trial", _scattered(search, [(float(trial.number), trial) for trial in ended], x))


def _by_parameter(search: Search, ended: Sequence[Trial]) -> list[Markup]:
    """By the parameter that orders the trials most like their figures."""
    names = sorted({name for trial in ended for name in trial.parameters})
    placed = {name: _numeric(name, ended) for name in names}
    telling = sorted(
        (-abs(_likeness([at for at, _ in pairs], [trial.value or 0.0 for _, trial in pairs])), name)
        for name, pairs in placed.items()
        if len({at for at, _ in pairs}) > 2 and len(pairs) >= FEWEST
    )
    if not telling:
        return []
    name = telling[0][1]
    values = [at for at, _ in placed[name]]
    x = ratios(values, name) if min(values) > 0 and max(values) / min(values) > WIDE else around(values, name)
    return [panel(f"By {name}", _scattered(search, placed[name], x))]


def _numeric(name: str, trials: Sequence[Trial]) -> list[tuple[float, Trial]]:
    found = [(trial.parameters.get(name), trial) for trial in trials]
    return [(float(at), trial) for at, trial in found if isinstance(at, int | float) and not isinstance(at, bool)]


def _likeness(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's correlation of ranks, from -1 to 1; ties in order of their place."""
    ranks = [
        dict(zip(sorted(range(len(values)), key=lambda at: (values[at], at)), range(len(values)), strict=True))
        for values in (first, second)
    ]
    count = len(first)
    apart = sum((ranks[0][at] - ranks[1][at]) ** 2 for at in range(count))
    return 1 - 6 * apart / (count * (count * count - 1)) if count > 1 else 0.0


def _scattered(search: Search, placed: Sequence[tuple[float, Trial]], x: Axis) -> Markup:
    result = search.result
    ends = [end for _, trial in placed for end in _reach(trial)]
    y = around(ends, f"{result.metric}, mean of {search.folds} folds")
    points = [
        Point(at, trial.value or 0.0, f"trial {trial.number}: {figure(trial.value)}", *_reach(trial)[1:],
              kind="best" if trial.number == result.best else "other")
        for at, trial in sorted(placed, key=lambda pair: pair[1].number == result.best)
    ]  # fmt: skip
    said = f"{result.metric} of {counted(len(points), 'trial')} by {x.title}; the best is trial {result.best}"
    return plot(said, x, y, *points)


def _reach(trial: Trial) -> tuple[float, float, float]:
    """The figure, and one standard deviation of the folds around it."""
    value, deviation = trial.value or 0.0, trial.deviation or 0.0
    return value, value - deviation, value + deviation


def _table(search: Search) -> Markup:
    best, names = search.result.best, sorted({name for trial in search.trials for name in trial.parameters})
    # The best first, and those without a figure last.
    position = _order(search)
    rows = [_row(trial, names, best=trial.number == best) for trial in position[:MOST_TRIALS]]
    heads = [element("th", words, scope="col") for words in ("trial", search.result.metric, *names)]
    heads.append(element("th", "seconds", scope="col", class_="number"))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="trials")
    more = len(position) - len(rows)
    rest = [soft(f"and {counted(more, 'more trial')}")] if more else []
    return panel("Trials", element("div", table, class_="scroll", tabindex="0"), *rest, wide=True)


def _order(search: Search) -> list[Trial]:
    """From the best on; which way is better is told by the winner."""
    ended = sorted((trial for trial in search.trials if trial.value is not None), key=lambda trial: trial.value or 0.0)
    if ended and search.result.value != ended[0].value:
        ended.reverse()
    return [*ended, *(trial for trial in search.trials if trial.value is None)]


def _row(trial: Trial, names: Sequence[str], *, best: bool) -> Markup:
    value = trial.message or NOTHING if trial.value is None else figure(trial.value)
    spread = f" ± {figure(trial.deviation)}" if trial.deviation is not None else ""
    cells = [canonical(trial.parameters[name]) if name in trial.parameters else "" for name in names]
    return element(
        "tr",
        element("th", figure(trial.number), " best" if best else "", scope="row"),
        element("td", named(f"{value}{spread}")),
        *(element("td", element("code", _plain(cell))) for cell in cells),
        element("td", figure(round(trial.seconds, 1)), class_="number"),
        class_="best" if best else None,
    )


def _plain(json: str) -> str:
    """A number in few digits; anything else as it is."""
    try:
        return figure(float(json))
    except ValueError:
        return json
