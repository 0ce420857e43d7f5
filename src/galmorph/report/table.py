"""A table of the report, and how a number is written in it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from galmorph.report import thesis
from galmorph.report.language import mark, say
from galmorph.report.names import set_name

MISSING = "—"
TWO_STE = mark("± 2 std errors (thesis)")
METRICS = {
    "accuracy": mark("accuracy"),
    "tss": mark("TSS"),
    "baseline": mark("baseline"),
    "accuracy_restricted": mark("accuracy, restricted"),
}


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes
    ----------
    name
        The file name without its ending.
    caption
        What it shows, as a sentence or more; the thesis's number for it, where it has one, is added by `counterpart`.
    data
        Full precision, one column per quantity.
    shown
        Text, with headings for a reader.
    results
        Whether it shows results of training, so that a simulated survey must be named beside it.
    """

    name: str
    caption: str
    data: pd.DataFrame
    shown: pd.DataFrame
    results: bool = True

    @property
    def counterpart(self) -> str | None:
        """What it corresponds to in the thesis."""
        return thesis.counterpart(self.name)


def number(value: float, decimals: int = 3, *, signed: bool = False) -> str:
    """Return a number with a true minus sign, or a dash where there is none; a rounded zero has no sign."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def plus_minus(value: float, spread: float, decimals: int = 3, *, signed: bool = False) -> str:
    """Return value ± spread; a dash for what is missing."""
    return MISSING if math.isnan(value) else f"{number(value, decimals, signed=signed)} ± {number(spread, decimals)}"


def interval(low: float, high: float, decimals: int = 3) -> str:
    """Return "−0.012 to +0.034", or a dash."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    return say("{low} to {high}", low=number(low, decimals, signed=True), high=number(high, decimals, signed=True))


def p_value(value: float) -> str:
    """Return a p value with three decimals, "< 0.001" for a smaller one, or a dash."""
    return "< 0.001" if value < 0.0005 else number(value)


def metric_label(metric: str) -> str:
    """Return a metric's name for a reader: "TSS, common set, balanced" for "tss@common_balanced"."""
    base, _, where = metric.partition("@")
    text = say(METRICS[base]) if base in METRICS else base
    return say("{metric}, {where}", metric=text, where=set_name(where)) if where else text


def whole(value: float) -> str:
    """Return a whole number with its thousands marked, or a dash."""
    return MISSING if pd.isna(value) else f"{value:,.0f}"


def pairs(values: Iterable[float], spreads: Iterable[float], *, signed: bool = False) -> list[str]:
    """Return `plus_minus` of two columns."""
    return [plus_minus(value, spread, signed=signed) for value, spread in zip(values, spreads, strict=True)]
