"""Numbers as people read them."""

from __future__ import annotations

THIN = "\u202f"  # a narrow space that does not break
NOTHING = "\N{EN DASH}"
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def figure(number: float | None) -> str:
    """A number in at most ten characters or so; whole ones in groups of three.

    Example:
        >>> figure(1234567), figure(0.123456), figure(2.5)
        ('1,234,567', '0.1235', '2.5')

    """
    if number is None:
        return NOTHING
    size = abs(number)
    if size >= 1e9 or 0 < size < 1e-4:
        digits, _, power = f"{number:.2e}".partition("e")
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
        return f"{_signed(digits)}{TIMES}10{str(int(power)).translate(_RAISED)}"
    if number == int(number):
        return _signed(f"{int(number):,}")
    whole = len(str(int(size)))
    text = f"{number:,.{max(0, 4 - (whole if size >= 1 else 0))}f}"
    return _signed(text.rstrip("0").rstrip(".") if "." in text else text)


def share(fraction: float) -> str:
    """A fraction as a percentage; a very small one is not rounded to nothing, nor a large one to all.

    Example:
        >>> share(0.0), share(0.00001), share(0.256), share(0.99999), share(1.0)
        ('0\u202f%', '<\u202f0.1\u202f%', '25.6\u202f%', '>\u202f99.9\u202f%', '100\u202f%')

    """
    if 0 < fraction < 0.001:
        return f"<{THIN}0.1{THIN}%"
    if 0.999 < fraction < 1:
        return f">{THIN}99.9{THIN}%"
    return f"{round(fraction * 100, 1):g}{THIN}%"


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its noun.

    Example:
        >>> counted(1, "row"), counted(2000, "row")
        ('1 row', '2,000 rows')

    """
    return f"{figure(number)} {one if number == 1 else many or one + 's'}"


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
