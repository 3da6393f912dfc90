"""Figures against an axis or two: curves, bands, points with their intervals; each says in words what it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from merkhet.pages.markup import Markup, element
from merkhet.pages.words import counted, figure

WIDTH, HEIGHT = 360, 264
LEFT, RIGHT, TOP, FLOOR = 46, 352, 24, 216  # of the area that is drawn in
TICK_LABELS, TITLE = FLOOR + 17, HEIGHT - 8
MOST_STEPS = 16  # between the ends of an axis, one of which may lie beyond its outermost figure
MOST_TICKS = 5
COLOURS = 6  # lines that the style has a colour for


@dataclass(frozen=True, slots=True)
class Axis:
    """From where to where figures reach; ``ratio`` places them by their logarithm."""

    low: float
    high: float
    title: str = ""
    ratio: bool = False

    def at(self, value: float) -> float:
        """Where a figure lies, from 0 to 1; beyond the ends it lies at them."""
        low, high, value = (math.log10(one) if self.ratio else one / 2 for one in (self.low, self.high, value))
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Round figures on the axis."""
        if self.ratio:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers][:: max(1, math.ceil(len(powers) / MOST_TICKS))]
        step = _round_step((self.high / 2 - self.low / 2) / MOST_TICKS * 2)
        first = math.ceil(self.low / step - 1e-9)
        return [(first + index) * step for index in range(math.floor(self.high / step + 1e-9) - first + 1)]


SHARES = Axis(0.0, 1.0)


def around(values: Iterable[float | None], title: str = "", *, and_: Sequence[float] = ()) -> Axis:
    """An axis with round ends on which all of these lie; shares stay between 0 and 1."""
    known = [*(value for value in values if value is not None and math.isfinite(value)), *and_] or [0.0, 1.0]
    low, high = min(known), max(known)
    if low == high:
        wide = abs(low) / 2 or 0.5
        return Axis(low - wide, high + wide, title)
    step = _round_step((high / 2 - low / 2) / MOST_STEPS * 2)
    first, last = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if not math.isfinite(last - first):
        return Axis(low, high, title)
    return Axis(first, 1.0 if low >= 0 and high <= 1 < last else last, title)


def ratios(values: Sequence[float], title: str) -> Axis:
    """An axis by logarithm; raises ValueError where a figure is not above nought."""
    low, high = min(values), max(values)
    return Axis(low / 1.15, high * 1.15, title, ratio=True)


@dataclass(frozen=True, slots=True)
class Line:
    """A curve. ``kind``: main, reference, or colour1 and so on."""

    x: Sequence[float]
    y: Sequence[float]
    kind: str = "main"
    words: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between two curves."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class Point:
    """A figure, with its interval where it has one."""

    x: float
    y: float
    words: str
    low: float | None = None
    high: float | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """How many lie from each edge to the next."""

    edges: Sequence[float]
    counts: Sequence[int]


Mark = Line | Band | Point | Bars


def plot(said: str, x: Axis, y: Axis, *marks: Mark) -> Markup:
    """Marks on two axes."""
    shapes = [shape for mark in marks for shape in _drawn(mark, x, y)]
    box = f"0 0 {WIDTH} {HEIGHT}"
    return element(
        "svg", *_scales(x, y), *shapes, class_="plot", viewBox=box, role="img", aria_label=said
    )  # fmt: skip


def interval(
    value: float | None, low: float | None, high: float | None, axis: Axis, *, reference: float | None = None,
    bar: bool = False,
) -> Markup:  # fmt: skip
    """A dot with its interval on a strip; with ``bar`` a bar from nought. The figures stand beside it in words."""
    parts = []
    if reference is not None:
        parts.append(element("u", style=f"left:{_percent(axis.at(reference))}"))
    if bar and value is not None:
        start, end = sorted((axis.at(0.0), axis.at(value)))
        parts.append(element("s", style=f"left:{_percent(start)};width:{_percent(end - start)}"))
    if low is not None and high is not None:
        start, end = axis.at(low), axis.at(high)
        parts.append(element("i", style=f"left:{_percent(start)};width:{_percent(end - start)}"))
    if value is not None and not bar:
        parts.append(element("b", style=f"left:{_percent(axis.at(value))}"))
    return element("span", *parts, class_="strip", aria_hidden="true")


def ends(axis: Axis) -> Markup:
    """From where to where a strip reaches."""
    return element("span", element("span", figure(_short(axis.low))), element("span", figure(_short(axis.high))),
                   class_="ends")  # fmt: skip


def legend(*named: tuple[str, str]) -> Markup:
    """Which curve is which: kind and words of each."""
    items = [element("li", element("i", class_=kind, aria_hidden="true"), words) for kind, words in named]
    return element("ul", *items, class_="legend")


def colour(index: int) -> str:
    """The kind of one line among several."""
    return f"colour{index % COLOURS + 1}"


def _scales(x: Axis, y: Axis) -> Iterator[Markup]:
    grid = "".join(f"M{LEFT} {_pixel(_y(y, tick))}H{RIGHT}" for tick in y.ticks())
    yield element("path", class_="grid", d=grid or f"M{LEFT} {FLOOR}H{RIGHT}")
    yield element("path", class_="floor", d=f"M{LEFT} {FLOOR}H{RIGHT}")
    for tick in y.ticks():
        yield _text(LEFT - 6, _y(y, tick) + 4, figure(_short(tick)), "end")
    for tick in x.ticks():
        yield _text(_x(x, tick), TICK_LABELS, figure(_short(tick)), "middle")
    yield _text(0, 11, y.title, "start", "title")
    yield _text(RIGHT, TITLE, x.title, "end", "title")


def _drawn(mark: Mark, x: Axis, y: Axis) -> Iterator[Markup]:
    if isinstance(mark, Line):
        path = _path(mark.x, mark.y, x, y)
        yield element("path", element("title", mark.words) if mark.words else "", class_=mark.kind, d=path)
    elif isinstance(mark, Band):
        there = _path(mark.x, mark.high, x, y)
        back = _path(list(reversed(mark.x)), list(reversed(mark.low)), x, y)
        yield element("path", class_="band", d=f"{there}L{back[1:]}Z")
    elif isinstance(mark, Point):
        yield _point(mark, x, y)
    else:
        yield from _bars(mark, x, y)


def _path(xs: Sequence[float], ys: Sequence[float], x: Axis, y: Axis) -> str:
    return "M" + "L".join(f"{_pixel(_x(x, at))} {_pixel(_y(y, value))}" for at, value in zip(xs, ys, strict=True))


def _point(point: Point, x: Axis, y: Axis) -> Markup:
    at, parts = _pixel(_x(x, point.x)), []
    if point.low is not None and point.high is not None:
        parts.append(element("path", d=f"M{at} {_pixel(_y(y, point.low))}V{_pixel(_y(y, point.high))}"))
    circle = element("circle", cx=at, cy=_pixel(_y(y, point.y)), r="3.6")
    return element("g", element("title", point.words), *parts, circle, class_=f"point {point.kind}".strip())


def _bars(bars: Bars, x: Axis, y: Axis) -> Iterator[Markup]:
    for count, (low, high) in zip(bars.counts, pairwise(bars.edges), strict=True):
        if count:
            left, right, top = _x(x, low), _x(x, high), _y(y, count)
            title = element("title", f"{figure(low)} to {figure(high)}: {counted(count, 'row')}")
            yield element("rect", title, x=_pixel(left + 0.5), y=_pixel(top), width=_pixel(max(1.0, right - left - 1)),
                          height=_pixel(FLOOR - top))  # fmt: skip


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.at(value) * (RIGHT - LEFT)


def _y(axis: Axis, value: float) -> float:
    return FLOOR - axis.at(value) * (FLOOR - TOP)


def _text(x: float, y: float, words: str, anchor: str, kind: str | None = None) -> Markup:
    return element("text", words, x=_pixel(x), y=_pixel(y), text_anchor=anchor, class_=kind)


def _round_step(about: float) -> float:
    """The least of 1, 2, 5 and their tens that is no smaller."""
    power = 10.0 ** math.floor(math.log10(about))
    return next((power * round_ for round_ in (1, 2, 5) if power * round_ >= about * (1 - 1e-9)), power * 10)


def _short(value: float) -> float:
    """Without what adding steps of a tenth leaves behind."""
    return float(f"{value:.6g}")


def _percent(fraction: float) -> str:
    return f"{round(fraction * 100, 2):g}%"


def _pixel(number: float) -> str:
    return f"{round(number, 1):g}"
