"""Small pictures as SVG and as bars of CSS: each says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from merkhet.contract.profile import PROBABILITIES, Numbers, Times
from merkhet.pages.markup import Markup, element
from merkhet.pages.words import counted, figure

WIDTH, HEIGHT = 320, 132
TOP, FLOOR = 6, 92  # of the bars
BOX = 106  # middle of the strip of quantiles
LABELS = 128
SPARK_WIDTH, SPARK_HEIGHT = 96, 22
LEAST = 1.2  # of a bar that is not nothing


@dataclass(frozen=True, slots=True)
class Bar:
    """One of the bars side by side."""

    count: int
    words: str  # what it stands for
    tail: bool = False


def histogram(numbers: Numbers, name: str) -> Markup:
    """The finite numbers of a column, above a strip with their quantiles."""
    found = numbers.histogram
    if found is None or numbers.min is None or numbers.max is None:
        return Markup("")
    last = len(found.counts) - 1
    bars = [
        Bar(
            count,
            f"{figure(low)} to {figure(high)}",
            tail=(index == 0 and found.low_tail) or (index == last and found.high_tail),
        )
        for index, (count, (low, high)) in enumerate(zip(found.counts, pairwise(found.edges), strict=True))
    ]
    quantile = dict(zip(PROBABILITIES, numbers.quantiles, strict=True))
    at = {p: _place(value, found.edges) for p, value in quantile.items()}
    said = (
        f"Histogram of {name}: {figure(numbers.min)} to {figure(numbers.max)}, half of the values between "
        f"{figure(quantile[0.25])} and {figure(quantile[0.75])}, median {figure(quantile[0.5])}"
    )
    strip = [
        _line(at[0.05], at[0.95], BOX, "range"),
        element("rect", class_="box", x=_short(at[0.25]), y=BOX - 5, width=_short(max(1.5, at[0.75] - at[0.25])),
                height=10),
        element("rect", class_="median", x=_short(at[0.5] - 1), y=BOX - 7, width=2, height=14),
    ]  # fmt: skip
    ends = _ends(figure(numbers.min), figure(numbers.max))
    middle = _label(min(max(at[0.5], 92), WIDTH - 92), f"median {figure(quantile[0.5])}", "middle")
    return _picture(said, *_bars(bars), *strip, *ends, middle)


def timeline(times: Times, name: str) -> Markup:
    """The times of a column."""
    bars = [Bar(count, f"{times.unit} from {start}") for start, count in zip(times.starts, times.counts, strict=True)]
    first, last = times.first or "", times.last or ""
    said = f"{name} by {times.unit}: from {first} to {last}"
    ends = _ends(first[:10], last[:10])
    return _picture(said, *_bars(bars), *ends, _label(WIDTH / 2, f"by {times.unit}", "middle"))


def spark(counts: Sequence[int], said: str) -> Markup:
    """The shape of some counts, the size of a word."""
    most = max(counts, default=0)
    if not most:
        return Markup("")
    width = min(SPARK_WIDTH / len(counts), SPARK_WIDTH / 6)
    steps = "".join(
        f"M{_short(index * width)} {SPARK_HEIGHT}v-{_short(max(LEAST, count / most * (SPARK_HEIGHT - 2)))}"
        f"h{_short(max(0.8, width - (0.8 if width > 2.4 else 0)))}V{SPARK_HEIGHT}"
        for index, count in enumerate(counts)
        if count
    )
    box = f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}"
    return element("svg", element("path", d=steps), class_="spark", viewBox=box, role="img", aria_label=said)


def meter(share: float, *, low: float | None = None, high: float | None = None, kind: str = "") -> Markup:
    """A bar of a share of its width, with an interval where it has one; the figure itself stands beside it in words."""
    interval = Markup("")
    if low is not None and high is not None:
        interval = element("i", style=f"left:{_percent(low)};width:{_percent(high - low)}")
    bar = element("b", style=f"width:{_percent(share)}") if share else ""
    return element("span", bar, interval, class_=f"meter {kind}".strip(), aria_hidden="true")


def _bars(bars: Sequence[Bar]) -> list[Markup]:
    most = max((bar.count for bar in bars), default=0) or 1
    width = WIDTH / len(bars) if bars else WIDTH
    gap = min(2.0, width / 5)
    drawn = []
    for index, bar in enumerate(bars):
        if not bar.count:
            continue
        height = max(LEAST, bar.count / most * (FLOOR - TOP))
        title = element("title", f"{bar.words}: {counted(bar.count, 'row')}")
        wide = min(width - gap, WIDTH / 3)
        x = index * width + (width - wide) / 2
        drawn.append(
            element("rect", title, class_="tail" if bar.tail else None, x=_short(x), y=_short(FLOOR - height),
                    width=_short(wide), height=_short(height))
        )  # fmt: skip
    return [*drawn, _line(0, WIDTH, FLOOR + 0.5, "floor")]


def _place(value: float, edges: Sequence[float]) -> float:
    """Where a value lies among bins that are drawn equally wide."""
    bins = len(edges) - 1
    for index, (low, high) in enumerate(pairwise(edges)):
        if value <= high or index == bins - 1:
            inside = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
            return (index + min(max(inside, 0.0), 1.0)) * WIDTH / bins
    return WIDTH / 2


def _ends(first: str, last: str) -> tuple[Markup, Markup]:
    return _label(0, first, "start"), _label(WIDTH, last, "end")


def _label(x: float, text: str, anchor: str) -> Markup:
    return element("text", text, x=_short(x), y=LABELS, text_anchor=anchor)


def _line(start: float, end: float, y: float, kind: str) -> Markup:
    return element("path", class_=kind, d=f"M{_short(start)} {_short(y)}H{_short(end)}")


def _picture(said: str, *shapes: Markup) -> Markup:
    return element("svg", *shapes, class_="chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=said)


def _percent(fraction: float) -> str:
    return f"{round(min(max(fraction, 0.0), 1.0) * 100, 2):g}%"


def _short(number: float) -> str:
    return f"{round(number, 1):g}"
