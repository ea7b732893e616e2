"""Rows kept aside, read again once the mapping is mended."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from agencies.models import CrimeType
from ingestion.models import ImportRun, Incident, OffenceCode, QuarantinedRow
from ingestion.selectors import quarantine_summary
from ingestion.services import import_run_execute, quarantine_replay, quarantine_replay_queue
from ingestion.services import quarantine as service
from ingestion.services.tally import CLASSES
from tests.ingestion.files import good_row, plain_feed, run_import, write_rows


@pytest.fixture
def kept(agency, tmp_path):
    """A feed with ten rows of an unmapped code, five without a place, and thirty good ones."""
    feed = plain_feed(agency)
    rows = [good_row(number) for number in range(30)]
    rows += [good_row(number, code="ODD", nibrs_code="") for number in range(30, 40)]
    rows += [good_row(number, lat="", lon="") for number in range(40, 45)]
    run_import(feed, write_rows(tmp_path / "a.csv", rows))
    return feed


def map_odd(feed) -> None:
    burglary = CrimeType.objects.get(agency=feed.agency, slug="burglary")
    OffenceCode.objects.create(agency=feed.agency, feed=feed, code="ODD", crime_type=burglary)


def test_rows_become_incidents_and_are_closed_after_the_mapping_is_mended(kept):
    map_odd(kept)
    run = quarantine_replay(feed=kept, codes=["unmapped_code"])
    assert run.counts == {
        "received": 10,
        "inserted": 10,
        "updated": 0,
        "unchanged": 0,
        "quarantined": 0,
        "refused": 0,
    }
    assert Incident.objects.filter(code="ODD").count() == 10
    assert QuarantinedRow.objects.filter(code="unmapped_code", resolved_at=None).count() == 0
    assert QuarantinedRow.objects.filter(resolved_at=None).count() == 5, "other codes were not asked for"


def test_rows_that_are_as_bad_as_before_stay(kept):
    run = quarantine_replay(feed=kept)
    assert run.counts["received"] == run.counts["quarantined"] == 15
    assert run.rejections == {"unmapped_code": 10, "missing_coordinates": 5}
    assert QuarantinedRow.objects.filter(resolved_at=None).count() == 15


def test_rows_that_policy_refuses_now_are_deleted(kept):
    OffenceCode.objects.create(agency=kept.agency, feed=kept, code="ODD", is_ignored=True)
    run = quarantine_replay(feed=kept)
    assert run.counts["refused"] == 10
    assert QuarantinedRow.objects.filter(code="unmapped_code").count() == 0
    assert "ODD" not in repr(list(QuarantinedRow.objects.values_list("values", flat=True)))


def test_a_replay_that_was_stopped_goes_on_with_true_counts(kept, monkeypatch):
    map_odd(kept)
    monkeypatch.setattr(service, "REPLAY_ROWS", 4)
    run = quarantine_replay_queue(feed=kept)
    real, calls = service._close, []

    def close(*arguments):
        real(*arguments)
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(service, "_close", close)
    with pytest.raises(KeyboardInterrupt):
        import_run_execute(run=run)
    run.refresh_from_db()
    assert run.counts["received"] == 8
    ImportRun.objects.filter(pk=run.pk).update(status="queued")
    import_run_execute(run=run)
    assert run.counts["received"] == 15 == sum(run.counts[name] for name in CLASSES)
    assert run.counts["inserted"] == 10 == Incident.objects.filter(code="ODD").count()


def test_the_command_replays_and_names_codes_that_do_not_exist(kept):
    map_odd(kept)
    out = StringIO()
    call_command("quarantine_replay", agency="riverton", feed="rms", stdout=out, stderr=StringIO())
    assert "inserted              10" in out.getvalue()
    assert "missing_coordinates" in out.getvalue()
    with pytest.raises(CommandError, match="no such rejection code"):
        call_command("quarantine_replay", agency="riverton", feed="rms", code=["nonsense"], stderr=StringIO())


def test_the_summary_counts_waiting_rows_in_two_queries(kept, django_assert_num_queries):
    with django_assert_num_queries(2):
        found = quarantine_summary(kept.agency)
    assert [(row.kind.code, row.rows) for row in found] == [("unmapped_code", 10), ("missing_coordinates", 5)]


def test_an_administrator_downloads_kept_rows_and_starts_a_replay(
    kept, owner, sign_in, django_capture_on_commit_callbacks
):
    map_odd(kept)
    client = sign_in(owner)
    page = reverse("admin:ingestion_quarantinedrow_changelist")
    listed = client.get(f"{page}?code=unmapped_code&state=open")
    assert (
        "mapped to no crime type"
        in client.get(
            reverse("admin:ingestion_quarantinedrow_change", args=[QuarantinedRow.objects.first().pk])
        ).content.decode()
    )
    assert listed.context["cl"].result_count == 10
    chosen = list(QuarantinedRow.objects.filter(code="unmapped_code").values_list("pk", flat=True))
    answer = client.post(page, {"action": "download", "_selected_action": chosen})
    text = b"".join(answer.streaming_content).decode()
    assert text.count("unmapped_code") == 10
    assert "R00030" in text
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page, {"action": "replay", "_selected_action": chosen})
    run = ImportRun.objects.latest("pk")
    assert (run.status, run.counts["inserted"]) == ("succeeded", 10)
    assert client.get(reverse("admin:ingestion_importrun_change", args=[run.pk])).status_code == 200


def test_a_stranger_sees_none_of_it(kept, stranger, sign_in):
    client = sign_in(stranger)
    page = client.get(reverse("admin:ingestion_quarantinedrow_changelist"))
    assert page.context["cl"].result_count == 0
    assert "RMS" not in page.content.decode()
    one = QuarantinedRow.objects.first()
    answer = client.get(reverse("admin:ingestion_quarantinedrow_change", args=[one.pk]))
    assert answer.status_code in (302, 404)
