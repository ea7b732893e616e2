"""The data quality page of a feed: figures, charts, codes mapped with one click, rows kept aside."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, CrimeType
from ingestion.charts import CHARTS
from ingestion.models import Feed, FeedQuality, ImportRun, Incident, OffenceCode, QuarantinedRow
from ingestion.selectors import feed_waiting, feeds_with_health, unmapped_codes
from ingestion.services import feed_quality, quality_of
from tests.factories import make_member
from tests.ingestion.files import COLUMNS, dirty_rows, good_row, plain_feed, run_import, write_rows

HEADER = (*COLUMNS, "description", "reported_at")


@pytest.fixture
def feed(agency, tmp_path):
    """200 rows with dirt of every kind; 20 with a code that nobody has mapped, 3 that ask for a reason."""
    made = plain_feed(agency, header=HEADER)
    rows = dirty_rows() + [
        good_row(500 + n, code="HB", nibrs_code="", description="house break") for n in range(20)
    ]
    rows += [
        good_row(600 + n, code="RX", nibrs_code="", description="robbery of a drug store") for n in range(3)
    ]
    rows += [good_row(700, code="=cmd|x", nibrs_code="", description="+1+1"), good_row(701, reported_at="")]
    run_import(made, write_rows(tmp_path / "a.csv", rows, HEADER))
    return made


def page_of(feed, name="quality", **query) -> str:
    return reverse(f"ingestion:{name}", args=[feed.agency.slug, feed.slug])


def choose(client, feed, code, choice, **more):
    return client.post(page_of(feed, "code_choose"), {"code": code, "choice": choice, **more}, follow=True)


def test_the_page_shows_figures_findings_and_codes(feed, colleague, sign_in):
    text = sign_in(colleague).get(page_of(feed)).content.decode()
    for words in (
        "Codes that nobody has mapped",
        "house break",
        "On a full hour",
        "With coordinates",
        "rows wait because",
    ):
        assert words in text, words
    assert "35A" in text, "refused offences are explained"
    assert "prone to enforcement bias" in text
    assert "<select" not in text, "a supervisor maps no codes"


@pytest.mark.parametrize("chart", CHARTS)
def test_each_chart_is_an_svg_that_is_sent_once(feed, colleague, sign_in, chart):
    client = sign_in(colleague)
    answer = client.get(page_of(feed, f"quality_{chart}"))
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer.content.startswith(b"<?xml")
    assert (
        client.get(page_of(feed, f"quality_{chart}"), headers={"If-None-Match": answer["ETag"]}).status_code
        == 304
    )


def test_an_empty_feed_has_a_page_and_charts(agency, owner, sign_in):
    empty = plain_feed(agency, slug="empty")
    client = sign_in(owner)
    assert "Nothing is stored yet" in client.get(page_of(empty)).content.decode()
    for chart in CHARTS:
        assert client.get(page_of(empty, f"quality_{chart}")).status_code == 200


def test_what_was_measured_is_kept_until_the_data_changes(feed, tmp_path, django_assert_max_num_queries):
    first = feed_quality(feed=feed)
    with django_assert_max_num_queries(3):
        assert feed_quality(feed=feed).measured_at == first.measured_at
    run_import(feed, write_rows(tmp_path / "b.csv", [good_row(900, description="", reported_at="")], HEADER))
    again = feed_quality(feed=feed)
    assert again.version != first.version
    assert quality_of(again).rows == quality_of(first).rows + 1
    assert FeedQuality.objects.count() == 1


def test_the_measured_rows_are_the_stored_ones(feed):
    quality = quality_of(feed_quality(feed=feed))
    assert quality.rows == Incident.objects.filter(feed=feed).count()
    assert sum(quality.place_precision.values()) == quality.rows
    assert sum(quality.time_precision.values()) == quality.rows
    assert quality.place_precision.get("a metre", 0) > 0.9 * quality.rows


def test_one_click_maps_a_code_and_its_rows_are_read_again(
    feed, sign_in, agency, django_capture_on_commit_callbacks
):
    analyst = make_member(agency, "analyst")
    client = sign_in(analyst)
    before = Incident.objects.count()
    with django_capture_on_commit_callbacks(execute=True):
        page = choose(client, feed, "HB", "burglary", description="house break").content.decode()
    assert "Code “HB” is" in page
    assert Incident.objects.count() == before + 20
    assert not any(one.code == "HB" for one in unmapped_codes(feed))
    event = AuditEvent.objects.get(action="offencecode.chosen")
    assert (event.actor, event.detail["crime_type"]) == (analyst, "burglary")


def test_an_ignored_codes_rows_are_refused_and_kept_nowhere(
    feed, sign_in, agency, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        choose(sign_in(make_member(agency, "analyst")), feed, "HB", "-")
    assert OffenceCode.objects.get(code="HB").is_ignored
    assert not QuarantinedRow.objects.filter(values__code="HB").exists()
    run = ImportRun.objects.get(file_name="(quarantine)")
    assert run.refusals["ignored_by_mapping"] == {"HB": 20}
    assert run.counts["received"] == sum(run.counts[name] for name in run.counts if name != "received")


def test_a_refused_choice_is_explained_and_changes_nothing(feed, sign_in, owner):
    page = choose(
        sign_in(owner), feed, "RX", "robbery", description="robbery of a drug store"
    ).content.decode()
    assert "was not mapped" in page
    assert "drug" in page
    assert not OffenceCode.objects.filter(code="RX").exists()
    wrong = choose(
        sign_in(owner), feed, "DRUGS", "burglary", description="possession of cocaine"
    ).content.decode()
    assert "was not mapped" in wrong
    done = choose(
        sign_in(owner),
        feed,
        "RX",
        "robbery",
        description="robbery of a drug store",
        written_reason="a shop is robbed",
    )
    assert "Code “RX” is" in done.content.decode()
    assert OffenceCode.objects.get(code="RX").written_reason == "a shop is robbed"


def test_codes_that_wait_offer_only_crime_types_that_fit(feed):
    codes = {one.code: one for one in unmapped_codes(feed)}
    assert codes["HB"].rows == 20
    assert codes["RX"].needs_reason
    assert {one.slug for one in codes["RX"].choices} == {"robbery"}
    assert codes["ODD"].choices == list(CrimeType.objects.filter(agency=feed.agency))


def test_several_choices_in_a_row_need_one_replay(feed, sign_in, owner):
    client = sign_in(owner)
    choose(client, feed, "HB", "burglary")
    choose(client, feed, "ODD", "burglary")
    assert ImportRun.objects.filter(file_name="(quarantine)", status="queued").count() == 1


@pytest.mark.parametrize("role", ["officer", "supervisor", "auditor"])
def test_only_analysts_and_administrators_map(feed, agency, sign_in, role):
    client = sign_in(make_member(agency, role))
    assert choose(client, feed, "HB", "burglary").status_code == 403
    assert client.post(page_of(feed, "replay")).status_code == 403
    assert not OffenceCode.objects.exists()


def test_strangers_and_other_feeds_do_not_exist(feed, stranger, owner, sign_in):
    client = sign_in(stranger)
    for name in ("quality", "kept", "kept_csv", "quality_days"):
        assert client.get(page_of(feed, name)).status_code == 404
    assert choose(client, feed, "HB", "burglary").status_code == 404
    here = sign_in(owner)
    assert here.get(reverse("ingestion:quality", args=[feed.agency.slug, "no-such"])).status_code == 404


def test_kept_rows_are_filtered_paged_and_downloaded_without_formulas(feed, agency, sign_in):
    client = sign_in(make_member(agency, "auditor"))
    text = client.get(page_of(feed, "kept"), {"code": "unmapped_code"}).content.decode()
    assert "house break" in text
    assert "bad_timestamp" in text, "the other codes are offered"
    assert "yesterday" not in text
    assert "Read these again" not in text, "an auditor changes nothing"
    answer = client.get(page_of(feed, "kept_csv"), {"code": "unmapped_code"})
    assert answer.streaming
    body = b"".join(answer.streaming_content).decode()
    # Its own column "code" comes before the file's.
    header, *table = csv.reader(io.StringIO(body[body.index("file,file_row") :]))
    assert {row[header.index("code")] for row in table} == {"unmapped_code"}
    assert len(table) == feed_waiting(feed)["unmapped_code"]
    assert "'=cmd|x" in body
    assert ",=cmd" not in body
    assert "'+1+1" in body
    assert all(line[:1] not in "=+@" for line in body.splitlines())


def test_columns_with_formulas_for_names_are_no_formulas(agency, tmp_path, owner, sign_in):
    header = ("id", "occurred_at", "=HYPERLINK(1)", "lat", "lon")
    made = plain_feed(agency, slug="odd")
    made.mapping = {**made.mapping, "columns": {
        "external_id": "id", "occurred_from": "occurred_at", "code": "=HYPERLINK(1)", "lat": "lat", "lon": "lon"}}  # fmt: skip
    made.save()
    rows = [{**good_row(1), "=HYPERLINK(1)": "Q"}]
    run_import(made, write_rows(tmp_path / "x.csv", rows, header))
    body = b"".join(sign_in(owner).get(page_of(made, "kept_csv")).streaming_content).decode()
    assert "'=HYPERLINK(1)" in body
    assert ",=HYPERLINK" not in body


def test_kept_rows_are_read_again_from_their_page(feed, agency, sign_in, django_capture_on_commit_callbacks):
    OffenceCode.objects.create(
        agency=agency, feed=feed, code="HB", crime_type=CrimeType.objects.get(agency=agency, slug="burglary")
    )
    before = Incident.objects.count()
    with django_capture_on_commit_callbacks(execute=True):
        sign_in(make_member(agency, "analyst")).post(page_of(feed, "replay"), {"code": "unmapped_code"})
    assert Incident.objects.count() == before + 20
    again = sign_in(make_member(agency, "analyst", username="b")).post(
        page_of(feed, "replay"), {"code": "nonsense"}, follow=True
    )
    assert "no such rejection code" in again.content.decode()


def arrive(feed, *hours_ago: float, inserted: int = 5) -> None:
    now = timezone.now()
    for hours in hours_ago:
        at = now - timedelta(hours=hours)
        ImportRun.objects.create(
            agency=feed.agency, feed=feed, status="succeeded", queued_at=at, finished_at=at,
            counts={"received": 5, "inserted": inserted, "updated": 0, "unchanged": 5 - inserted, "quarantined": 0, "refused": 0},
        )  # fmt: skip


def words_of(feed) -> tuple[str, str]:
    (row,) = feeds_with_health(feed.agency, now=timezone.now())
    return row.tone, row.words


def test_a_daily_feed_without_rows_for_two_days_is_silent(agency):
    feed = plain_feed(agency)
    arrive(feed, *(24 * day + 48 for day in range(7)))
    # The files still come, but nothing new is in them.
    arrive(feed, 24, 1, inserted=0)
    tone, words = words_of(feed)
    assert tone == "bad"
    assert words.startswith("Silent: rows usually come every 24 hours, and none have come for 2 days")


def test_a_daily_feed_that_is_a_little_late_and_one_without_pace_are_not_silent(agency):
    feed = plain_feed(agency)
    arrive(feed, *(24 * day + 30 for day in range(7)))
    assert words_of(feed)[0] == "good"
    ImportRun.objects.all().delete()
    arrive(feed, 700, 400, 90)
    assert words_of(feed)[0] == "good"


def test_the_feed_list_shows_last_run_next_run_counts_and_health(feed, owner, sign_in):
    due = datetime(2031, 3, 4, 17, 5, tzinfo=UTC)
    Feed.objects.update(kind="csv_url", every_minutes=60, next_due_at=due)
    client = sign_in(owner)
    local = due.astimezone(ZoneInfo(feed.agency.time_zone))
    for address in (
        reverse("admin:ingestion_feed_changelist"),
        reverse("ingestion:data", args=[feed.agency.slug]),
    ):
        text = client.get(address).content.decode()
        assert f"{local.day} Mar 2031 {local:%H:%M}" in text, "the next run"
        assert page_of(feed) in text, "the way to the data quality"
        assert f"{timezone.now():%Y}" in text, "the last run"
        assert "of the last file&#x27;s rows are kept aside" in text, "the health"
        assert str(feed.runs.get().counts["received"]) in text
