"""How much ``500m``, ``1.5Gi`` or ``1h30m`` is: Kubernetes' quantities and Go's durations, read and written."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from math import ceil

# As k8s.io/apimachinery has them in pkg/api/resource/suffix.go.
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
_QUANTITY = re.compile(r"([+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,2})?)([a-zA-Z]{0,2})")
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")

# As Go's time.ParseDuration has them, without what no schedule needs (ns, µs).
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def quantity(text: str | float) -> Decimal:
    """The amount a quantity stands for: bytes, cores or a count.

    Raises: ValueError, which quotes the text.

    Example:
        >>> quantity("500m"), quantity("1Ki"), quantity(2)
        (Decimal('0.500'), Decimal('1024'), Decimal('2'))

    """
    found = _QUANTITY.fullmatch(str(text).strip())
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity: write a number with one of {', '.join(filter(None, _SUFFIXES))}")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def number_of_bytes(text: str | float) -> int:
    """A size in whole bytes, rounded up as Kubernetes does.

    Example:
        >>> number_of_bytes("1.5Ki")
        1536

    """
    return ceil(quantity(text))


def print_bytes(size: int) -> str:
    """A size as a quantity that a person reads and Kubernetes reads back, rounded up by less than a quarter.

    Example:
        >>> print_bytes(1536), print_bytes(412 * 2**20 - 5), print_bytes(7)
        ('1536', '412Mi', '7')

    """
    for suffix in _BINARY:
        unit = int(_SUFFIXES[suffix])
        if size >= 4 * unit:
            return f"{-(-size // unit)}{suffix}"
    return str(size)


def print_cores(cores: float) -> str:
    """A CPU amount in whole millicores, rounded up.

    Example:
        >>> print_cores(0.25), print_cores(2)
        ('250m', '2')

    """
    milli = ceil(Decimal(str(cores)) * 1000)
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def duration(text: str) -> timedelta:
    """The time a Go duration stands for.

    Raises: ValueError, which quotes the text.

    Example:
        >>> duration("1h30m")
        datetime.timedelta(seconds=5400)

    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration: write numbers with h, m, s or ms, as in 90s or 1h30m")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def print_duration(time: timedelta) -> str:
    """A time as the shortest Go duration, to the millisecond.

    Example:
        >>> print_duration(timedelta(hours=24)), print_duration(timedelta(seconds=5400.5)), print_duration(timedelta())
        ('24h', '1h30m500ms', '0s')

    """
    left = round(time.total_seconds() * 1000)
    out = ""
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        out += f"{count}{unit}" if count else ""
    return out or "0s"
