"""Kubernetes' quantities and Go's durations are read and written as Kubernetes and Go do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from merkhet.api.quantities import (
    duration,
    number_of_bytes,
    print_bytes,
    print_cores,
    print_duration,
    quantity,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        pytest.param("0", 0, id="nothing"),
        pytest.param("100m", Decimal("0.1"), id="a tenth of a core"),
        pytest.param("1.5Gi", 1610612736, id="a fraction of a binary unit"),
        pytest.param("1e3", 1000, id="an exponent"),
        pytest.param("2G", 2_000_000_000, id="a decimal unit"),
        pytest.param(0.5, Decimal("0.5"), id="a plain number"),
    ],
)
def test_a_quantity_is_read(text: str | float, amount: Decimal | int) -> None:
    assert quantity(text) == amount


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1KiB", "five", "1ki", "1.2.3"])
def test_what_is_no_quantity_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantity(text)


def test_a_fraction_of_a_byte_is_rounded_up() -> None:
    assert number_of_bytes("100m") == 1


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 5 * 2**20 + 1, 7 * 2**30, 2**41 + 3])
def test_a_printed_size_never_promises_less_than_was_asked(size: int) -> None:
    assert size <= number_of_bytes(print_bytes(size)) <= size * 1.25


@pytest.mark.parametrize(("cores", "text"), [(0.0001, "1m"), (0.3, "300m"), (1.0, "1"), (1.25, "1250m")])
def test_cores_are_printed_in_millicores(cores: float, text: str) -> None:
    assert print_cores(cores) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("90s", 90, id="seconds"),
        pytest.param("1h30m", 5400, id="two units"),
        pytest.param("1.5h", 5400, id="a fraction"),
        pytest.param("250ms", 0.25, id="milliseconds"),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "90", "1d", "1h 30m", "-5s", "h"])
def test_what_is_no_duration_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(text)


@pytest.mark.parametrize("text", ["0s", "90s", "24h", "1h30m", "1m500ms"])
def test_a_printed_duration_reads_back_as_the_same_time(text: str) -> None:
    assert duration(print_duration(duration(text))) == duration(text)
