"""Who may see which address of the risk map: owner, colleague, officer, stranger, nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, User
from forecasting.models import ForecastRun
from tests import factories
from tests.forecasting.scenes import Scene

SignIn = Callable[[User | None], Client]

PAGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "risk": ("risk", {}, "risk"),
    "png": ("risk_png", {"run_id": 0, "slug": "burglary"}, "risk"),
    "top": ("risk_top", {"run_id": 0, "slug": "harm"}, "risk"),
    "cell": ("risk_cell", {"run_id": 0, "slug": "burglary"}, "risk"),
    "cells": ("risk_cells", {"run_id": 0, "slug": "burglary"}, "risk"),
    "csv": ("risk_csv", {"run_id": 0, "slug": "burglary"}, "export"),
    "geojson": ("risk_geojson", {"run_id": 0, "slug": "harm"}, "export"),
    "incidents": ("layer_incidents", {}, "risk"),
    "model": ("model", {"slug": "burglary"}, "risk"),
    "svg": ("model_svg", {"slug": "burglary", "number": 1}, "risk"),
    "layer index": ("layer_index", {}, "everyone"),
    "boundary": ("layer_boundary", {}, "everyone"),
    "districts": ("layer_districts", {}, "everyone"),
    "beats": ("layer_beats", {}, "everyone"),
    "context": ("layer_context", {"slug": "bars"}, "everyone"),
    "tables": ("layer_tables", {}, "everyone"),
    "incidents' table": ("layer_table_incidents", {}, "risk"),
    "boundary's table": ("layer_table", {"layer": "boundary"}, "everyone"),
    "districts' table": ("layer_table", {"layer": "districts"}, "everyone"),
    "beats' table": ("layer_table", {"layer": "beats"}, "everyone"),
    "context's table": ("layer_table_context", {"slug": "bars"}, "everyone"),
}
ALLOWED = {
    "risk": {"admin", "supervisor", "analyst", "auditor"},
    "export": {"admin", "analyst", "auditor"},
    "everyone": {"admin", "supervisor", "analyst", "auditor", "officer"},
}


def address(scene: Scene, page: str, agency: Agency | None = None) -> str:
    name, arguments, _ = PAGES[page]
    filled = arguments | ({"run_id": scene.run.pk} if "run_id" in arguments else {})
    url = reverse(f"forecasting:{name}", kwargs={"agency_slug": (agency or scene.agency).slug, **filled})
    return f"{url}?cell=15" if page == "cell" else url


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


@pytest.mark.parametrize("role", ["admin", "supervisor", "analyst", "auditor", "officer"])
def test_members_see_what_their_role_may(
    scene: Scene, sign_in: SignIn, member: Callable[[str], User], role: str
) -> None:
    client = sign_in(member(role))
    for page, (_, _, needs) in PAGES.items():
        response = client.get(address(scene, page))
        assert response.status_code == (200 if role in ALLOWED[needs] else 403), page
        assert body(response) or response.status_code == 403


def test_a_stranger_and_nobody_see_nothing(scene: Scene, sign_in: SignIn) -> None:
    other = factories.make_agency("lakeside")
    stranger = factories.make_member(other, "admin", username="stranger")
    for page in PAGES:
        assert sign_in(stranger).get(address(scene, page)).status_code == 404, page
        anonymous = sign_in(None).get(address(scene, page))
        assert anonymous.status_code == 302, page
        assert "/accounts/login/" in anonymous["Location"]


def test_a_forecast_of_another_agency_does_not_exist_under_ones_own_address(
    scene: Scene, sign_in: SignIn
) -> None:
    other = factories.make_agency("lakeside")
    client = sign_in(factories.make_member(other, "admin", username="stranger"))
    for page in ("png", "top", "cell", "csv", "geojson", "svg", "context", "cells", "context's table"):
        assert client.get(address(scene, page, other)).status_code == 404, page
    run_id = scene.run.pk
    layer = reverse("forecasting:layer_incidents", args=[other.slug])
    assert client.get(f"{layer}?run={run_id}").status_code == 404
    table = reverse("forecasting:layer_table_incidents", args=[other.slug])
    assert client.get(f"{table}?run={run_id}").status_code == 404


@pytest.mark.parametrize(
    ("role", "status"),
    [("admin", 302), ("analyst", 302), ("supervisor", 302), ("auditor", 403), ("officer", 403)],
)
def test_only_those_who_run_shifts_or_analyse_may_forecast(
    scene: Scene, sign_in: SignIn, member: Callable[[str], User], role: str, status: int
) -> None:
    before = ForecastRun.objects.count()
    url = reverse("forecasting:risk_forecast", args=[scene.agency.slug])
    response = sign_in(member(role)).post(url, {"shift": "evening", "date": scene.run.on.isoformat()})
    assert response.status_code == status
    assert ForecastRun.objects.count() - before == (status == 302)


def test_the_admin_shows_an_administrator_their_own_rows_only(scene: Scene, sign_in: SignIn) -> None:
    owner = factories.make_member(scene.agency, "admin", username="owner")
    stranger = factories.make_member(factories.make_agency("lakeside"), "admin", username="stranger")
    rows = {
        "grid": scene.grid.pk,
        "trainingrun": scene.training.pk,
        "modelversion": scene.version().pk,
        "forecastrun": scene.run.pk,
        "risksurface": scene.run.surfaces.all()[0].pk,
    }
    for model, pk in rows.items():
        change = reverse(f"admin:forecasting_{model}_change", args=[pk])
        assert sign_in(owner).get(change).status_code == 200, model
        assert sign_in(owner).get(reverse(f"admin:forecasting_{model}_changelist")).status_code == 200, model
        assert sign_in(owner).post(change, {}).status_code in (200, 403), model
        # The admin sends a person who may not know of a row back to its start page.
        assert sign_in(stranger).get(change).status_code == 302, model


def test_the_admin_buttons_queue_for_ones_own_agency_only(
    scene: Scene, sign_in: SignIn, django_capture_on_commit_callbacks: Any
) -> None:
    owner = factories.make_member(scene.agency, "admin", username="owner")
    stranger = factories.make_member(factories.make_agency("lakeside"), "admin", username="stranger")
    url = reverse("admin:forecasting_forecastrun_queue")
    with django_capture_on_commit_callbacks(execute=True):
        response = sign_in(owner).post(url, {"agency": scene.agency.pk})
    newest = ForecastRun.objects.order_by("-pk").first()
    assert newest is not None
    assert response["Location"] == reverse("admin:forecasting_forecastrun_change", args=[newest.pk])
    assert newest.status == "succeeded"
    assert newest.requested_by == owner
    assert sign_in(stranger).post(url, {"agency": scene.agency.pk}).status_code == 404
    assert sign_in(owner).get(url).status_code == 404
    assert (
        sign_in(owner).post(reverse("admin:forecasting_grid_queue"), {"agency": scene.agency.pk}).status_code
        == 302
    )
