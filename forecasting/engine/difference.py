"""By how much two measured figures differ, where each has its own interval."""

import math

from forecasting.engine.metrics import Estimate

NOT_KNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def difference(one: Estimate, other: Estimate) -> Estimate:
    """The first minus the second, with a 95 % interval that holds where the two were measured apart.

    Where they share some of the weeks that they were tested on, they tend to err together and the interval is rather
    too wide than too narrow. What is not known of either is not known of the difference.

    Notes
    -----
    Square-and-add of the distances to the limits, which keeps lopsided intervals lopsided (Zou & Donner, Statistics in
    Medicine 27, 2008: "method of variance estimates recovery").

    >>> difference(Estimate(5.0, 2.0, 9.0), Estimate(3.0, 0.0, 7.0))
    Estimate(value=2.0, low=-3.0, high=7.0)
    """
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, low, high)


def estimate_from(stored: dict[str, float | None] | None) -> Estimate:
    """The figure as it was kept in JSON, where NaN is null; nothing at all is NaN too.

    >>> estimate_from({"value": 1.0, "low": None, "high": 2.0})
    Estimate(value=1.0, low=nan, high=2.0)
    """
    if not stored:
        return NOT_KNOWN
    value, low, high = (
        math.nan if part is None else float(part) for part in (stored["value"], stored["low"], stored["high"])
    )
    return Estimate(value, low, high)
