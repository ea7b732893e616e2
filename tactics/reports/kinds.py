"""The reports that there are. One class each; it reads the database once and draws its charts from what it read."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

from agencies.access import SEES_RISK
from agencies.models import Agency
from patrols.selectors import models_behind
from tactics.reports.asked import FILTERS, LONGEST_DAYS, Asked, Option
from tactics.reports.shapes import Report


class ReportKind(ABC):
    """A report: its name and address, who may see it, what it can be filtered by, and how it is made."""

    slug: ClassVar[str]
    title: ClassVar[str]
    what: ClassVar[str]
    roles: ClassVar[frozenset[str]] = SEES_RISK
    filters: ClassVar[tuple[str, ...]] = ("district", "beat", "shift", "type")
    options: ClassVar[tuple[Option, ...]] = ()
    days: ClassVar[int] = 28
    longest: ClassVar[int] = LONGEST_DAYS

    @abstractmethod
    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read the database and return the report. The number of queries is fixed and said."""

    def check(self, agency: Agency, asked: Asked) -> None:  # noqa: B027 - most reports answer every question
        """Raise ``MissionsError`` for a question that this report cannot answer. Asked before one is saved, too."""

    def chart(self, report: Report, slug: str) -> bytes | None:
        """Return a chart of the report as SVG; None for a name that it has not."""
        return None


def report_made(agency: Agency, kind: ReportKind, asked: Asked) -> Report:
    """Make a report, and say which models were behind the missions of its period. One query more than ``make``."""
    return replace(kind.make(agency, asked), model=models_behind(agency, asked.first, asked.last))


def kept_names(kind: ReportKind) -> tuple[str, ...]:
    """What is kept of a question under a saved report's ``filters``: filters, the report's own choices, a moving period."""
    return (*FILTERS, *(option.name for option in kind.options), "period")


def all_kinds() -> dict[str, ReportKind]:
    """The reports by slug, in the order in which pages list them."""
    # Here and not above: each kind imports this module.
    from tactics.reports.builder import ReportBuilder
    from tactics.reports.effectiveness import ForecastEffectiveness
    from tactics.reports.shifts import ShiftReport
    from tactics.reports.trends import CrimeTrends

    return {
        kind.slug: kind for kind in (ShiftReport(), CrimeTrends(), ForecastEffectiveness(), ReportBuilder())
    }
