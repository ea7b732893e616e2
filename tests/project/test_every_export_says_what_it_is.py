"""Every file that leaves says whose it is, what was asked for, on which clock, by which model and when; and runs no formula."""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from openpyxl import load_workbook

from agencies.models import Agency, Beat, CrimeType, District, Unit, User
from patrols.models import Engagement
from tests.factories import make_member
from tests.ingestion.files import plain_feed
from tests.patrols.scenes import ON, Scene, make_scene

SignIn = Callable[[User | None], Client]
ROOT = Path(__file__).resolve().parent.parent.parent
PERIOD = f"?from={ON}&to={ON}"
FORMULA = "=cmd|' /C calc'!A0"

FILES: dict[str, tuple[dict[str, Any], str]] = {
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
}
"""Every address that gives a file, with its arguments and query."""
ELSEWHERE = {
    "agencies:audit_log_csv": "auditors'; tests/agencies/test_the_audit_log_is_read_and_handed_out.py",
    "tactics:report_csv": "a study's; tests/tactics/test_study_pages.py",
    "tactics:report_json": "a study's; tests/tactics/test_study_pages.py",
    "tactics:table_geojson": "a report's; tests/tactics/test_reports_on_maps.py",
    "tactics:table_gpkg": "a report's; tests/tactics/test_reports_on_maps.py",
    "tactics:pack_pdf": "a pack's; tests/tactics/test_packs_as_pdf.py",
    "tactics:public_pdf": "a published pack's; tests/tactics/test_packs_as_pdf.py",
}
"""Files that are looked at where what they hold is made."""
MAP_LAYERS = {
    "ingestion:alerts", "forecasting:layer_beats", "forecasting:layer_boundary", "forecasting:layer_context",
    "forecasting:layer_districts", "forecasting:layer_incidents", "forecasting:risk_top", "patrols:plan_geojson", "tactics:place",
    "tactics:hunch_area", "tactics:practice_place",
}  # fmt: skip
"""GeoJSON that our own maps draw, and no export."""
WRITES_FOR_THE_PRODUCT_ITSELF = {
    "missions_project/lib/cells.py": "the one writer",
    "ingestion/services/samples.py": "the spool, which the importer reads",
    "ingestion/services/fetching.py": "the spool, which the importer reads",
    "ingestion/services/uploads.py": "the spool, which the importer reads",
    "ingestion/engine/slim.py": "the spool, which the importer reads",
}


def addresses(*endings: str) -> Iterator[str]:
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and "agency_slug" in str(resolver.pattern):
            for entry in resolver.url_patterns:
                if str(entry.pattern).endswith(endings):
                    yield f"{resolver.app_name}:{entry.name}"  # type: ignore[union-attr]  # patterns have names


def test_every_address_of_a_file_is_looked_at_here() -> None:
    found = set(addresses(".csv", ".xlsx", ".geojson", "report.json", ".gpkg", ".pdf"))
    assert found - MAP_LAYERS == set(FILES) | set(ELSEWHERE)


@pytest.fixture
def scene(db: None) -> Scene:
    """A city whose every name is a formula."""
    cache.clear()
    scene = make_scene()
    agency = scene.agency
    plan = scene.plan(publish=True)
    plain_feed(agency)
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
    return scene


def fetched(scene: Scene, sign_in: SignIn, name: str) -> tuple[str, bytes]:
    arguments, query = FILES[name]
    known = {key: scene.run.pk if value == "run" else value for key, value in arguments.items()}
    client = sign_in(make_member(scene.agency, "analyst"))
    answer = client.get(reverse(name, kwargs={"agency_slug": "riverton", **known}) + query)
    assert answer.status_code == 200, name
    return answer.headers["Content-Type"], b"".join(answer)


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_says_agency_question_clock_model_and_time(scene: Scene, sign_in: SignIn, name: str) -> None:
    kind, body = fetched(scene, sign_in, name)
    if "json" in kind:
        document = json.loads(body)
        facts = document.get("about") or document["metadata"]
        assert "Riverton" in facts["agency"]
        assert {"time_zone", "model", "generated_at"} <= set(facts)
        assert facts.get("filters") or facts["shift"]
        assert facts["model"]
        return
    if "spreadsheet" in kind:
        sheet = load_workbook(io.BytesIO(body))["About"]
        head = [str(row[0]) for row in sheet.iter_rows(values_only=True) if row[0]]
    else:
        head = [line.removeprefix("# ") for line in body.decode().splitlines() if line.startswith("#")]
    assert "Riverton" in head[0]
    assert "times in " in head[1]
    assert len(head[1].split("; times in ")[0]) > 5, "what was asked for"
    (model,) = [line for line in head if line.startswith("Model: ")]
    assert len(model) > len("Model: ")
    assert any(line.startswith("Generated at 2") for line in head)


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(FILES))
def test_no_cell_of_any_file_is_a_formula(scene: Scene, sign_in: SignIn, name: str) -> None:
    kind, body = fetched(scene, sign_in, name)
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
    rooms = ("agencies", "ingestion", "forecasting", "patrols", "tactics", "missions_project")
    for path in sorted(path for room in rooms for path in (ROOT / room).rglob("*.py")):
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
