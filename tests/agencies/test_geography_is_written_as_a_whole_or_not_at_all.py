"""Districts, beats and boundary from files, by service, by command and by the admin's upload."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from agencies.engine import geometry_files
from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, AuditEvent, Beat, District, User
from agencies.services import beats_upsert, boundary_derive, boundary_set, districts_upsert
from missions_project.lib.errors import MissionsError
from tests import factories
from tests.factories import rectangle

SignIn = Callable[[User | None], Client]
Feature = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(autouse=True)
def _spool(settings: Any, tmp_path: Path) -> None:
    """An empty spool for each test."""
    settings.SPOOL_DIR = tmp_path / "spool"


def collection(*features: Feature) -> str:
    rows = [{"type": "Feature", "properties": p, "geometry": g} for p, g in features]
    return json.dumps({"type": "FeatureCollection", "features": rows})


def write(tmp_path: Path, *features: Feature) -> Path:
    path = tmp_path / "areas.geojson"
    path.write_text(collection(*features))
    return path


def beat(code: str | None, x: float, y: float, district: str | None = None) -> Feature:
    return {"CODE": code, "DIST": district}, rectangle(x, y, x + 800, y + 800)


def test_known_codes_are_updated_new_ones_added_and_the_rest_kept(agency: Agency, tmp_path: Path) -> None:
    path = write(tmp_path, beat("11", 0, 0, "S"), beat("31", 1000, 3000, "N"))
    report = beats_upsert(agency=agency, path=path, code_property="CODE", district_property="DIST")
    assert (report.inserted, report.updated, report.unchanged, report.not_in_file) == (
        1,
        1,
        0,
        ("12", "21", "22"),
    )
    assert str(report) == "1 added, 1 changed, 0 as before; 3 not in the file kept"
    again = beats_upsert(agency=agency, path=path, code_property="CODE", district_property="DIST")
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 2)
    assert Beat.objects.get(agency=agency, code="31").district.code == "N"
    # Writing nothing is no event.
    assert AuditEvent.objects.filter(agency=agency, action="beats.uploaded").count() == 1


def test_a_name_that_was_typed_stays_where_the_file_has_none(agency: Agency, tmp_path: Path) -> None:
    District.objects.filter(agency=agency, code="S").update(name="Southside")
    districts_upsert(agency=agency, path=write(tmp_path, beat("S", 0, 0)), code_property="CODE")
    assert District.objects.get(agency=agency, code="S").name == "Southside"


def test_without_a_district_property_the_place_decides(agency: Agency, tmp_path: Path) -> None:
    path = write(tmp_path, beat("41", 100, 1500), beat("42", 100, 1700))
    beats_upsert(agency=agency, path=path, code_property="CODE")
    assert Beat.objects.get(agency=agency, code="41").district.code == "S"
    assert Beat.objects.get(agency=agency, code="42").district.code == "N"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([beat("51", 0, 0, "S"), beat(None, 900, 0, "S")], "Row 2 has no CODE"),
        ([beat("51", 0, 0, "S"), beat("52", 900, 0, "X")], "Beat 52 names district “X”; the agency has N, S"),
        ([beat("51", 0, 0, "S"), beat("52", 900, 0)], "Beat 52 names no district"),
        ([beat("51", 0, 0, "S"), beat("51", 900, 3000, "N")], "Code 51 names several districts"),
    ],
)
def test_one_bad_row_stops_the_whole_file(
    agency: Agency, tmp_path: Path, features: list[Feature], message: str
) -> None:
    with pytest.raises(MissionsError, match=message):
        beats_upsert(
            agency=agency, path=write(tmp_path, *features), code_property="CODE", district_property="DIST"
        )
    assert Beat.objects.filter(agency=agency).count() == 4


def test_doubts_are_reported_and_do_not_stop(agency: Agency, tmp_path: Path) -> None:
    path = write(tmp_path, beat("51", 0, 0, "S"), beat("52", 400, 0, "N"))
    report = beats_upsert(agency=agency, path=path, code_property="CODE", district_property="DIST")
    messages = " ".join(problem.message for problem in report.problems)
    assert "Beat 52 names district N but lies mostly in district S" in messages
    assert "51 and 52 overlap by" in messages


def test_another_citys_file_is_doubted(agency: Agency, tmp_path: Path) -> None:
    far = {"type": "Polygon", "coordinates": [[[2.3, 48.8], [2.4, 48.8], [2.4, 48.9], [2.3, 48.8]]]}
    report = districts_upsert(agency=agency, path=write(tmp_path, ({"CODE": "P"}, far)), code_property="CODE")
    assert "lie far from what the agency has" in report.problems[0].message


def test_beats_before_districts_are_refused(db: None, tmp_path: Path) -> None:
    empty = Agency.objects.create(slug="empty", name="Empty", time_zone="America/Chicago")
    with pytest.raises(MissionsError, match="Upload the districts first"):
        beats_upsert(agency=empty, path=write(tmp_path, beat("1", 0, 0)), code_property="CODE")


def test_the_boundary_is_the_outer_line_of_a_file_or_of_the_beats(agency: Agency, tmp_path: Path) -> None:
    boundary_set(agency=agency, path=write(tmp_path, beat("a", 0, 0), beat("b", 800, 0)))
    agency.refresh_from_db()
    assert len(polygon_from_geojson(agency.boundary).geoms) == 1
    boundary_derive(agency=agency)
    agency.refresh_from_db()
    wanted = polygon_from_geojson(rectangle(0, 0, factories.SIDE_M, factories.SIDE_M))
    assert polygon_from_geojson(agency.boundary).symmetric_difference(wanted).area < 1e-3 * wanted.area


def test_commands_make_an_agency_and_its_geography(db: None, tmp_path: Path, capsys: Any) -> None:
    call_command("agency_create", slug="rivertown", name="Rivertown PD", time_zone="America/Chicago")
    path = str(write(tmp_path, beat("1", 0, 0), beat("2", 900, 0)))
    agency = Agency.objects.get(slug="rivertown")
    call_command("import_geography", path, agency="rivertown", layer="districts", code_property="CODE")
    call_command("import_geography", path, agency="rivertown", layer="beats", code_property="CODE")
    call_command("import_geography", agency="rivertown", layer="boundary")
    assert Beat.objects.filter(agency=agency).count() == 2
    assert "2 added" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agency": "nowhere"}, "There is no agency “nowhere”"),
        ({"code_property": ""}, "the property of their codes"),
        ({"code_property": "BEAT"}, "has no property “BEAT” for the code. It has: CODE, DIST"),
        ({"file": "missing.geojson"}, "There is no file missing.geojson"),
    ],
)
def test_commands_name_what_is_wrong(
    agency: Agency, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    given = {"agency": "riverton", "layer": "districts", "code_property": "CODE"} | options
    path = given.pop("file", None) or str(write(tmp_path, beat("1", 0, 0)))
    with pytest.raises(CommandError) as caught:
        call_command("import_geography", path, **given)
    assert message in str(caught.value)


def spooled() -> list[Path]:
    return list(Path(settings.SPOOL_DIR).glob("areas-*"))


def send(client: Client, agency: Agency, layer: str, content: str | bytes, **data: Any) -> Any:
    address = reverse("admin:agencies_geography_upload", args=[agency.pk, layer])
    payload = content if isinstance(content, bytes) else content.encode()
    return client.post(address, {"file": SimpleUploadedFile("my beats.geojson", payload), **data})


def test_an_upload_is_looked_at_before_it_is_saved(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    content = collection(beat("31", 1000, 3000, "N"), beat("11", 0, 0, "S"))
    sent = send(client, agency, "beats", content)
    assert sent.status_code == 302
    assert len(spooled()) == 1
    assert spooled()[0].stat().st_mode & 0o077 == 0
    look = client.get(sent.url)
    assert look.context["draft"].new == ("31",)
    assert look.context["draft"].known == ("11",)
    assert "not in the file, kept" in look.content.decode()
    drawn = client.get(look.context["areas_url"]).json()["features"]
    assert {feature["properties"]["code"]: feature["properties"]["state"] for feature in drawn} == {
        "31": "new",
        "11": "known",
    }
    assert not Beat.objects.filter(agency=agency, code="31").exists()
    data = {name: look.context["form"].data.get(name, "") for name in ("upload", "code", "name", "district")}
    saved = client.post(reverse("admin:agencies_geography_check", args=[agency.pk, "beats"]), data)
    assert saved.url == reverse("admin:agencies_beat_changelist")
    assert Beat.objects.get(agency=agency, code="31").district.code == "N"
    assert spooled() == []
    assert AuditEvent.objects.get(action="beats.uploaded").actor == owner


def test_an_upload_that_is_not_sound_cannot_be_saved(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    sent = send(client, agency, "beats", collection(beat("31", 0, 0, "X")))
    look = client.get(sent.url)
    assert look.context["blocked"]
    assert "names district “X”" in look.content.decode()
    data = {"upload": look.context["form"].data["upload"], "code": "CODE", "district": "DIST"}
    client.post(reverse("admin:agencies_geography_check", args=[agency.pk, "beats"]), data)
    assert not Beat.objects.filter(agency=agency, code="31").exists()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"{}", b"PK\x03\x04zzz"])
def test_a_file_of_another_kind_is_refused_on_the_first_page(
    sign_in: SignIn, agency: Agency, owner: User, content: bytes
) -> None:
    answer = send(sign_in(owner), agency, "districts", content)
    assert answer.status_code == 200
    assert answer.context["form"].errors["file"]
    assert spooled() == []


def test_a_file_that_is_too_large_is_not_kept(
    sign_in: SignIn, agency: Agency, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agencies.uploads.MAX_FILE_BYTES", 10)
    answer = send(sign_in(owner), agency, "districts", collection(beat("1", 0, 0)))
    assert "larger than" in str(answer.context["form"].errors["file"])
    assert spooled() == []


def test_a_waiting_file_is_its_senders_alone(
    sign_in: SignIn, agency: Agency, owner: User, stranger: User
) -> None:
    sent = send(sign_in(owner), agency, "beats", collection(beat("31", 0, 0, "S")))
    token = sent.url.partition("?")[2]
    theirs = Agency.objects.get(membership__user=stranger)
    client = sign_in(stranger)
    assert client.get(sent.url).status_code == 404
    assert (
        client.get(
            f"{reverse('admin:agencies_geography_check', args=[theirs.pk, 'beats'])}?{token}"
        ).status_code
        == 404
    )
    second = factories.make_member(agency, "admin")
    assert sign_in(second).get(sent.url).status_code == 404


def test_a_boundary_can_be_uploaded_and_derived(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    sent = send(client, agency, "boundary", collection(beat("x", 0, 0)))
    look = client.get(sent.url)
    assert not look.context["blocked"]
    client.post(
        reverse("admin:agencies_geography_check", args=[agency.pk, "boundary"]),
        {"upload": look.context["form"].data["upload"]},
    )
    agency.refresh_from_db()
    small = polygon_from_geojson(agency.boundary).area
    client.post(reverse("admin:agencies_agency_boundary_derive", args=[agency.pk]))
    agency.refresh_from_db()
    assert polygon_from_geojson(agency.boundary).area > 10 * small


def test_chicagos_25_districts_and_277_beats(db: None, shared_data: Path) -> None:
    folder = shared_data / "chicago"
    chicago = Agency.objects.create(slug="chicago", name="Chicago", time_zone="America/Chicago")
    districts = districts_upsert(
        agency=chicago,
        path=folder / "districts.geojson",
        code_property="DIST_NUM",
        name_property="DIST_LABEL",
    )
    beats = beats_upsert(
        agency=chicago, path=folder / "beats.geojson", code_property="BEAT_NUM", district_property="DISTRICT"
    )
    # District 31 and its beat lie in three places: 25 and 277 features are 23 districts and 275 beats.
    assert (districts.inserted, beats.inserted) == (23, 275)
    assert [p.message for p in districts.problems] == [
        "Code 31 stands in rows 3, 4, 12: they become one area of 3 rows."
    ]
    # "06" in the beats is "6" in the districts.
    assert Beat.objects.get(agency=chicago, code="0611").district.code == "6"
    assert len(geometry_files.areas_from_file(folder / "beats.geojson").areas) == 277
    boundary_derive(agency=chicago)
    assert polygon_from_geojson(chicago.boundary).is_valid
