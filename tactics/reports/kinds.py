"""The reports that there are. One class each; it reads the database once and draws its charts from what it read."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

from agencies.access import EXPORTS, SEES_RISK, Access
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
    exports: ClassVar[frozenset[str]] = EXPORTS
    filters: ClassVar[tuple[str, ...]] = ("district", "beat", "shift", "type")
    options: ClassVar[tuple[Option, ...]] = ()
    days: ClassVar[int] = 28
    longest: ClassVar[int] = LONGEST_DAYS
    is_long: ClassVar[bool] = False
    """Whether counting may take a second in a large city: then a page may show the last count, with its time, while a worker counts anew."""
    is_personal: ClassVar[bool] = False
    """Whether its figures are about people at work: then the audit log says who looked."""

    @abstractmethod
    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read the database and return the report. The number of queries is fixed and said."""

    def make_at_once(self, agency: Agency, asked: Asked) -> Report | None:
        """Return the report from what is kept of the last day and a half (``kept_crimes``), with that time; None where nothing fits.

        For a page that somebody waits for, of a report ``is_long``. The number of queries is fixed and said.
        """
        return None

    def may_see(self, access: Access) -> bool:
        """Whether this person has the report at all. No query."""
        return access.has(self.roles)

    def may_export(self, access: Access) -> bool:
        """Whether they get its files. No query."""
        return self.may_see(access) and access.has(self.exports)

    def why_off(self, agency: Agency) -> str:
        """Why nobody in the agency has this report now, with the next step; empty where they have it."""
        return ""

    def narrowed(self, asked: Asked, access: Access | None) -> Asked:
        """What was asked, cut to what this person may see. Reports that are the same for all leave it as it is."""
        return asked

    def check(self, agency: Agency, asked: Asked) -> None:  # noqa: B027 - most reports answer every question
        """Raise ``MissionsError`` for a question that this report cannot answer. Asked before one is saved, too."""

    def chart(self, report: Report, slug: str) -> bytes | None:
        """Return a chart of the report as SVG; None for a name that it has not."""
        return None


def report_made(agency: Agency, kind: ReportKind, asked: Asked) -> Report:
    """Make a report, and say which models were behind the missions of its period. One query more than ``make``."""
    return _with_models(agency, kind.make(agency, asked))


def report_made_at_once(agency: Agency, kind: ReportKind, asked: Asked) -> Report | None:
    """The same from what is kept, for a page that may be a day and a half old; None where nothing that is kept fits."""
    report = kind.make_at_once(agency, asked)
    return report and _with_models(agency, report)


def _with_models(agency: Agency, report: Report) -> Report:
    return replace(report, model=models_behind(agency, report.asked.first, report.asked.last))


def kept_names(kind: ReportKind) -> tuple[str, ...]:
    """What is kept of a question under a saved report's ``filters``: filters, the report's own choices, a moving period."""
    return (*FILTERS, *(option.name for option in kind.options), "period")


def all_kinds() -> dict[str, ReportKind]:
    """The reports by slug, in the order in which pages list them."""
    # Here and not above: each kind imports this module.
    from tactics.reports.activity import UnitActivity
    from tactics.reports.builder import ReportBuilder
    from tactics.reports.coverage import CoverageReport
    from tactics.reports.effectiveness import ForecastEffectiveness
    from tactics.reports.shifts import ShiftReport
    from tactics.reports.tactics_used import TacticReport
    from tactics.reports.trends import CrimeTrends

    kinds: tuple[ReportKind, ...] = (
        ShiftReport(),
        TacticReport(),
        UnitActivity(),
        CoverageReport(),
        CrimeTrends(),
        ForecastEffectiveness(),
        ReportBuilder(),
    )
    return {kind.slug: kind for kind in kinds}
