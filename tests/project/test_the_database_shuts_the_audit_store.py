"""Where forecasts and plans are made, PostgreSQL shows no row of the audit store, however it is asked; its own selectors alone open it.

The import contracts keep code from naming the store. What they cannot see (raw SQL, a relation followed backwards, a model
asked for by its name) finds it empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import shared_task
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import EVERYONE, agency_page
from agencies.models import Agency, User
from forecasting.models import ForecastRun, TrainingRun
from ingestion.api.access import AgencyView
from ingestion.audit.models import AuditArea, AuditTable
from ingestion.audit.selectors import audit_areas, audit_tables
from ingestion.models import ImportRun
from ingestion.services.agency_keys import agency_key_create
from missions_project.lib import walls
from missions_project.lib.runs import run_execution
from missions_project.operations.row_policies import IS_OWN, all_tables, walls_build
from patrols.models import MissionPlan
from tactics.models import ImpactReport, TransparencyPack
from tests.agencies.rows import make_row
from tests.operations.test_rows_stay_behind_the_wall import raw

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
RUNS = (TrainingRun, ForecastRun, MissionPlan, ImportRun, ImpactReport, TransparencyPack)


@pytest.fixture
def table(agency: Agency) -> AuditTable:
    """The agency's one demographic table, with one area."""
    made = make_row(AuditTable, agency)
    make_row(AuditArea, agency)
    return made  # type: ignore[no-any-return]


def seen(agency: Agency) -> dict[str, int]:
    """How many rows of the store are seen by each way that no import contract knows of."""
    (by_name,) = raw(
        "SELECT (SELECT count(*) FROM ingestion_audit_audittable), (SELECT count(*) FROM ingestion_audit_auditarea)"
    )
    return {
        "tables in SQL": by_name[0],
        "areas in SQL": by_name[1],
        "in a join": raw("SELECT count(*) FROM agencies_agency a JOIN ingestion_audit_auditarea b ON b.agency_id = a.id")[0][0],
        "from the agency": agency.audittable_set.count(),
        "by the model's name": apps.get_model("ingestion_audit", "AuditArea")._default_manager.count(),
    }  # fmt: skip


ALL = {"tables in SQL": 1, "areas in SQL": 1, "in a join": 1, "from the agency": 1, "by the model's name": 1}
NONE = dict.fromkeys(ALL, 0)


@pytest.mark.parametrize("model", RUNS, ids=lambda model: model.__name__)
def test_no_run_sees_a_row_of_the_store_nor_writes_one(
    agency: Agency, table: AuditTable, model: type[Any]
) -> None:
    run = make_row(model, agency)
    model.objects.filter(pk=run.pk).update(status="queued")
    assert seen(agency) == ALL
    with run_execution(run):
        assert seen(agency) == NONE
        # The agency's other rows are there, and so is the store for its own selectors.
        assert agency.beat_set.exists()
        assert [one.n_areas for one in audit_tables(agency)] == [1]
        assert len(audit_areas(agency, table)) == 1
        assert seen(agency) == NONE, "what a selector opens it also shuts"
        assert AuditTable.objects.update(name="taken") == 0
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            make_row(AuditTable, agency)
        assert seen(agency) == NONE, "a part of a transaction that failed opens nothing"
    assert seen(agency) == ALL


def test_the_selectors_show_no_other_agencys_rows(agency: Agency, table: AuditTable, stranger: User) -> None:
    with walls.within(walls.of_person(stranger.pk)):
        assert audit_tables(agency) == []
        assert audit_areas(agency, table) == []


@shared_task
def ask_task(agency_id: int) -> dict[str, int]:
    return seen(Agency.objects.get(pk=agency_id))


def test_no_task_of_a_worker_sees_a_row_of_the_store(agency: Agency, table: AuditTable) -> None:
    make_row(AuditTable, agency)
    assert walls.scope() == walls.EVERYTHING
    # As a worker does it, and as a page does that has no worker.
    assert ask_task.apply(args=[agency.pk]).get() == NONE
    assert ask_task(agency.pk) == NONE
    assert seen(agency)["tables in SQL"] == 2


def test_every_task_is_of_the_kind_that_shuts_the_store() -> None:
    from missions_project.celery import app
    from missions_project.lib.sending import RowTask

    app.loader.import_default_modules()
    ours = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
    assert len(ours) > 20
    assert [name for name, task in ours.items() if not isinstance(task, RowTask)] == []


def test_no_page_of_an_agency_and_no_key_sees_a_row_of_the_store(
    agency: Agency, table: AuditTable, owner: User, sign_in: Callable[[User | None], Client], settings: Any
) -> None:
    key = agency_key_create(agency=agency, made_by=owner, scope="patrols", name="box", days=3)[1]
    client = sign_in(owner)
    # The page of the store itself asks its selectors.
    assert table.name in client.get(f"/{agency.slug}/data/audit-store/").content.decode()
    settings.ROOT_URLCONF = __name__
    assert client.get(f"/{agency.slug}/page/").content.decode() == str(NONE)
    assert client.get(f"/{agency.slug}/api/").json() == NONE
    machine = Client(headers={"authorization": f"Token {key}"})
    assert machine.get(f"/{agency.slug}/api/").json() == NONE


def test_it_is_the_policy_that_shuts_it(agency: Agency, table: AuditTable) -> None:
    """Without it the same questions find the rows: otherwise their silence would say nothing."""
    run = make_row(ForecastRun, agency)
    ForecastRun.objects.filter(pk=run.pk).update(status="queued")
    tables = {
        name: condition for name, condition in all_tables().items() if name.startswith("ingestion_audit")
    }
    assert len(tables) == 2
    raw("SET CONSTRAINTS ALL IMMEDIATE")
    walls_build(connection, dict.fromkeys(tables, IS_OWN))
    with run_execution(run):
        assert seen(agency) == ALL
        walls_build(connection, tables)
        assert seen(agency) == NONE


def test_who_deletes_a_person_or_an_agency_reaches_the_store(
    agency: Agency, table: AuditTable, owner: User
) -> None:
    AuditTable.objects.update(imported_by=owner)
    with walls.within(walls.of_person(owner.pk)):
        assert seen(agency) == ALL
    raw("SET CONSTRAINTS ALL IMMEDIATE")
    owner.delete()
    assert AuditTable.objects.get().imported_by is None
    assert raw("SELECT count(*) FROM ingestion_audit_auditarea") == [(1,)]


@agency_page(EVERYONE)
def page(request: Any, access: Any) -> HttpResponse:
    return HttpResponse(str(seen(access.agency)))


class Asked(AgencyView):
    def get(self, request: Request, agency_slug: str) -> Response:
        return Response(seen(self.agency))


urlpatterns = [path("<slug:agency_slug>/page/", page), path("<slug:agency_slug>/api/", Asked.as_view())]
