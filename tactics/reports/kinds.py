"""The reports that there are. One class each; it reads the database once and draws its charts from what it read."""

from abc import ABC, abstractmethod
from typing import ClassVar

from agencies.access import SEES_RISK
from agencies.models import Agency
from tactics.reports.asked import LONGEST_DAYS, Asked
from tactics.reports.shapes import Report


class ReportKind(ABC):
    """A report: its name and address, who may see it, what it can be filtered by, and how it is made."""

    slug: ClassVar[str]
    title: ClassVar[str]
    what: ClassVar[str]
    roles: ClassVar[frozenset[str]] = SEES_RISK
    filters: ClassVar[tuple[str, ...]] = ("district", "beat", "shift", "type")
    days: ClassVar[int] = 28
    longest: ClassVar[int] = LONGEST_DAYS

    @abstractmethod
    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read the database and return the report. The number of queries is fixed and said."""

    def chart(self, report: Report, slug: str) -> bytes | None:
        """Return a chart of the report as SVG; None for a name that it has not."""
        return None


def all_kinds() -> dict[str, ReportKind]:
    """The reports by slug, in the order in which pages list them."""
    # Here and not above: each kind imports this module.
    from tactics.reports.effectiveness import ForecastEffectiveness
    from tactics.reports.shifts import ShiftReport
    from tactics.reports.tactics_used import TacticReport
    from tactics.reports.trends import CrimeTrends

    return {
        kind.slug: kind for kind in (ShiftReport(), TacticReport(), CrimeTrends(), ForecastEffectiveness())
    }
