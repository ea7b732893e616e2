"""Each report, its file heads and its e-mail: no sentence, title or column that a translation does not reach."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail
from django.core.cache import cache
from django.utils import timezone, translation

from agencies.access import Access
from agencies.models import Membership
from missions_project.lib.days import day_and_month, long_day, short_day
from tactics.models import ImpactReport, SavedReport
from tactics.reports.asked import asked_from, choices_of
from tactics.reports.files import as_json
from tactics.reports.kinds import all_kinds, report_made
from tactics.services.saved_reports import report_mail_send, report_mails_claim, saved_report_set
from tactics.studies.words import sentence_of, sentence_shown
from tests.factories import make_member
from tests.forecasting.scenes import make_incidents
from tests.patrols.scenes import ON, Scene, make_scene


@pytest.fixture
def scene() -> Scene:
    cache.clear()
    scene = make_scene()
    make_incidents(scene.agency)
    scene.plan(publish=True)
    return scene


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text that goes through a translation says so, and in which language."""
    monkeypatch.setattr(
        "django.utils.translation._trans.gettext", lambda text: f"⟦{translation.get_language()}:{text}⟧"
    )
    monkeypatch.setattr(
        "django.utils.translation._trans.ngettext",
        lambda one, many, n: f"⟦{translation.get_language()}:{one if n == 1 else many}⟧",
    )


@pytest.mark.django_db
@pytest.mark.parametrize("slug", sorted(all_kinds()))
def test_a_translation_reaches_every_text_of_a_report(scene: Scene, marked: None, slug: str) -> None:
    kind, agency = all_kinds()[slug], scene.agency
    last = timezone.localdate() - dt.timedelta(days=1) if slug == "crime-trends" else ON
    query = {"from": str(last - dt.timedelta(days=6)), "to": str(last)}
    user = make_member(agency, "supervisor")
    access = Access(agency, user, Membership.objects.get(user=user))
    with translation.override("es"):
        asked = asked_from(query, choices_of(agency), today=last, days=7, options=kind.options)
        report = report_made(agency, kind, kind.narrowed(asked, access))
    # Outside: a report keeps the language in which it was made.
    body = as_json(report)
    told = [body["sentence"], body["title"], *body["notes"], *body["about"]]
    told += [table["title"] for table in body["tables"]]
    # Hours of the day are figures in every language; so are the columns that are named after an agency's own things.
    told += [
        column["title"]
        for table in body["tables"]
        for column in table["columns"]
        if not column["title"].isdigit() and column["title"] not in ("p", "q", "PAI")
    ]
    assert [text for text in told if "⟦es:" not in text] == []


@pytest.mark.django_db
def test_a_report_by_mail_is_written_in_the_language_of_who_gets_it(scene: Scene, marked: None) -> None:
    people = [make_member(scene.agency, "analyst", username=name) for name in ("ana", "ben")]
    people[0].language = "es"
    people[0].save()
    saved_report_set(
        agency=scene.agency, owner=people[0], name="Each day", kind="shifts", days=7, filters={}, is_shared=False,
        sends="daily", recipients=list(Membership.objects.filter(user__in=people)),
    )  # fmt: skip
    SavedReport.objects.update(changed_at=timezone.now() - dt.timedelta(days=3))
    for pk, attempt in report_mails_claim(now=timezone.now()):
        assert report_mail_send(pk=pk, attempt=attempt)
    written = {message.to[0]: message.body for message in mail.outbox}
    assert "⟦es:" in written[people[0].email]
    assert "⟦en:" not in written[people[0].email]
    assert "⟦en:" in written[people[1].email]
    assert "⟦es:" not in written[people[1].email]


def test_dates_in_sentences_are_as_they_were_in_english() -> None:
    day = dt.date(2026, 3, 4)
    with translation.override("en"):
        assert (short_day(day), day_and_month(day), long_day(day)) == ("4 Mar 2026", "4 Mar", "4 March 2026")


def test_a_studys_stored_sentence_stays_while_the_page_speaks_the_readers_language(marked: None) -> None:
    lead = {"key": "net", "estimate": 0.1, "low": 0.05, "high": 0.2}
    report = ImpactReport(
        sentence="As it was stored.",
        figures={"controls": [], "effects": [lead]},
        config_snapshot={"crime_types": [{"name": "Theft"}], "window_hours": 1, "confidence": 0.95},
    )
    with translation.override("en"):
        assert sentence_shown(report) == "As it was stored."
    with translation.override("es"):
        assert sentence_shown(report) == sentence_of(report.figures, crimes="theft", hours=1)
        assert "⟦es:" in sentence_shown(report)
    assert report.sentence == "As it was stored."
