"""A filter or a period that nobody asked for before is answered from the crimes that are kept: the same figures, with the time of reading."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.db.models import F
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import override

from agencies.access import Access
from agencies.models import Agency, Beat, CrimeType, Membership
from forecasting.models import Grid
from forecasting.services import grid_build
from ingestion.models import Incident
from tactics.reports import kept, kept_crimes
from tactics.reports.asked import Asked, asked_from, choices_of
from tactics.reports.crimes import crimes_read
from tactics.reports.kept_crimes import crimes_keep, kept_crimes_of, packed, unpacked
from tactics.reports.kinds import all_kinds, report_made
from tactics.tasks import report_again_task
from tests.factories import make_agency, make_member
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents

pytestmark = pytest.mark.django_db
TRENDS, EFFECTIVENESS = "crime-trends", "effectiveness"


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Agency:
    cache.clear()
    monkeypatch.setattr(kept_crimes, "FEWEST", 1)
    agency = make_agency("trendville", cell_size_m=CELL_SIZE_M)
    make_incidents(agency)
    grid_build(agency=agency)
    return agency


@pytest.fixture
def access(town: Agency) -> Access:
    person = make_member(town, "analyst")
    return Access(town, person, Membership.objects.get(user=person))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What workers were asked for; none does it."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(report_again_task, "delay", lambda *args: found.append(args))
    return found


def asked(agency: Agency, query: str = "", slug: str = TRENDS) -> Asked:
    kind = all_kinds()[slug]
    return asked_from(QueryDict(query), choices_of(agency), today=timezone.localdate(), days=kind.days)


def beat(agency: Agency) -> str:
    return str(Beat.objects.filter(agency=agency).order_by("code").values_list("code", flat=True)[0])


def days_ago(n: int) -> str:
    return (timezone.localdate() - dt.timedelta(days=n)).isoformat()


@pytest.mark.parametrize("slug", [TRENDS, EFFECTIVENESS])
@pytest.mark.parametrize("question", ["", "type", "beat", "dates"])
def test_the_figures_are_those_of_a_fresh_count(
    town: Agency, access: Access, sent: list[tuple[Any, ...]], slug: str, question: str
) -> None:
    crime_type = CrimeType.objects.filter(agency=town).order_by("slug")[0]
    query = {
        "": "",
        "type": f"type={crime_type.slug}",
        "beat": f"beat={beat(town)}",
        "dates": f"from={days_ago(40)}&to={days_ago(20)}",
    }[question]
    kind, question_asked = all_kinds()[slug], asked(town, query, slug)
    fresh = report_made(town, kind, question_asked)
    crimes_keep(town)
    read_at = timezone.now()
    at_once = kept.report_of(town, kind, question_asked, access, may_be_old=True)
    assert len(sent) == 1, "a worker counts it anew"
    assert fresh.made_at < at_once.made_at < read_at, "the time is that of the reading"
    assert [table.rows for table in at_once.tables] == [table.rows for table in fresh.tables]
    assert any(table.rows for table in at_once.tables)
    assert at_once.figures == fresh.figures
    assert at_once.sentence == fresh.sentence


def test_no_incident_is_read_while_somebody_waits_and_files_read_them_all(
    town: Agency, access: Access, sent: list[tuple[Any, ...]]
) -> None:
    crimes_keep(town)
    before = Incident.objects.count()
    Incident.objects.all().delete()
    kind, question = all_kinds()[TRENDS], asked(town)
    page = kept.report_of(town, kind, question, access, may_be_old=True)
    weeks = page.table("weeks")
    assert 0 < sum(int(str(row[2])) for row in weeks.rows) <= before
    caches["reports"].delete(kept._key(town, kind, question))
    with pytest.raises(Exception, match="no crime on record"):
        kept.report_of(town, kind, question, access)


def test_what_was_read_before_the_last_day_was_over_does_not_fit(
    town: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    crimes_keep(town)
    question = asked(town)
    assert kept_crimes_of(town, question, since=question.first) is not None
    later = asked_from(
        QueryDict(), choices_of(town), today=timezone.localdate() + dt.timedelta(days=1), days=28
    )
    assert kept_crimes_of(town, later, since=later.first) is None
    long_ago = timezone.localdate() - dt.timedelta(days=365 * 9)
    assert kept_crimes_of(town, question, since=long_ago) is None


def test_nothing_fits_after_the_grid_the_beats_or_the_types_have_changed(town: Agency) -> None:
    question = asked(town)

    def fits() -> bool:
        return kept_crimes_of(town, question, since=question.first) is not None

    crimes_keep(town)
    assert fits()
    turned_off = CrimeType.objects.filter(agency=town).order_by("slug")[0]
    CrimeType.objects.filter(pk=turned_off.pk).update(is_active=False)
    kept_now = kept_crimes_of(town, question, since=question.first)
    assert kept_now is not None
    assert turned_off.slug not in [one.slug for one in kept_now.types], "what is off is left out"
    caches["reports"].clear()
    crimes_keep(town)
    CrimeType.objects.filter(pk=turned_off.pk).update(is_active=True)
    assert not fits(), "one more type than was read"
    caches["reports"].clear()
    crimes_keep(town)
    Beat.objects.filter(agency=town, code=beat(town)).update(code="renamed")
    assert not fits()
    caches["reports"].clear()
    crimes_keep(town)
    Grid.objects.filter(agency=town).update(is_active=False)
    assert not fits()


def test_another_agency_reads_nothing_of_it_and_a_worker_reads_once_an_hour(
    town: Agency, django_assert_num_queries: Any
) -> None:
    crimes_keep(town)
    lakeside = make_agency("lakeside", cell_size_m=CELL_SIZE_M)
    question = asked(lakeside)
    assert kept_crimes_of(lakeside, question, since=question.first) is None
    with django_assert_num_queries(0):
        crimes_keep(town)
    with override("es"):
        assert kept_crimes_of(town, asked(town), since=asked(town).first) is not None, "in every language"


def test_what_is_packed_comes_back_to_the_bit(town: Agency) -> None:
    Incident.objects.filter(pk__in=Incident.objects.values("pk")[:50]).update(
        occurred_to=F("occurred_to") + dt.timedelta(hours=9, seconds=1)
    )
    today = timezone.localdate()
    read = crimes_read(town, today - dt.timedelta(days=400), today)
    again = unpacked(packed(read))
    assert len(again.table) == len(read.table) > 50
    for name in ("x_m", "y_m", "occurred_utc", "occurred_to_utc", "occurred_local", "category"):
        one, other = getattr(read.table, name), getattr(again.table, name)
        assert one.dtype == other.dtype
        assert (one == other).all(), name
    assert (again.beat == read.beat).all()
    assert (again.cell == read.cell).all()
    assert (again.table.categories, again.read_at, again.beats) == (read.table.categories, read.read_at, read.beats)  # fmt: skip


def test_of_few_crimes_nothing_is_kept(town: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_crimes, "FEWEST", Incident.objects.count() + 1)
    crimes_keep(town)
    question = asked(town)
    assert kept_crimes_of(town, question, since=question.first) is None
