"""The mapping wizard, from a file that nobody has described to imported incidents."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from ingestion.models import Feed, ImportRun, Incident, OffenceCode
from tests.ingestion.files import place

COLUMNS = "Incident Number;Occurred;Offense Code;Offense Description;Victim Name;X;Y"


def odd_file(n: int = 60) -> bytes:
    """Semicolons, day-first dates, metres of UTM, local codes without a national one, and a victim's name."""
    from pyproj import Transformer

    to_metres = Transformer.from_crs(4326, 32616, always_xy=True)
    lines = [COLUMNS]
    for number in range(n):
        x, y = to_metres.transform(*place(number))
        code, words = [("511", "BURGLARY HOME"), ("322", "ROBBERY STREET"), ("900", "DRUG POSSESSION")][
            number % 3
        ]
        lines.append(
            f"N{number};{1 + number % 28:02d}.03.2025 21:{number % 60:02d};{code};{words};Jane Roe;{x:.1f};{y:.1f}"
        )
    return "\n".join(lines).encode()


@pytest.fixture(autouse=True)
def own_spool(settings, tmp_path) -> None:
    """A spool of this test's own, so that what is left in it can be counted."""
    settings.SPOOL_DIR = tmp_path / "spool"


@pytest.fixture
def feed(agency) -> Feed:
    return Feed.objects.create(agency=agency, name="RMS", slug="rms")


def address(feed: Feed, step: str) -> str:
    return reverse(f"admin:ingestion_feed_{step}", args=[feed.pk])


def upload(client, feed: Feed, content: bytes, name: str = "march.csv"):
    return client.post(address(feed, "upload"), {"file": SimpleUploadedFile(name, content)})


def column_inputs(page) -> dict[str, str]:
    """The posted form of the columns page as the browser would send it, unchanged."""
    form = page.context["form"]
    return {name: "" if (value := form[name].value()) is None else value for name in form.fields}


def test_the_wizard_maps_an_odd_file_and_imports_it(owner, feed, sign_in, django_capture_on_commit_callbacks):
    client = sign_in(owner)
    assert upload(client, feed, odd_file()).url == address(feed, "columns")
    page = client.get(address(feed, "columns"))
    inputs = column_inputs(page)
    header = COLUMNS.split(";")
    suggested = {header[int(k[7:])]: v for k, v in inputs.items() if k.startswith("column_")}
    assert suggested == {
        "Incident Number": "external_id",
        "Occurred": "occurred_from",
        "Offense Code": "code",
        "Offense Description": "description",
        "X": "x",
        "Y": "y",
    }
    assert inputs["date_format"] == "%d.%m.%Y %H:%M"
    text = page.content.decode()
    assert "person" in text
    assert "Jane Roe" not in text
    assert "column_4" not in page.context["form"].fields

    wrong = client.post(address(feed, "columns"), {**inputs, "column_4": "description", "check": "1"})
    assert wrong.status_code == 302, "an input that is not on the form is not read"
    feed.refresh_from_db()
    assert "Victim Name" not in repr(feed.draft["mapping"])

    assert client.post(address(feed, "columns"), {**inputs, "crs": "32616"}).url == address(feed, "codes")
    places = client.get(address(feed, "places")).json()
    assert len(places["features"]) == 60
    assert all(feature["properties"]["ok"] for feature in places["features"])

    page = client.get(address(feed, "codes"))
    waiting = {code.code: code for code in page.context["form"].codes}
    assert set(waiting) == {"511", "322"}
    assert waiting["511"].crime_type == "burglary", "suggested by its description"
    refused = [code for code, _ in page.context["decided"]]
    assert [(code.code, code.outcome) for code in refused] == [("900", "refused")]
    assert "prone to enforcement bias" in page.content.decode()
    chosen = {
        f"type_{index}": {"511": "burglary", "322": "robbery"}[code.code]
        for index, code in enumerate(page.context["form"].codes)
    }
    assert client.post(address(feed, "codes"), chosen).url == address(feed, "review")

    page = client.get(address(feed, "review"))
    assert len(page.context["usable"]) == 40
    assert page.context["n_refused"] == 20
    assert Incident.objects.count() == 0, "a review stores nothing"
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(address(feed, "review"))
    run = ImportRun.objects.get()
    assert answer.url == reverse("admin:ingestion_importrun_change", args=[run.pk])
    assert run.status == "succeeded", run.error
    assert run.counts["inserted"] == 40 == Incident.objects.count()
    assert run.requested_by == owner
    assert not list(Path(settings.SPOOL_DIR).iterdir()), "the upload is deleted after success"
    feed.refresh_from_db()
    assert feed.draft == {}
    assert OffenceCode.objects.get(code="322").crime_type.slug == "robbery"
    assert client.get(answer.url).status_code == 200


def test_a_second_upload_of_the_same_shape_keeps_the_mapping(owner, feed, sign_in):
    client = sign_in(owner)
    upload(client, feed, odd_file())
    inputs = column_inputs(client.get(address(feed, "columns")))
    client.post(address(feed, "columns"), {**inputs, "crs": "32616"})
    client.post(address(feed, "codes"), {"type_0": "burglary", "type_1": "robbery"})
    client.post(address(feed, "review"))
    upload(client, feed, odd_file(30), "april.csv")
    feed.refresh_from_db()
    assert feed.draft["mapping"]["crs"] == 32616


def test_what_a_person_may_not_map_is_answered_with_the_reason(owner, feed, sign_in):
    client = sign_in(owner)
    upload(client, feed, odd_file())
    inputs = column_inputs(client.get(address(feed, "columns")))
    page = client.post(address(feed, "columns"), {**inputs, "column_1": "", "crs": "32616"})
    assert "is not mapped" in page.content.decode()
    page = client.post(address(feed, "columns"), {**inputs, "column_0": "code", "crs": "32616"})
    assert "is already" in page.content.decode()
    page = client.post(address(feed, "columns"), {**inputs, "crs": "99999"})
    assert "EPSG:99999" in page.content.decode()


def test_a_file_that_is_no_table_is_refused_and_not_kept(owner, feed, sign_in):
    page = upload(sign_in(owner), feed, b"%PDF-1.7 nothing", "a.pdf")
    assert "PDF" in page.content.decode()
    assert not list(Path(settings.SPOOL_DIR).iterdir())
    feed.refresh_from_db()
    assert feed.draft == {}


def test_an_upload_can_be_deleted_and_an_expired_one_says_so(owner, feed, sign_in):
    client = sign_in(owner)
    upload(client, feed, odd_file())
    for file in Path(settings.SPOOL_DIR).iterdir():
        file.unlink()
    page = client.get(address(feed, "columns"), follow=True)
    assert "no longer there" in page.content.decode()
    upload(client, feed, odd_file())
    client.post(address(feed, "discard"))
    feed.refresh_from_db()
    assert feed.draft == {}
    assert not list(Path(settings.SPOOL_DIR).iterdir())


@pytest.mark.parametrize("step", ["upload", "columns", "places", "codes", "review", "discard"])
def test_a_strangers_feed_does_not_exist_in_the_wizard(feed, stranger, colleague, sign_in, step):
    assert sign_in(stranger).get(address(feed, step)).status_code == 404
    assert sign_in(colleague).get(address(feed, step)).status_code == 302, (
        "no administrator: the sign-in page"
    )
    assert sign_in(None).get(address(feed, step)).status_code == 302


def test_the_spool_is_private(owner, feed, sign_in):
    upload(sign_in(owner), feed, odd_file())
    (file,) = Path(settings.SPOOL_DIR).iterdir()
    assert oct(Path(settings.SPOOL_DIR).stat().st_mode)[-3:] == "700"
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert "march" not in file.name
