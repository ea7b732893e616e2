"""The forecast's reasons in the reader's language: they are stored in English, as ``forecasting.engine.wording`` makes them."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext, gettext_noop

from missions_project.lib.sentences import Sentences

WEEKDAYS = (
    gettext_noop("Monday %(shift)s"),
    gettext_noop("Tuesday %(shift)s"),
    gettext_noop("Wednesday %(shift)s"),
    gettext_noop("Thursday %(shift)s"),
    gettext_noop("Friday %(shift)s"),
    gettext_noop("Saturday %(shift)s"),
    gettext_noop("Sunday %(shift)s"),
)
REASONS = Sentences(
    (
        gettext_noop("No sensor covers this cell"),
        gettext_noop("No sensor covers this cell: %(name)s here are unknown, which is not the same as none."),
        gettext_noop("Expected in this shift: %(expected)s %(name)s; rank %(rank)s of %(cells)s cells."),
        gettext_noop(
            "That is %(times)s times the city's middle cell in a shift with usual weather and no event."
        ),
        gettext_noop("That is %(times)s times the city's middle cell."),
        gettext_noop("expected count %(times)s times the middle cell's"),
        gettext_noop("%(reason)s: lowers the expected count."),
        gettext_noop("long run: %(here)s a year here, %(around)s in the cells around"),
        gettext_noop(
            "%(when)s: %(share)s %% of %(name)s within %(radius)s m fall in this shift (city %(city)s %%)"
        ),
        gettext_noop("%(when)s (%(share)s %% in this shift, city %(city)s %%)"),
        gettext_noop("%(when)s: %(counted)s a year within %(radius)s m in this shift"),
        gettext_noop("no %(name)s in this shift"),
        gettext_noop("no %(name)s within about %(radius)s m (middle cell %(middle)s)"),
        gettext_noop("no %(name)s within %(radius)s m (middle cell %(middle)s)"),
        gettext_noop("no %(name)s within about %(radius)s m"),
        gettext_noop("no %(name)s within %(radius)s m"),
        gettext_noop("near %(counted)s (within about %(radius)s m; middle cell %(middle)s)"),
        gettext_noop("near %(counted)s (within %(radius)s m; middle cell %(middle)s)"),
        gettext_noop("near %(counted)s"),
        gettext_noop("%(name)s: only %(amount)s within about %(radius)s m (middle cell %(middle)s)"),
        gettext_noop("%(name)s: only %(amount)s within %(radius)s m (middle cell %(middle)s)"),
        gettext_noop("%(name)s: only %(amount)s within about %(radius)s m"),
        gettext_noop("%(name)s: only %(amount)s within %(radius)s m"),
        gettext_noop("%(counted)s a year within %(radius)s m (middle cell %(middle)s)"),
        gettext_noop("%(counted)s a year within %(radius)s m"),
        gettext_noop("%(counted)s within %(radius)s m in %(days)s (middle cell %(middle)s)"),
        gettext_noop("%(counted)s within %(radius)s m in %(days)s (usual %(usual)s)"),
        gettext_noop("%(counted)s within %(radius)s m in %(days)s"),
        gettext_noop("%(counted)s within %(radius)s m"),
        gettext_noop("%(counted)s a year here"),
        gettext_noop("%(counted)s a year in the cells around"),
        gettext_noop("%(counted)s elsewhere in the city"),
        gettext_noop("%(degrees)s °C warmer than usual for the season"),
        gettext_noop("%(degrees)s °C colder than usual for the season"),
        gettext_noop("more rain expected than usual for the season"),
        gettext_noop("less rain expected than usual for the season"),
        gettext_noop("more snow expected than usual for the season"),
        gettext_noop("less snow expected than usual for the season"),
        gettext_noop("%(measured)s (average cell %(mean)s)"),
        gettext_noop("two weeks"),
        gettext_noop("%(count)s days"),
        *WEEKDAYS,
        # A clause as a sentence of its own.
        gettext_noop("%(reason)s."),
    )
)


def reason_said(text: str) -> str:
    """One reason or sentence of a forecast in the reader's language. No query."""
    told = REASONS.said(text)
    return told[:1].upper() + told[1:] if text[:1].isupper() else told


def headline_said(line: str) -> str:
    """The reasons of a mission's one line, which semicolons part, in the reader's language. No query."""
    told = "; ".join(REASONS.said(clause) for clause in line.split("; "))
    return told[:1].upper() + told[1:]


def reasons_said(texts: Iterable[str]) -> list[str]:
    """As ``reason_said``, of each."""
    return [reason_said(text) for text in texts]


def driver_said(label: str) -> str:
    """A driver's label in the reader's language: its kind, and after a colon the agency's own name. No query."""
    kind, colon, name = label.partition(": ")
    return f"{gettext(kind)}{colon}{name}" if kind else label


def why_said(told: dict[str, Any]) -> dict[str, Any]:
    """An answer of ``why_here`` in the reader's language; figures and keys stay. No query."""
    return told | {
        "headline": headline_said(told["headline"]),
        "clauses": reasons_said(told["clauses"]),
        "sentences": reasons_said(told["sentences"]),
        "bars": [bar | {"label": driver_said(bar["label"])} for bar in told["bars"]],
    }
