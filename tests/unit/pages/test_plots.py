"""Axes: round ends and ticks, wherever the figures lie."""

from __future__ import annotations

import pytest

from merkhet.pages.plots import SHARES, Axis, Band, Bars, Line, Point, around, interval, plot, ratios

HUGE = 1.7976931348623157e308
ENDS = {
    "shares": ([0.37, 0.71], (0.35, 0.75)),
    "shares that reach all": ([0.45, 1.0], (0.45, 1.0)),
    "shares near all do not pass it": ([0.9, 0.999], (0.9, 1.0)),
    "amounts": ([19, 79], (15.0, 80.0)),
    "both sides of nought": ([-3.2, 1.1], (-3.5, 1.5)),
    "one figure": ([5.0], (2.5, 7.5)),
    "nought alone": ([0.0], (-0.5, 0.5)),
    "nothing": ([], (0.0, 1.0)),
    "none and infinite ones": ([None, float("inf"), 1.0, 2.0], (1.0, 2.0)),
}


@pytest.mark.parametrize(("values", "wanted"), ENDS.values(), ids=ENDS)
def test_an_axis_has_round_ends_around_its_figures(values: list[float | None], wanted: tuple[float, float]) -> None:
    axis = around(values)
    assert (axis.low, axis.high) == pytest.approx(wanted)


def test_an_axis_reaches_what_it_is_told_to() -> None:
    assert around([2.0, 3.0], and_=(0.0,)).low == 0.0


TICKS = {
    "shares": (SHARES, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    "amounts": (Axis(15, 80), [20.0, 40.0, 60.0, 80.0]),
    "small ones": (Axis(0.78, 0.86), [0.78, 0.8, 0.82, 0.84, 0.86]),
    "powers of ten": (Axis(0.002, 150, ratio=True), [0.01, 0.1, 1.0, 10.0, 100.0]),
    "many powers of ten": (Axis(1e-9, 1e1, ratio=True), [1e-9, 1e-6, 1e-3, 1.0]),
}


@pytest.mark.parametrize(("axis", "wanted"), TICKS.values(), ids=TICKS)
def test_ticks_are_round_figures(axis: Axis, wanted: list[float]) -> None:
    assert axis.ticks() == pytest.approx(wanted)


def test_a_figure_beyond_an_axis_lies_at_its_end() -> None:
    assert [SHARES.at(value) for value in (-1.0, 0.25, 7.0)] == [0.0, 0.25, 1.0]


def test_the_largest_numbers_are_drawn_like_others() -> None:
    axis = around([-HUGE, HUGE])
    drawn = plot("all", axis, axis, Line((-HUGE, HUGE), (-HUGE, HUGE)), Band((-HUGE, HUGE), (0.0, 0.0), (HUGE, HUGE)),
                 Point(0.0, 0.0, "middle", -HUGE, HUGE), Bars((-HUGE, 0.0, HUGE), (1, 2)))  # fmt: skip
    assert "inf" not in drawn
    assert "nan" not in drawn


def test_a_logarithm_is_of_positive_numbers() -> None:
    assert ratios([0.001, 100.0], "C").at(0.316) == pytest.approx(0.5, abs=0.01)
    with pytest.raises(ValueError):
        ratios([0.0, 1.0], "C").at(1.0)


def test_a_strip_has_what_is_known() -> None:
    assert "<b " not in interval(None, None, None, SHARES)
    assert 'style="left:40%;width:20%"' in interval(0.5, 0.4, 0.6, SHARES)
    assert 'style="left:25%;width:25%"' in interval(-0.25, None, None, Axis(-0.5, 0.5), bar=True)
