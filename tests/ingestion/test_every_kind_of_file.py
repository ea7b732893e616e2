"""Whatever kind of file a table comes in, the same rows become the same facts."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from agencies.models import Agency
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.profiles import PLAIN
from ingestion.models import Feed, ImportRun, Incident, QuarantinedRow
from ingestion.services import feed_ensure, import_run_execute, import_run_queue
from ingestion.services import imports as service
from ingestion.services.tally import CLASSES
from ingestion.sources import SourceError, recognised_kind, source_from, source_kinds
from missions_project.lib.runs import RunStatus
from tests.ingestion.files import COLUMNS, dirty_rows, good_row
from tests.ingestion.reports import SUFFIX, WRITERS

KINDS = sorted(WRITERS)
NEW_KINDS = [kind for kind in KINDS if kind != "csv_file"]
XML_MAPPING = FeedMapping(
    columns={
        "external_id": "IncidentID",
        "code": "OffenseCode",
        "nibrs_code": "NIBRSCode",
        "occurred_from": "OccurredFrom",
        "lon": "Longitude",
        "lat": "Latitude",
    }
)


def mapping_of(kind: str) -> FeedMapping:
    return XML_MAPPING if kind == "ndex_xml_file" else PLAIN.mapping_for(list(COLUMNS))


def feed_of(agency: Agency, kind: str, slug: str = "") -> Feed:
    feed = Feed(
        agency=agency,
        slug=slug or kind.replace("_", "-"),
        name=slug or kind,
        kind=kind,
        mapping=mapping_of(kind).to_json(),
    )
    feed.full_clean()
    feed.save()
    return feed


def written(kind: str, folder: Path, rows: list[dict[str, Any]], name: str = "a") -> Path:
    return WRITERS[kind](folder / f"{name}.{SUFFIX[kind]}", rows)


def run_of(feed: Feed, path: Path) -> ImportRun:
    return import_run_execute(run=import_run_queue(feed=feed, path=path))


def facts(feed: Feed) -> list[tuple[Any, ...]]:
    return list(
        Incident.objects.filter(feed=feed)
        .order_by("external_id")
        .values_list("external_id", "occurred_from", "lon", "lat", "crime_type", "time_precision")
    )


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Dirt that every kind of file can carry, without local codes: XML reports have none of them here."""
    found = [row | {"code": ""} for row in dirty_rows(200)]
    return [row for row in found if row["nibrs_code"]]


def test_the_tests_cover_every_registered_kind_of_file() -> None:
    assert set(KINDS) <= {source.kind for source in source_kinds()}
    assert all(source.label and source.help for source in source_kinds())


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_the_same_rows_in_another_kind_of_file_become_the_same_facts(kind, rows, agency, tmp_path):
    plain, other = feed_of(agency, "csv_file"), feed_of(agency, kind)
    by_csv = run_of(plain, written("csv_file", tmp_path, rows))
    run = run_of(other, written(kind, tmp_path, rows))
    assert run.counts == by_csv.counts
    assert run.counts["received"] == sum(run.counts[name] for name in CLASSES)
    assert run.counts["unchanged"] > 0, "earlier versions of a record within the file"
    assert run.rejections == by_csv.rejections
    assert facts(other) == facts(plain)


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_importing_a_file_twice_changes_nothing(kind, rows, agency, tmp_path):
    feed, path = feed_of(agency, kind), written(kind, tmp_path, rows)
    run_of(feed, path)
    before = facts(feed)
    again = run_of(feed, path)
    assert again.counts["inserted"] == again.counts["updated"] == 0
    assert facts(feed) == before


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_a_run_stopped_in_the_middle_ends_like_an_undisturbed_one(kind, rows, agency, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "chunk_rows", lambda: 30)
    path = written(kind, tmp_path, rows)
    calm = run_of(feed_of(agency, kind, "calm"), path)
    run = import_run_queue(feed=feed_of(agency, kind, "rough"), path=path)
    real, seen = service.quarantine_store, iter(range(1_000))

    def stop(**arguments: Any) -> None:
        real(**arguments)
        if next(seen) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(service, "quarantine_store", stop)
    with pytest.raises(KeyboardInterrupt):
        import_run_execute(run=run)
    ImportRun.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING)
    import_run_execute(run=run)
    assert run.counts == calm.counts
    assert [row[:4] for row in facts(run.feed)] == [row[:4] for row in facts(calm.feed)]


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_chunks_are_cut_alike_each_time_and_account_for_every_record(kind, rows, tmp_path):
    reader = source_from(kind, {}).open(written(kind, tmp_path, rows), mapping=mapping_of(kind))
    total = reader.survey(mapping_of(kind)).row_count
    first = list(reader.chunks(mapping_of(kind), chunk_rows=37))
    second = list(reader.chunks(mapping_of(kind), chunk_rows=37))
    assert total == len(rows)
    assert [c.received for c in first] == [37] * (total // 37) + ([total % 37] if total % 37 else [])
    assert [c.columns for c in first] == [c.columns for c in second]
    assert all(set(c.columns) == set(mapping_of(kind).column_names) for c in first)
    assert sum(c.received for c in reader.head(mapping_of(kind), 10)) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_named_with_the_next_step(kind, tmp_path):
    for other in NEW_KINDS:
        path = written(other, tmp_path, [good_row(1)], name=f"{kind}-{other}")
        assert recognised_kind(path) == other
        if other != kind:
            with pytest.raises(SourceError, match="kind") as caught:
                source_from(kind, {}).open(path)
            assert "Admin → Feeds" in str(caught.value)


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_csv_and_pictures_and_nothing_are_not_taken_for_it(kind, tmp_path):
    for content in (b"id,code\n1,2\n", b"\x89PNG\r\n\x1a\n" + bytes(200), b"%PDF-1.4 abc"):
        path = tmp_path / "file"
        path.write_bytes(content)
        with pytest.raises(SourceError, match="is not of the kind"):
            source_from(kind, {}).open(path)
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="empty"):
        source_from(kind, {}).open(path)
    with pytest.raises(SourceError, match="There is no file"):
        source_from(kind, {}).open(tmp_path / "gone")


@pytest.mark.parametrize("kind", NEW_KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.995])
def test_a_file_that_was_cut_off_is_refused_whole(kind, share, agency, tmp_path):
    path = written(kind, tmp_path, [good_row(number) for number in range(300)])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    feed = feed_of(agency, kind)
    with pytest.raises(SourceError, match="Next step"):
        run_of(feed, path)
    assert not Incident.objects.filter(feed=feed).exists()


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_a_mapped_column_that_the_file_lacks_is_named(kind, tmp_path):
    mapping = mapping_of(kind)
    mapping = mapping.replaced(columns={**mapping.columns, "external_id": "case_no"})
    reader = source_from(kind, {}).open(written(kind, tmp_path, [good_row(1)]), mapping=mapping)
    with pytest.raises(SourceError, match="case_no"):
        reader.survey(mapping)


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_a_new_feed_takes_the_kind_of_its_first_file(kind, agency, tmp_path):
    feed = feed_ensure(
        agency=agency, slug="new", sample=written(kind, tmp_path, [good_row(n) for n in range(30)])
    )
    assert feed.kind == kind
    assert run_of(feed, tmp_path / f"a.{SUFFIX[kind]}").counts["inserted"] == 30


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_the_wizard_takes_it_and_says_so(kind, agency, owner, sign_in, tmp_path):
    feed = Feed.objects.create(agency=agency, slug="new", name="New")
    path = written(kind, tmp_path, [good_row(number) for number in range(30)])
    upload = io.BytesIO(path.read_bytes())
    upload.name = path.name
    page = sign_in(owner).post(
        reverse("admin:ingestion_feed_upload", args=[feed.pk]), {"file": upload}, follow=True
    )
    assert "set to that of the file" in page.content.decode()
    feed.refresh_from_db()
    assert feed.kind == kind
    assert "external_id" in feed.draft["mapping"]["columns"]
    page = sign_in(owner).get(reverse("admin:ingestion_feed_review", args=[feed.pk]))
    assert b"R00001" in page.content


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_an_upload_of_another_kind_to_a_mapped_feed_is_refused_and_not_kept(
    kind, agency, owner, sign_in, tmp_path
):
    feed = feed_of(agency, "csv_file")
    upload = io.BytesIO(written(kind, tmp_path, [good_row(1)]).read_bytes())
    upload.name = "a.bin"
    page = sign_in(owner).post(reverse("admin:ingestion_feed_upload", args=[feed.pk]), {"file": upload})
    assert "not “CSV file” as this feed reads" in page.content.decode()
    feed.refresh_from_db()
    assert (feed.kind, feed.draft) == ("csv_file", {})


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_an_upload_larger_than_allowed_is_refused(kind, agency, owner, sign_in, tmp_path, settings):
    settings.UPLOAD_MAX_BYTES = 100
    feed = feed_of(agency, kind)
    upload = io.BytesIO(written(kind, tmp_path, [good_row(1)]).read_bytes())
    page = sign_in(owner).post(reverse("admin:ingestion_feed_upload", args=[feed.pk]), {"file": upload})
    assert "larger than 100 bytes" in page.content.decode()


@pytest.mark.parametrize(
    ("kind", "first"),
    [("csv_file", 2), ("excel_file", 2), ("json_lines_file", 1), ("parquet_file", 1), ("ndex_xml_file", 1)],
)
def test_the_quarantine_names_the_row_by_which_it_is_found_in_the_file(kind, first, agency, tmp_path):
    bad = [good_row(n) for n in range(8)]
    bad[5] |= {"occurred_at": "yesterday"}
    run_of(feed_of(agency, kind), written(kind, tmp_path, bad))
    assert QuarantinedRow.objects.get().row_number == first + 5


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_a_file_ten_times_larger_does_not_need_ten_times_the_memory(kind, tmp_path):
    # By Python's own account, which repeats; the identifiers' sixteen bytes a record are part of it.
    peaks = []
    # Parquet is read by batches of 2,000 rows: fewer would not fill one.
    few = 3_000 if kind == "parquet_file" else 800
    for number in (few, 10 * few):
        path = written(kind, tmp_path, [good_row(n) for n in range(number)], name=str(number))
        tracemalloc.start()
        reader = source_from(kind, {}).open(path, mapping=mapping_of(kind))
        received = sum(c.received for c in reader.chunks(mapping_of(kind), chunk_rows=500))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert received == number
    assert peaks[1] < 3 * peaks[0]
