"""The tactic report: what was done at visits, for how long, where and when, and whether it was what was recommended."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.access import SEES_PLANS
from agencies.models import Agency, Beat, CrimeType
from missions_project.lib.lazy import gettext_lazy
from patrols.models import Engagement
from tactics.engine.shares import wilson
from tactics.models import Tactic
from tactics.reports.asked import Asked
from tactics.reports.kinds import ReportKind
from tactics.reports.shapes import Cell, Chart, Column, Figure, Report, Table
from tactics.reports.tactics_read import Followed, Uses, followed_of, lookups, uses_of
from tactics.reports.tactics_used_chart import followed_svg, hours_svg, uses_svg

Ints = npt.NDArray[np.int64]
NOTHING = gettext_lazy(
    "No tactic was ticked off in this period. Choose other days; officers tick tactics off on their page at the end of a visit."
)


class TacticReport(ReportKind):
    """Use and minutes by tactic, crime type, district, week and hour; whether what was recommended was done."""

    slug: ClassVar[str] = "tactics"
    title: ClassVar[str] = gettext_lazy("Tactic report")
    what: ClassVar[str] = gettext_lazy(
        "Which tactics were done, for how long, where and when; how often it was the one that was recommended."
    )
    roles: ClassVar[frozenset[str]] = SEES_PLANS
    is_long: ClassVar[bool] = True

    def make(self, agency: Agency, asked: Asked) -> Report:
        """Read what was ticked, what was drawn, and how many visits there were. Six queries."""
        tactics = dict(Tactic.objects.filter(agency=agency).order_by("name").values_list("pk", "name"))
        uses = uses_of(agency, asked, tactics)
        found = followed_of(agency, asked, tactics, uses)
        visits = Engagement.objects.filter(**lookups(agency, asked, "mission")).count()
        __, first = np.unique(uses.visit, return_index=True)
        minutes = float(uses.minutes[first].sum())
        followed = _followed_table(uses.names, found)
        weeks = _weeks(uses)
        return Report(
            slug=self.slug,
            title=self.title,
            agency=agency.name,
            agency_slug=agency.slug,
            zone=agency.time_zone,
            asked=asked,
            made_at=timezone.now(),
            sentence=_sentence(found, visits, len(first)),
            figures=(
                Figure(_("Visits"), f"{visits:,}", _("with an arrival on record")),
                Figure(_("With a tactic"), f"{len(first):,}", _("ticked off at the visit")),
                Figure(_("Minutes in these"), f"{minutes:,.0f}", _("each visit once")),
                Figure(_("Missions with a recommendation"), f"{int(found.drawn.sum()):,}"),
                Figure(_("Of those visited"), f"{int(found.visited.sum()):,}"),
                Figure(
                    _("Recommended one done"),
                    _percent(*_totals(found)),
                    _interval_words(*_totals(found)),
                ),
            ),
            tables=(
                _tactics(uses, found),
                followed,
                _swaps(uses, found),
                _types(agency, uses),
                _districts(agency, uses),
                weeks,
                _weeks_followed(found),
                _hours(uses),
            ),
            charts=_charts(followed, weeks, uses),
            notes=(
                _(
                    "A tactic's minutes are those of the visits at which it was ticked: a visit with two tactics counts for both, "
                    "so that minutes by tactic add up to more than the minutes of the visits."
                ),
                _(
                    "What officers tick is their own account. Whether a tactic is followed by fewer crimes: Tactics."
                ),
            ),
            about=(
                _(
                    "Visits to missions, by the local date on which their shift began; recommendations of published plans"
                ),
            ),
        )

    def chart(self, report: Report, slug: str) -> bytes | None:
        table = report.table(slug)
        if table is None or slug not in {chart.slug for chart in report.charts}:
            return None
        return {"weeks": uses_svg, "followed": followed_svg, "hours": hours_svg}[slug](table)


def _totals(found: Followed) -> tuple[int, int]:
    return int(found.followed.sum()), int(found.visited.sum())


def _percent(hits: int, of: int) -> str:
    return f"{100 * hits / of:.1f} %" if of else "–"


def _interval_words(hits: int, of: int) -> str:
    if not of:
        return ""
    low, high = (100 * float(limit) for limit in wilson(hits, of))
    return _("%(hits)s of %(of)s; 95 %% interval %(low)s to %(high)s %%") % {
        "hits": f"{hits:,}",
        "of": f"{of:,}",
        "low": f"{low:.1f}",
        "high": f"{high:.1f}",
    }


def _share_cells(hits: int, of: int) -> tuple[Cell, Cell, Cell]:
    """The share and its limits; unknown where nothing was counted."""
    if not of:
        return None, None, None
    low, high = wilson(hits, of)
    return hits / of, float(low), float(high)


_INTERVAL = (
    Column("share", gettext_lazy("Share"), "share"),
    Column(
        "low", gettext_lazy("Low limit"), "share", about=gettext_lazy("Interval by Wilson (1927), level 95 %")
    ),
    Column(
        "high",
        gettext_lazy("High limit"),
        "share",
        about=gettext_lazy("Interval by Wilson (1927), level 95 %"),
    ),
)
_USE = (
    Column("visits", gettext_lazy("Visits"), "int"),
    Column("minutes", gettext_lazy("Minutes"), "number", unit="min", digits=0),
)


def _tactics(uses: Uses, found: Followed) -> Table:
    visits, minutes = uses.by(np.zeros(len(uses.tactic), dtype=np.int64), 1)
    total = int(visits.sum())
    rows: list[tuple[Cell, ...]] = [
        (name, int(drawn), int(n), float(spent), float(spent / n) if n else None, float(n / total) if total else None)
        for name, drawn, n, spent in zip(uses.names, found.drawn.sum(axis=1), visits[0], minutes[0], strict=True)
    ]  # fmt: skip
    return Table(
        "tactics",
        _("By tactic"),
        (
            Column("tactic", _("Tactic")), Column("recommended", _("Recommended at missions"), "int"), *_USE,
            Column("minutes_per_visit", _("A visit"), "number", unit="min"), Column("share", _("Share of ticks"), "share"),
        ),
        rows,
        empty=_("The agency has no tactics yet: Admin → Tactics."),
    )  # fmt: skip


def _followed_table(names: list[str], found: Followed) -> Table:
    drawn, seen, done = (array.sum(axis=1) for array in (found.drawn, found.visited, found.followed))
    rows: list[tuple[Cell, ...]] = [
        (name, int(drawn[at]), int(seen[at]), int(done[at]), *_share_cells(int(done[at]), int(seen[at])))
        for at, name in enumerate(names)
        if drawn[at]
    ]
    if rows:
        rows.append(
            (_("All"), int(drawn.sum()), int(seen.sum()), int(done.sum()), *_share_cells(*_totals(found)))
        )
    return Table(
        "followed",
        _("Recommended, and done"),
        (
            Column("tactic", _("Tactic recommended")), Column("missions", _("Missions"), "int"), Column("visited", _("Visited"), "int"),
            Column("followed", _("Done"), "int", about=_("Ticked off at any visit to the mission")), *_INTERVAL,
        ),
        rows,
        note=_("Share: of visited missions for which the tactic was recommended, those at which it was ticked off. The interval takes "
        "missions as independent; visits of one crew resemble one another, so the truth is less sure than it says."),
        empty=_("No tactic was recommended in this period. Choose other days, or set rules: Admin → Tactic rules."),
    )  # fmt: skip


def _swaps(uses: Uses, found: Followed) -> Table:
    """What was done instead: missions by tactic recommended and tactic ticked."""
    n = len(uses.names)
    known = uses.drawn >= 0
    triples = np.unique(np.stack([uses.mission, uses.drawn, uses.tactic])[:, known], axis=1)
    pairs = np.bincount(triples[1] * n + triples[2], minlength=n * n).reshape(n, n)
    ticked = np.bincount(np.unique(triples[:2], axis=1)[1], minlength=n) if n else np.zeros(0, dtype=np.int64)
    seen = found.visited.sum(axis=1)
    rows: list[tuple[Cell, ...]] = []
    for at, name in enumerate(uses.names):
        rows += [
            (name, uses.names[used], int(pairs[at, used]), float(pairs[at, used] / seen[at]) if seen[at] else None)
            for used in np.argsort(-pairs[at], kind="stable")
            if pairs[at, used]
        ]  # fmt: skip
        if seen[at] > ticked[at]:
            rows.append((name, _("none ticked off"), int(seen[at] - ticked[at]), float(1 - ticked[at] / seen[at])))  # fmt: skip
    return Table(
        "instead",
        _("Recommended against done"),
        (
            Column("recommended", _("Recommended")), Column("done", _("Done")), Column("missions", _("Missions"), "int"),
            Column("share", _("Share of visited"), "share"),
        ),
        rows,
        note=_("A mission at which two tactics were ticked off is in two lines."),
        empty=NOTHING,
    )  # fmt: skip


def _long(slug: str, title: str, first: tuple[Column, ...], labels: list[tuple[Cell, ...]], uses: Uses, place: Ints) -> Table:  # fmt: skip
    """A line a place and tactic; the tactic's share of the place's ticks."""
    visits, minutes = uses.by(place, len(labels))
    rows: list[tuple[Cell, ...]] = []
    for at, label in enumerate(labels):
        total = int(visits[at].sum())
        rows += [
            (*label, uses.names[one], int(visits[at, one]), float(minutes[at, one]), float(visits[at, one] / total))
            for one in np.flatnonzero(visits[at])
        ]  # fmt: skip
    columns = (*first, Column("tactic", _("Tactic")), *_USE, Column("share", _("Share of ticks"), "share"))
    return Table(slug, title, columns, rows, empty=NOTHING)


def _place(keys: list[int], values: Ints) -> Ints:
    """Where each value stands in the list of keys, -1 for those that are not in it."""
    order = np.argsort(np.array(keys, dtype=np.int64), kind="stable")
    ordered = np.array(keys, dtype=np.int64)[order]
    at = np.minimum(np.searchsorted(ordered, values), max(len(keys) - 1, 0))
    if not len(keys):
        return np.full(len(values), -1, dtype=np.int64)
    found: Ints = np.where(ordered[at] == values, order[at], -1)
    return found


def _types(agency: Agency, uses: Uses) -> Table:
    """One query."""
    kinds = dict(CrimeType.objects.filter(agency=agency).values_list("pk", "name"))
    labels: list[tuple[Cell, ...]] = [(name,) for name in kinds.values()]
    first = (Column("crime_type", _("Crime type")),)
    return _long("types", _("By crime type"), first, labels, uses, _place(list(kinds), uses.kind))


def _districts(agency: Agency, uses: Uses) -> Table:
    """One query."""
    beats = dict(Beat.objects.filter(agency=agency).values_list("pk", "district__code"))
    codes = sorted(set(beats.values()))
    number = np.array([codes.index(code) for code in beats.values()] + [-1], dtype=np.int64)
    place = number[_place(list(beats), uses.beat)]
    labels: list[tuple[Cell, ...]] = [(code,) for code in codes]
    return _long("districts", _("By district"), (Column("district", _("District")),), labels, uses, place)


def _weeks(uses: Uses) -> Table:
    weeks, place = np.unique(uses.week, return_inverse=True)
    labels: list[tuple[Cell, ...]] = [(str(week),) for week in weeks]
    return _long(
        "weeks", _("By week"), (Column("week_from", _("Week from")),), labels, uses, place.astype(np.int64)
    )


def _weeks_followed(found: Followed) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (week.isoformat(), int(seen), int(done), *_share_cells(int(done), int(seen)))
        for week, seen, done in zip(
            found.weeks, found.visited.sum(axis=0), found.followed.sum(axis=0), strict=True
        )
    ]
    return Table(
        "weeks-followed",
        _("Recommended, and done, by week"),
        (
            Column("week_from", _("Week from")), Column("visited", _("Visited"), "int"), Column("followed", _("Done"), "int"),
            *_INTERVAL,
        ),
        rows,
        empty=_("No tactic was recommended in this period. Choose other days, or set rules: Admin → Tactic rules."),
    )  # fmt: skip


def _hours(uses: Uses) -> Table:
    __, minutes = uses.by(uses.hour, 24)
    rows: list[tuple[Cell, ...]] = [
        (name, *(float(value) for value in minutes[:, at]))
        for at, name in enumerate(uses.names)
        if minutes[:, at].any()
    ]
    return Table(
        "hours",
        _("Minutes by hour of the day"),
        (
            Column("tactic", _("Tactic")),
            *(Column(f"h{hour:02d}", f"{hour:02d}", "number", digits=0, reads="hour") for hour in range(24)),
        ),
        rows,
        note=_("By the hour of arrival, on the agency's clock."),
        empty=NOTHING,
    )


def _charts(followed: Table, weeks: Table, uses: Uses) -> tuple[Chart, ...]:
    n = len(set(uses.tactic.tolist()))
    found = []
    if weeks.rows:
        found.append(
            Chart("weeks", _("Hours a week"), _("Unit-hours a week at visits with each tactic."), "weeks", 720, 60 + 130 * ((n + 2) // 3))
        )  # fmt: skip
        found.append(
            Chart("hours", _("Hours of the day"), _("Minutes of each tactic by hour of the day."), "hours", 720, 120 + 28 * n)
        )  # fmt: skip
    if followed.rows:
        found.append(
            Chart(
                "followed", _("Recommended, and done"), _("Share of visited missions at which the recommended tactic was done, with its interval."),
                "followed", 720, 90 + 26 * len(followed.rows),
            )
        )  # fmt: skip
    return tuple(found)


def _sentence(found: Followed, visits: int, ticked: int) -> str:
    done, seen = _totals(found)
    if not visits:
        return _("No mission was visited in this period.")
    told = {"ticked": f"{ticked:,}", "visits": f"{visits:,}", "done": f"{done:,}", "seen": f"{seen:,}"}
    if not seen:
        return _("A tactic was ticked off at %(ticked)s of %(visits)s visits.") % told
    low, high = (100 * float(limit) for limit in wilson(done, seen))
    told |= {"share": f"{100 * done / seen:.0f}", "low": f"{low:.0f}", "high": f"{high:.0f}"}
    return (
        _(
            "A tactic was ticked off at %(ticked)s of %(visits)s visits; at %(done)s of %(seen)s visited missions the recommended "
            "one was done (%(share)s %%, 95 %% interval %(low)s to %(high)s %%)."
        )
        % told
    )
