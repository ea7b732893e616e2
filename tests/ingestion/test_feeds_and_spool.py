"""Feeds made from files, their health in words, code tables, layers, and uploads that nobody imported."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingestion.models import ContextLayer, Feed, ImportRun, OffenceCode
from ingestion.selectors import feeds_with_health
from ingestion.services import (
    codes_import,
    context_layer_import,
    feed_ensure,
    import_run_execute,
    import_run_queue,
    spool_expire,
    spool_path,
    spool_store,
)
from missions_project.lib.errors import MissionsError
from tests.ingestion.files import COLUMNS, good_row, plain_feed, run_import, write_rows


def test_a_feed_is_made_from_the_file_where_the_command_is_told_to(agency, tmp_path):
    path = write_rows(tmp_path / "a.csv", [good_row(1), good_row(2)])
    out = StringIO()
    call_command(
        "import_incidents",
        str(path),
        agency="riverton",
        feed="new",
        create_feed=True,
        stdout=out,
        stderr=StringIO(),
    )
    assert "inserted               2" in out.getvalue()
    assert Feed.objects.get(slug="new").mapping["columns"]["occurred_from"] == "occurred_at"


def test_calls_with_headers_of_their_own_are_mapped_by_their_names(agency, tmp_path):
    path = tmp_path / "cad.csv"
    path.write_text(
        "id,received_at,nature,discovery,lat,lon\nC1,2025-03-01 10:00,NOISE,reported,41.81,-87.69\n"
    )
    feed = feed_ensure(agency=agency, slug="cad", name="CAD", record_kind="calls", sample=path)
    assert feed.mapping["columns"] == {
        "external_id": "id",
        "code": "nature",
        "occurred_from": "received_at",
        "lon": "lon",
        "lat": "lat",
        "discovery": "discovery",
    }
    assert run_import(feed, path).counts["inserted"] == 1


def test_a_header_that_says_too_little_asks_for_the_wizard(agency, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("foo,bar\n1,2\n")
    with pytest.raises(MissionsError, match="Upload a file"):
        feed_ensure(agency=agency, slug="x", sample=path)
    assert not Feed.objects.exists()


def test_each_state_of_a_feed_has_its_words_in_at_most_six_queries(
    agency, tmp_path, django_assert_max_num_queries
):
    path = write_rows(tmp_path / "a.csv", [good_row(1)])
    good = plain_feed(agency, "good")
    run_import(good, path)
    plain_feed(agency, "never")
    plain_feed(agency, "off", is_active=False)
    bad = plain_feed(agency, "bad")
    with pytest.raises(MissionsError):
        run_import(bad, tmp_path / "nothing.csv")
    dirty = plain_feed(agency, "dirty")
    run_import(dirty, write_rows(tmp_path / "b.csv", [good_row(2, lat=""), good_row(3)]))
    with django_assert_max_num_queries(6):
        rows = {row.feed.slug: row for row in feeds_with_health(agency, now=timezone.now())}
    assert rows["good"].tone == "warn"
    assert "days old" in rows["good"].words
    assert rows["good"].stored == 1
    assert rows["never"].words.startswith("Nothing imported yet")
    assert rows["off"].tone == "idle"
    assert "no file nothing.csv" in rows["bad"].words
    assert rows["dirty"].words.startswith("50 %")
    assert rows["dirty"].waiting == 1


def test_the_data_page_shows_an_agencys_own_feeds_to_those_who_see_risk(
    agency, owner, stranger, tmp_path, sign_in
):
    from tests.factories import make_member

    address = "/riverton/data/"
    assert "No feeds yet" in sign_in(owner).get(address).content.decode()
    run_import(plain_feed(agency), write_rows(tmp_path / "a.csv", [good_row(1), good_row(2, lat="")]))
    text = sign_in(make_member(agency, "analyst")).get(address).content.decode()
    assert "RMS" in text
    assert "Geocode it at the source" in text
    assert sign_in(stranger).get(address).status_code == 404
    assert sign_in(make_member(agency, "officer")).get(address).status_code == 403
    assert sign_in(None).get(address).status_code == 302


def test_the_admin_lists_feeds_runs_codes_and_layers_of_the_agency_alone(
    agency, owner, stranger, tmp_path, sign_in
):
    feed = plain_feed(agency)
    run_import(feed, write_rows(tmp_path / "a.csv", [good_row(1)]))
    OffenceCode.objects.create(agency=agency, feed=feed, code="RMS-1")
    ContextLayer.objects.create(agency=agency, name="RMS bars", slug="bars", geojson={"features": []})
    for model in ("feed", "importrun", "offencecode", "contextlayer", "quarantinedrow"):
        page = f"/admin/ingestion/{model}/"
        assert sign_in(owner).get(page).status_code == 200
        assert "RMS" not in sign_in(stranger).get(page).content.decode()
    assert sign_in(owner).get("/admin/ingestion/apitoken/").status_code == 403
    page = sign_in(owner).get(f"/admin/ingestion/feed/{feed.pk}/change/").content.decode()
    assert "Occurred (from)" in page
    changed = sign_in(owner).post(
        f"/admin/ingestion/feed/{feed.pk}/change/",
        {
            "agency": agency.pk,
            "name": "RMS",
            "slug": "rms",
            "record_kind": "incidents",
            "kind": "csv_file",
            "param_max_unpacked_mb": "0",
            "param_max_ratio": "200",
            "is_active": "on",
        },
    )
    assert "greater than or equal to 1" in changed.content.decode()


def test_uploads_expire_unless_an_import_needs_them(agency, settings, tmp_path):
    settings.SPOOL_DIR = tmp_path / "spool"
    feed = plain_feed(agency)
    old, needed, fresh = (spool_store(chunks=[b"id\n"]) for _ in range(3))
    long_ago = (timezone.now() - timedelta(hours=settings.SPOOL_HOURS + 1)).timestamp()
    for name in (old, needed):
        os.utime(spool_path(name), (long_ago, long_ago))
    import_run_queue(feed=feed, spool_name=needed)
    feed.draft = {"spool_name": old, "file_name": "a.csv"}
    feed.save()
    assert spool_expire() == 1
    feed.refresh_from_db()
    assert feed.draft == {}
    assert {path.name for path in Path(settings.SPOOL_DIR).iterdir()} == {needed, fresh}
    with pytest.raises(MissionsError, match="upload it again"):
        spool_path(old)


def test_a_spool_name_cannot_leave_the_spool(settings, tmp_path):
    settings.SPOOL_DIR = tmp_path / "spool"
    (tmp_path / "secret").write_text("x")
    with pytest.raises(MissionsError, match="no longer there"):
        spool_path("../secret")


def test_an_upload_that_is_too_large_is_not_kept(settings, tmp_path):
    settings.SPOOL_DIR, settings.UPLOAD_MAX_BYTES = tmp_path / "spool", 10
    with pytest.raises(MissionsError, match="larger than 10 bytes"):
        spool_store(chunks=[b"12345678", b"9012"])
    assert not list((tmp_path / "spool").iterdir())


def test_a_code_table_maps_by_national_code_and_marks_what_is_refused(agency, tmp_path):
    feed = plain_feed(agency)
    path = tmp_path / "codes.csv"
    path.write_text(
        "Code,Description,NIBRS Code\nB-1,BURGLARY,220\nD-1,DRUGS,35A\nX-1,MYSTERY,\nR-9,ROBBERY,120\n"
    )
    OffenceCode.objects.create(agency=agency, feed=feed, code="R-9", is_ignored=True)
    out = StringIO()
    call_command("codes_import", str(path), agency="riverton", feed="rms", stdout=out)
    rows = {row.code: row for row in OffenceCode.objects.select_related("crime_type")}
    assert rows["B-1"].crime_type.slug == "burglary"
    assert rows["D-1"].is_ignored
    assert rows["X-1"].crime_type is None
    assert rows["R-9"].is_ignored, "left as somebody had set it"
    assert "prone to enforcement bias" in out.getvalue()
    assert codes_import(feed=feed, path=path).mapped == []
    run = run_import(feed, write_rows(tmp_path / "a.csv", [good_row(1, code="D-1", nibrs_code="")]))
    assert run.refusals == {"drugs": {"35A": 1}}, "counted by its rule, not merely as ignored"


def test_a_file_without_codes_is_refused_as_a_code_table(agency, tmp_path):
    (tmp_path / "codes.csv").write_text("a,b\n1,2\n")
    plain_feed(agency)
    with pytest.raises(CommandError, match=r"No column of codes\.csv holds the codes"):
        call_command("codes_import", str(tmp_path / "codes.csv"), agency="riverton", feed="rms")


def layer_file(path: Path, properties: dict) -> Path:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [-87.691234567, 41.81]},
        "properties": properties,
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def test_a_layer_keeps_geometry_name_and_kind_and_nothing_else(agency, tmp_path):
    path = layer_file(
        tmp_path / "bars.geojson",
        {"Name": "The Anchor", "kind": "bar", "owner": "J. Roe", "phone": "555", "address": "1 Elm"},
    )
    call_command("import_layer", str(path), agency="riverton", name="Bars", stdout=StringIO())
    layer = ContextLayer.objects.get()
    assert (layer.slug, layer.kind) == ("bars", "risk")
    (feature,) = layer.geojson["features"]
    assert feature["properties"] == {"name": "The Anchor", "kind": "bar"}
    assert feature["geometry"]["coordinates"] == [-87.691235, 41.81]


@pytest.mark.parametrize(
    "column", ["Race", "median_income", "owner_occupied", "HSGrad14", "dob", "OFFENDER_ID"]
)
def test_a_layer_with_columns_about_persons_or_refused_traits_is_refused_by_name(agency, tmp_path, column):
    path = layer_file(tmp_path / "areas.geojson", {"name": "A", column: 1})
    with pytest.raises(CommandError, match=column):
        call_command("import_layer", str(path), agency="riverton", name="Areas")
    assert not ContextLayer.objects.exists()


def test_a_list_of_persons_is_no_layer(agency, tmp_path):
    with pytest.raises(MissionsError, match="persons"):
        context_layer_import(
            agency=agency, slug="p", name="Parolees", path=layer_file(tmp_path / "a.geojson", {})
        )


def test_a_zipped_shapefile_and_a_geopackage_are_layers_in_their_own_coordinate_system(agency, tmp_path):
    import zipfile

    import geopandas
    import shapely

    frame = geopandas.GeoDataFrame(
        {"name": ["A"]}, geometry=[shapely.Point(443_000, 4_629_000)], crs="EPSG:32616"
    )
    frame.to_file(tmp_path / "a.gpkg")
    frame.to_file(tmp_path / "a.shp")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for part in tmp_path.glob("a.[sdp][hbr]*"):
            archive.write(part, part.name)
    found = [
        context_layer_import(agency=agency, slug=path, name=path, path=tmp_path / f"a.{path}").geojson
        for path in ("gpkg", "zip")
    ]
    lon, lat = found[0]["features"][0]["geometry"]["coordinates"]
    assert (lon, lat) == pytest.approx((-87.687, 41.811), abs=0.01)
    assert found[0] == found[1]


def test_an_unreadable_layer_is_refused_with_the_next_step(agency, tmp_path):
    (tmp_path / "a.geojson").write_text("hello")
    with pytest.raises(MissionsError, match="Next step: use GeoJSON"):
        context_layer_import(agency=agency, slug="a", name="a", path=tmp_path / "a.geojson")


def test_a_layer_is_uploaded_in_the_admin_and_its_file_is_not_kept(
    agency, owner, sign_in, settings, tmp_path
):
    settings.SPOOL_DIR = tmp_path / "spool"
    path = layer_file(tmp_path / "bars.geojson", {"name": "The Anchor", "dob": "1"})
    client = sign_in(owner)
    post = {"agency": agency.pk, "name": "Bars", "slug": "bars", "kind": "risk"}
    with path.open("rb") as file:
        page = client.post("/admin/ingestion/contextlayer/add/", {**post, "file": file})
    assert "date_of_birth" in page.content.decode()
    layer_file(path, {"name": "The Anchor"})
    with path.open("rb") as file:
        page = client.post("/admin/ingestion/contextlayer/add/", {**post, "file": file})
    assert page.status_code == 302, page.context["errors"]
    assert ContextLayer.objects.get().feature_count == 1
    assert not list((tmp_path / "spool").iterdir())


def test_the_task_imports_a_queued_upload(agency, settings, tmp_path):
    from ingestion.tasks import import_task

    settings.SPOOL_DIR = tmp_path / "spool"
    path = write_rows(tmp_path / "a.csv", [good_row(1)])
    name = spool_store(chunks=[path.read_bytes()])
    run = import_run_queue(feed=plain_feed(agency), spool_name=name, file_name="a.csv")
    import_task(run.pk)
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert not list((tmp_path / "spool").iterdir())


def test_a_failed_upload_is_deleted_for_nobody_can_begin_that_run_again(agency, settings, tmp_path):
    settings.SPOOL_DIR = tmp_path / "spool"
    name = spool_store(chunks=[b"a,b\n1,2\n"])
    run = import_run_queue(feed=plain_feed(agency, header=COLUMNS), spool_name=name)
    with pytest.raises(MissionsError):
        import_run_execute(run=run)
    assert ImportRun.objects.get().status == "failed"
    with pytest.raises(MissionsError, match="upload it again"):
        spool_path(name)
