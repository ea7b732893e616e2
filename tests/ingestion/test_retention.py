"""What is older than the agency wants to keep is deleted or made coarse, once a night, and the audit log says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, Membership
from ingestion.models import (
    ImportRun,
    Incident,
    QuarantinedRow,
    RetentionPolicy,
    ScheduledEvent,
    WeatherHour,
)
from ingestion.selectors import data_hash
from ingestion.services import (
    context_feed_ensure,
    import_run_execute,
    import_run_queue,
    retention_claim_due,
    retention_plan,
    retention_run,
)
from ingestion.services import retention as service
from missions_project import pipeline
from tests.ingestion.files import COLUMNS, good_row, plain_feed, run_import, write_rows

OLD, NEW = 900, 5


def days_ago(days: int) -> str:
    return (timezone.now() - timedelta(days=days)).strftime("%Y-%m-%dT14:37:25Z")


@pytest.fixture
def feed(agency, tmp_path):
    """40 old and 20 new incidents, one old row kept aside."""
    rows = [
        good_row(number, occurred_at=days_ago(OLD if number < 40 else NEW), reported_at=days_ago(OLD - 1 if number < 40 else NEW - 1))
        for number in range(60)
    ]  # fmt: skip
    rows.append(good_row(99, lat="", lon=""))
    made = plain_feed(agency, header=(*COLUMNS, "reported_at"))
    run_import(made, write_rows(tmp_path / "a.csv", rows, (*COLUMNS, "reported_at")))
    return made


def policy_for(agency, kind="incidents", **days) -> RetentionPolicy:
    policy = RetentionPolicy(agency=agency, kind=kind, **days)
    policy.full_clean()
    policy.save()
    return policy


def test_without_a_policy_nothing_is_ever_deleted(agency, feed):
    pipeline.dispatch()
    assert Incident.objects.count() == 60
    assert retention_claim_due(now=timezone.now()) == []


def test_old_records_are_deleted_in_batches_and_the_audit_log_has_the_counts(agency, feed, monkeypatch):
    monkeypatch.setattr(service, "BATCH_ROWS", 7)
    done = retention_run(policy=policy_for(agency, delete_after_days=365))
    assert (done.deleted, done.coarsened) == (40, 0)
    assert Incident.objects.count() == 20
    event = AuditEvent.objects.get(agency=agency, action="retention.done")
    assert event.detail["deleted"] == 40
    assert event.detail["delete_after_days"] == 365
    assert retention_run(policy=RetentionPolicy.objects.get()).deleted == 0
    assert AuditEvent.objects.filter(action="retention.done").count() == 1, "nothing done, nothing logged"


def test_old_records_become_coarse_in_place_and_time_and_the_data_hash_says_so(agency, feed):
    before = {row.external_id: row for row in Incident.objects.all()}
    mark = data_hash(agency)
    done = retention_run(policy=policy_for(agency, coarsen_after_days=365))
    assert (done.deleted, done.coarsened) == (0, 40)
    assert data_hash(agency) != mark, "forecasts must see that their input changed"
    for row in Incident.objects.all():
        was = before[row.external_id]
        if was.occurred_from > timezone.now() - timedelta(days=365):
            assert (row.lon, row.lat, row.occurred_from) == (was.lon, was.lat, was.occurred_from)
            continue
        assert 0 < abs(row.lon - was.lon) < 0.0008
        assert abs(row.lat - was.lat) <= 0.00046
        assert (row.place_precision_m, row.time_precision) == (100, "hour")
        assert row.occurred_from == was.occurred_from.replace(minute=0, second=0)
        assert row.occurred_to == was.occurred_to.replace(minute=59, second=59)
        assert row.reported_at == was.reported_at.replace(minute=59, second=59), (
            "never known earlier than it was"
        )


def test_a_second_night_has_nothing_left_to_make_coarse(agency, feed):
    policy = policy_for(agency, coarsen_after_days=365)
    retention_run(policy=policy)
    assert retention_plan(policy=policy).coarsened == 0


def test_the_same_file_again_brings_nothing_back(agency, feed, tmp_path):
    policy = policy_for(agency, coarsen_after_days=100)
    retention_run(policy=policy)
    again = run_import(feed, tmp_path / "a.csv")
    assert (again.counts["unchanged"], again.counts["updated"], again.counts["inserted"]) == (60, 0, 0)
    policy.coarsen_after_days, policy.delete_after_days = 50, 100
    policy.save()
    retention_run(policy=policy)
    last = run_import(feed, tmp_path / "a.csv")
    assert (last.counts["refused"], last.counts["unchanged"]) == (40, 20)
    assert last.refusals == {"older_than_retention": {"too old": 40}}
    assert last.counts["received"] == sum(
        number for name, number in last.counts.items() if name != "received"
    )
    assert Incident.objects.count() == 20


def test_kept_rows_runs_and_audit_have_their_own_policies(agency, feed, tmp_path):
    run_import(feed, write_rows(tmp_path / "b.csv", [good_row(1, reported_at="")], (*COLUMNS, "reported_at")))
    long_ago = timezone.now() - timedelta(days=500)
    ImportRun.objects.update(queued_at=long_ago)
    AuditEvent.objects.create(agency=agency, action="x", subject="old", at=long_ago)
    assert retention_run(policy=policy_for(agency, "imports", delete_after_days=30)).deleted == 0, (
        "one has rows kept aside, the other is the newest"
    )
    assert retention_run(policy=policy_for(agency, "quarantine", delete_after_days=30)).deleted == 1
    assert not QuarantinedRow.objects.exists()
    assert retention_run(policy=RetentionPolicy.objects.get(kind="imports")).deleted == 1
    assert ImportRun.objects.count() == 1
    assert retention_run(policy=policy_for(agency, "audit", delete_after_days=400)).deleted == 1
    assert not AuditEvent.objects.filter(subject="old").exists()
    assert AuditEvent.objects.filter(action="retention.done").count() == 3


def test_another_agencys_records_are_not_touched(agency, feed, stranger):
    elsewhere = Membership.objects.get(user=stranger).agency
    assert retention_run(policy=policy_for(elsewhere, delete_after_days=1)).deleted == 0
    assert Incident.objects.count() == 60


def test_the_night_is_taken_once_a_day_of_the_agency_whoever_asks(agency, feed):
    policy = policy_for(agency, delete_after_days=365)
    evening = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
    agency.time_zone = "America/Chicago"
    agency.save()
    assert retention_claim_due(now=datetime(2026, 3, 1, 8, 30, tzinfo=UTC)) == [], "half past two in Chicago"
    assert retention_claim_due(now=datetime(2026, 3, 1, 9, 30, tzinfo=UTC)) == [policy.pk]
    assert retention_claim_due(now=evening) == []
    assert retention_claim_due(now=evening + timedelta(days=1)) == [policy.pk]


def test_a_run_that_was_killed_is_logged_by_the_next_one(agency, feed, monkeypatch):
    monkeypatch.setattr(service, "BATCH_ROWS", 15)
    real, seen = service._batch, []

    def dying(*arguments):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(1)
        return real(*arguments)

    monkeypatch.setattr(service, "_batch", dying)
    policy = policy_for(agency, delete_after_days=365)
    with pytest.raises(KeyboardInterrupt):
        retention_run(policy=policy)
    assert Incident.objects.count() == 30
    assert not AuditEvent.objects.filter(action="retention.done").exists()
    monkeypatch.setattr(service, "_batch", real)
    retention_run(policy=policy)
    logged = AuditEvent.objects.filter(action="retention.done").values_list("detail", flat=True)
    assert sorted(detail["deleted"] for detail in logged) == [10, 30]


def test_the_dry_run_counts_and_warns_and_changes_nothing(agency, feed):
    policy_for(agency, delete_after_days=365)
    out = StringIO()
    call_command("retention", "--dry-run", "--agency", agency.slug, stdout=out)
    assert "40 would be deleted" in out.getvalue()
    assert "Models learn from the last 1,461 days" in out.getvalue()
    assert Incident.objects.count() == 60
    call_command("retention", stdout=out)
    assert Incident.objects.count() == 20


def test_impossible_policies_are_refused_with_the_reason(agency):
    with pytest.raises(ValidationError, match="fewer days"):
        policy_for(agency, coarsen_after_days=30, delete_after_days=30)
    with pytest.raises(ValidationError, match="At least one day"):
        policy_for(agency, delete_after_days=0)


def test_an_administrator_sets_a_policy_and_is_warned(agency, feed, owner, sign_in):
    client = sign_in(owner)
    data = {"agency": agency.pk, "kind": "incidents", "coarsen_after_days": "", "delete_after_days": "400"}
    page = client.post(reverse("admin:ingestion_retentionpolicy_add"), data, follow=True)
    assert "Models learn from the last 1,461 days" in page.content.decode()
    policy = RetentionPolicy.objects.get(agency=agency)
    shown = client.get(reverse("admin:ingestion_retentionpolicy_change", args=[policy.pk])).content.decode()
    assert "40 deleted, 0 made coarse, in the coming night" in shown
    assert AuditEvent.objects.filter(action="retentionpolicy.added").exists()
    short = client.post(
        reverse("admin:ingestion_retentionpolicy_add"),
        {"agency": agency.pk, "kind": "audit", "coarsen_after_days": "3", "delete_after_days": "30"},
    ).content.decode()
    assert "at least 365 days are kept" in short
    assert "no place and time" in short


def test_a_stranger_knows_nothing_of_the_policy(agency, stranger, sign_in):
    policy = policy_for(agency, delete_after_days=400)
    answer = sign_in(stranger).get(reverse("admin:ingestion_retentionpolicy_change", args=[policy.pk]))
    assert answer.status_code in (302, 404)


def test_old_events_and_weather_are_deleted_and_an_old_file_brings_nothing_back(agency, tmp_path):
    games = context_feed_ensure(agency=agency, slug="games", kind="events_csv")
    sky = context_feed_ensure(agency=agency, slug="sky", kind="weather_csv")
    events, days = tmp_path / "events.csv", tmp_path / "days.csv"
    events.write_text(f"id,name,kind,starts_at\n1,Derby,game,{days_ago(OLD)}\n2,Derby,game,{days_ago(NEW)}\n")
    days.write_text(f"time,temp\n{days_ago(OLD)},1\n{days_ago(NEW)},2\nsoon,3\n")

    def run(feed, path):
        return import_run_execute(run=import_run_queue(feed=feed, path=path)).counts

    assert run(games, events)["inserted"] == 2
    assert run(sky, days)["inserted"] == 2
    done = [
        retention_run(policy=policy_for(agency, kind, delete_after_days=365))
        for kind in ("events", "weather")
    ]
    assert [one.deleted for one in done] == [1, 1]
    assert (ScheduledEvent.objects.count(), WeatherHour.objects.count()) == (1, 1)
    assert all("events and weather change" in one.notices[0] for one in done)
    for feed, path in ((games, events), (sky, days)):
        counts = run(feed, path)
        assert (counts["inserted"], counts["unchanged"], counts["refused"]) == (0, 1, 1)
        assert counts["received"] == sum(counts.values()) - counts["received"]
        assert feed.runs.first().refusals == {"older_than_retention": {"": 1}}
    assert (ScheduledEvent.objects.count(), WeatherHour.objects.count()) == (1, 1)
