"""Every file that leaves says whose it is, what was asked for, on which clock, by which model and when; and runs no formula."""

from __future__ import annotations

import ast
import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from openpyxl import load_workbook

from agencies.models import Agency, Beat, CrimeType, District, Unit, User
from ingestion.models import QuarantinedRow
from missions_project.lib.runs import RunStatus
from patrols.models import Engagement
from tactics.models import TransparencyPolicy
from tactics.transparency.shapes import content_hash
from tests.factories import make_member
from tests.ingestion.files import good_row, plain_feed, run_import, write_rows
from tests.ingestion.pushing import make_token, push_feed
from tests.patrols.scenes import ON, Scene, make_scene
from tests.project.files_read import FACTS, facts_of
from tests.tactics.histories import make_past
from tests.tactics.test_packs_as_pdf import a_pack
from tests.tactics.test_study_pages import reported

SignIn = Callable[[User | None], Client]
ROOT = Path(__file__).resolve().parent.parent.parent
PERIOD = f"?from={ON}&to={ON}"
ROOMS = ("agencies", "ingestion", "forecasting", "patrols", "tactics", "missions_project")
FORMULA = "=cmd|' /C calc'!A0"

FILES: dict[str, tuple[dict[str, Any], str]] = {
    "agencies:audit_log_csv": ({}, ""),
    "agencies:audit_log_lines": ({}, ""),
    "ingestion:incidents_csv": ({}, PERIOD),
    "ingestion:kept_csv": ({"feed_slug": "rms"}, ""),
    "forecasting:live_csv": ({"slug": "burglary"}, ""),
    "forecasting:risk_csv": ({"run_id": "run", "slug": "harm"}, ""),
    "forecasting:risk_geojson": ({"run_id": "run", "slug": "harm"}, ""),
    "patrols:missions_csv": ({}, PERIOD),
    "patrols:missions_geojson": ({}, PERIOD),
    "patrols:engagements_csv": ({}, PERIOD),
    "patrols:engagements_geojson": ({}, PERIOD),
    "patrols:dosage_csv": ({}, PERIOD),
    "patrols:completeness_csv": ({}, PERIOD),
    "tactics:table_csv": ({"slug": "shifts"}, PERIOD),
    "tactics:workbook": ({"slug": "shifts"}, PERIOD),
    "tactics:table_geojson": ({"slug": "coverage", "table": "beats"}, PERIOD),
    "tactics:table_gpkg": ({"slug": "coverage", "table": "beats"}, PERIOD),
    "tactics:pack_pdf": ({"number": 4}, ""),
    "tactics:pack_site": ({"number": 4}, ""),
    "tactics:pack_document html": ({"number": 4, "document": "use-policy", "ending": "html"}, ""),
    "tactics:pack_document docx": ({"number": 4, "document": "impact-report", "ending": "docx"}, ""),
    "tactics:pack_document pdf": ({"number": 4, "document": "annual-report", "ending": "pdf"}, ""),
    "tactics:public_json": ({"number": 4}, ""),
    "tactics:public_pdf": ({"number": 4}, ""),
    "api:surface_geojson": ({"forecast_id": "run", "surface": "harm"}, ""),
    "api:surface_tiff": ({"forecast_id": "run", "surface": "harm"}, ""),
    "api:surface_npy": ({"forecast_id": "run", "surface": "harm"}, ""),
    "api:missioneffectiveness": ({}, f"?format=csv&date={ON}"),
    "admin:ingestion_quarantinedrow_changelist": ({}, ""),
}
"""Every address that gives a file, with its arguments and query."""
OF_A_STUDY = ("tactics:report_csv", "tactics:report_json", "tactics:report_html")
WITHOUT_TIME = {
    "admin:agencies_configuration_file": "the same configuration is the same file, byte by byte; docs/admin.md"
}
"""Files that do not say when they were made, with the reason."""
TABLES = [
    name
    for name in FILES
    if name.endswith(("_csv", "_geojson", "workbook", "effectiveness", "row_changelist"))
]
SENDERS = {
    "agencies/admin_configuration.py:download_view": ("admin:agencies_configuration_file",),
    "agencies/audit_pages.py:audit_log_csv": ("agencies:audit_log_csv",),
    "agencies/audit_pages.py:audit_log_lines": ("agencies:audit_log_lines",),
    "ingestion/admin/quarantine.py:download": ("admin:ingestion_quarantinedrow_changelist",),
    "ingestion/exports.py:incidents_csv": ("ingestion:incidents_csv",),
    "ingestion/quality_views.py:kept_csv": ("ingestion:kept_csv",),
    "forecasting/api/forecasts.py:answer": ("api:surface_geojson", "api:surface_tiff", "api:surface_npy"),
    "forecasting/live_pages.py:live_csv": ("forecasting:live_csv",),
    "forecasting/views.py:risk_csv": ("forecasting:risk_csv",),
    "forecasting/views.py:risk_geojson": ("forecasting:risk_geojson",),
    "patrols/api/hunchlab.py:_file": ("api:missioneffectiveness",),
    "patrols/dosage_pages.py:_csv": ("patrols:dosage_csv", "patrols:completeness_csv"),
    "patrols/exports.py:missions_csv": ("patrols:missions_csv",),
    "patrols/exports.py:missions_geojson": ("patrols:missions_geojson",),
    "patrols/exports.py:engagements_csv": ("patrols:engagements_csv",),
    "patrols/exports.py:engagements_geojson": ("patrols:engagements_geojson",),
    "tactics/reports/files.py:table_csv": ("tactics:table_csv",),
    "tactics/reports/files.py:workbook_response": ("tactics:workbook",),
    "tactics/reports/geofiles.py:_attached": ("tactics:table_geojson",),
    "tactics/reports/geofiles.py:geopackage_response": ("tactics:table_gpkg",),
    "tactics/studies/files.py:report_csv": ("tactics:report_csv",),
    "tactics/studies/files.py:report_json": ("tactics:report_json",),
    "tactics/studies/files.py:report_html": ("tactics:report_html",),
    "tactics/transparency/pages.py:_json": ("tactics:public_json",),
    "tactics/transparency/pages.py:_pdf": ("tactics:pack_pdf", "tactics:public_pdf"),
    "tactics/transparency/pages.py:pack_document": ("tactics:pack_document",),
    "tactics/transparency/pages.py:pack_site": ("tactics:pack_site",),
}
"""Every function that makes an answer a file, with the addresses that give it."""
NO_SENDERS = {
    "agencies/exported.py": "reads what others send",
    "missions_project/lib/exports.py": "whose callers are found",
}
MAP_LAYERS = {
    "ingestion:alerts", "forecasting:layer_beats", "forecasting:layer_boundary", "forecasting:layer_context",
    "forecasting:layer_districts", "forecasting:layer_incidents", "forecasting:risk_top", "patrols:plan_geojson", "tactics:place",
    "tactics:hunch_area", "tactics:practice_place",
}  # fmt: skip
"""GeoJSON that our own maps draw, and no export."""
MARKS = {"ingestion:version", "patrols:version"}
"""JSON by which a page learns that it is old."""
ENDINGS = (
    *(".csv", ".xlsx", ".geojson", ".json", ".jsonl", ".gpkg", ".pdf", ".html", ".zip", ".tif", ".npy"),
    ".<slug:ending>",
)
WRITES_FOR_THE_PRODUCT_ITSELF = {
    "missions_project/lib/cells.py": "the one writer",
    "ingestion/services/samples.py": "the spool, which the importer reads",
    "ingestion/services/fetching.py": "the spool, which the importer reads",
    "ingestion/services/uploads.py": "the spool, which the importer reads",
    "ingestion/engine/slim.py": "the spool, which the importer reads",
}


def addresses(*endings: str) -> Iterator[str]:
    for resolver in get_resolver().url_patterns:
        if not isinstance(resolver, URLResolver):
            continue
        begins = str(resolver.pattern)
        if "agency_slug" in begins or begins == "api/":
            yield from (f"{resolver.app_name}:{name}" for name in _names(resolver.url_patterns, endings))


def _names(patterns: list[Any], endings: tuple[str, ...]) -> Iterator[str]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            yield from _names(entry.url_patterns, endings)
        elif str(entry.pattern).endswith(endings):
            yield str(entry.name)


def test_every_address_of_a_file_is_looked_at_here() -> None:
    looked_at = {name.split()[0] for name in FILES} | set(OF_A_STUDY)
    by_ending = set(addresses(*ENDINGS)) - MAP_LAYERS - MARKS
    assert by_ending <= looked_at
    sent = {address for names in SENDERS.values() for address in names}
    assert sent == looked_at | set(WITHOUT_TIME)


def test_every_function_that_makes_an_answer_a_file_is_known_here() -> None:
    assert set(senders()) == set(SENDERS), "name it in SENDERS, and read its file in FILES"


def senders() -> Iterator[str]:
    """Every function that names the header of files, or calls what sends one."""
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in NO_SENDERS:
            continue
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and any(map(_sends, ast.walk(function))):
                yield f"{name}:{function.name}"


def _sends(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return called in ("csv_response", "geojson_response") and not _is_of_reports(node)
    if isinstance(node, ast.keyword):
        return node.arg == "as_attachment"
    return isinstance(node, ast.Constant) and str(node.value).lower() == "content-disposition"


def _is_of_reports(call: ast.Call) -> bool:
    """The reports' own function of this name, which takes the agency first, is a sender itself."""
    return bool(call.args) and getattr(call.args[0], "id", getattr(call.args[0], "attr", "")) == "agency"


@pytest.fixture
def scene(db: None, tmp_path: Path) -> Scene:
    """A city whose every name is a formula."""
    cache.clear()
    scene = make_scene()
    agency = scene.agency
    plan = scene.plan(publish=True)
    feed = plain_feed(agency)
    for model in (District, Beat):
        for number, row in enumerate(model.objects.filter(agency=agency)):
            model.objects.filter(pk=row.pk).update(name=f"{FORMULA}{number}", code=f"=1+{number}")
    for number, row in enumerate(Unit.objects.filter(agency=agency)):
        Unit.objects.filter(pk=row.pk).update(call_sign=f"@SUM({number})")
    CrimeType.objects.filter(agency=agency).update(name=FORMULA)
    plan.missions.update(place="+Elm", reason="-1+1|x")
    Engagement.objects.create(
        agency=agency, mission=plan.missions.all()[0], unit=Unit.objects.filter(agency=agency)[0],
        arrived_at=plan.period_from, left_at=plan.period_to,
    )  # fmt: skip
    Agency.objects.filter(pk=agency.pk).update(name="Riverton,=1+1")
    QuarantinedRow.objects.create(
        agency=agency, feed=feed, run=run_import(feed, write_rows(tmp_path / "odd.csv", [good_row(1)])), row_number=2,
        external_id="=1", code="unmapped_code", values={"code": FORMULA},
    )  # fmt: skip
    _publish_a_pack(agency)
    return scene


def _publish_a_pack(agency: Agency) -> None:
    TransparencyPolicy.objects.create(agency=agency, is_public=True)
    pack = a_pack(beats=3)
    pack.content["agency"]["name"] = "Riverton,=1+1"
    pack.agency, pack.content_hash, pack.status = agency, content_hash(pack.content), RunStatus.SUCCEEDED
    pack.first, pack.last = (
        dt.date.fromisoformat(pack.content["period"][name]) for name in ("first", "last")
    )
    pack.made_at = pack.published_at = dt.datetime.fromisoformat(pack.content["made_at"])
    pack.save()


def fetched(scene: Scene, sign_in: SignIn, key: str) -> HttpResponseBase:
    name = key.split()[0]
    arguments, query = FILES[key]
    known = {word: scene.run.pk if value == "run" else value for word, value in arguments.items()}
    answer: HttpResponseBase
    if name.startswith("admin:"):
        chosen = list(QuarantinedRow.objects.values_list("pk", flat=True))
        client = sign_in(make_member(scene.agency, "admin"))
        answer = client.post(reverse(name), {"action": "download", "_selected_action": chosen})
    elif name == "api:missioneffectiveness":
        key = make_token(push_feed(scene.agency), "read")
        answer = Client().get(reverse(name) + query, headers={"authorization": f"Token {key}"})
    else:
        client = sign_in(make_member(scene.agency, "admin" if name.startswith("agencies:") else "analyst"))
        answer = client.get(reverse(name, kwargs={"agency_slug": "riverton", **known}) + query)
    assert answer.status_code == 200, name
    return answer


def facts_told(answer: HttpResponseBase) -> dict[str, str]:
    ending = answer.headers["Content-Disposition"].strip('"').rpartition(".")[2]
    return facts_of(ending, answer.headers, b"".join(answer))


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_says_agency_question_clock_model_and_time(scene: Scene, sign_in: SignIn, name: str) -> None:
    told = facts_told(fetched(scene, sign_in, name))
    assert not set(FACTS) - set(told)
    assert "Riverton" in told["agency"]
    assert len(told["filters"]) > 5, "what was asked for"
    assert told["time_zone"] in (scene.agency.time_zone, "UTC")
    assert told["model"]
    assert "20" in told["generated_at"]


@pytest.mark.django_db
def test_a_studys_files_say_the_same(sign_in: SignIn) -> None:
    past = make_past(days=4, per_shift=60)
    study = reported(past)
    client = sign_in(make_member(past.agency, "supervisor"))
    for name in OF_A_STUDY:
        told = facts_told(client.get(reverse(name, args=["riverton", study.pk])))
        assert not set(FACTS) - set(told), name
        assert told["model"].startswith("Burglary v1 (planted); Robbery v1 (planted)"), name


@pytest.mark.django_db
def test_the_configuration_alone_does_not_say_when_and_is_the_same_file_each_time(
    scene: Scene, sign_in: SignIn
) -> None:
    client = sign_in(make_member(scene.agency, "admin"))
    (address,) = WITHOUT_TIME
    first, second = (client.get(reverse(address, args=[scene.agency.pk])).content for _ in range(2))
    assert first == second
    assert b"Riverton" in first
    assert b"generated" not in first
    assert "does not say when it was made" in (ROOT / "docs" / "admin.md").read_text(encoding="utf-8")


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(TABLES))
def test_no_cell_of_any_file_is_a_formula(scene: Scene, sign_in: SignIn, name: str) -> None:
    answer = fetched(scene, sign_in, name)
    kind, body = answer.headers["Content-Type"], b"".join(answer)
    if "json" in kind:
        for feature in json.loads(body)["features"]:
            for value in feature["properties"].values():
                assert not str(value).startswith(("=", "+", "@")), value
        return
    if "spreadsheet" in kind:
        book = load_workbook(io.BytesIO(body))
        cells = [
            cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None
        ]
        assert not [
            cell.value for cell in cells if cell.data_type == "f" or str(cell.value).startswith(("=", "@"))
        ]
        return
    for row in csv.reader(io.StringIO(body.decode(), newline="")):
        for cell in row:
            assert not cell.strip(" ").startswith(("=", "+", "@", "\t", "\r")), cell
            # A negative number is one; "-1+1|x" is a formula.
            assert not cell.startswith("-") or float(cell) < 0 or float(cell) == 0, cell


def test_tables_are_written_by_the_one_writer_that_makes_cells_plain() -> None:
    strange = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in WRITES_FOR_THE_PRODUCT_ITSELF:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("writer", "DictWriter")
                and isinstance(node.value, ast.Name)
                and node.value.id == "csv"
            ):
                strange.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.ImportFrom) and node.module == "openpyxl":
                names = {one.name for one in node.names}
                if "Workbook" in names and name != "tactics/reports/files.py":
                    strange.append(f"{name}:{node.lineno}")
    assert not strange, "use missions_project.lib.exports.csv_response, or lib.cells.PlainWriter"
