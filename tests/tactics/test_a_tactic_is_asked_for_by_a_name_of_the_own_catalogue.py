"""Who adds a mission or a place may ask for a tactic of the agency's own catalogue; a name that only another agency's has is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from missions_project.lib.errors import MissionsError
from patrols.models import Addition, Mission
from patrols.services import missions_add
from tactics.models import Tactic
from tests.api.scenes import ApiScene, make_api_scene
from tests.factories import make_agency, rectangle

pytestmark = pytest.mark.django_db
THEIRS, OURS = "night-stall", "park-walk"


@pytest.fixture
def scene() -> ApiScene:
    made = make_api_scene()
    for agency, slug in ((made.agency, OURS), (make_agency("lakeside"), THEIRS)):
        Tactic.objects.create(agency=agency, name=slug, slug=slug, steps="Walk.")
    return made


def place(scene: ApiScene) -> dict[str, Any]:
    """The middle of a box of beat 11 without a mission."""
    taken = {mission.cell_id for mission in scene.missions()}
    lon, lat = scene.scene.spec.centres_lonlat()
    at = next(
        n
        for n, cell in enumerate(scene.scene.spec.cells.tolist())
        if cell not in taken and n % 17 < 6 and n > 34
    )
    return {"type": "Point", "coordinates": [float(lon[at]), float(lat[at])]}


@pytest.mark.parametrize(
    ("tactic", "is_kept"), [(OURS, True), ("", True), (THEIRS, False), ("nobodys", False)]
)
def test_a_mission(scene: ApiScene, tactic: str, is_kept: bool) -> None:
    before = Mission.objects.count()
    asked: dict[str, Any] = {
        "plan": scene.plan, "area": place(scene), "crime_type": scene.agency.crimetype_set.all()[0], "dose_minutes": 12,
        "starts_at": timezone.now() + dt.timedelta(minutes=30), "reason": "broken lamps", "actor": scene.people["supervisor"],
    }  # fmt: skip
    if is_kept:
        assert [row.tactic for row in missions_add(**asked, tactic=tactic)] == [tactic]
        return
    with pytest.raises(MissionsError, match=f"has no tactic “{tactic}”"):
        missions_add(**asked, tactic=tactic)
    assert Mission.objects.count() == before


@pytest.mark.parametrize(("tactic", "status"), [(OURS, 201), ("", 201), (THEIRS, 409)])
def test_a_place_by_the_api(scene: ApiScene, tactic: str, status: int) -> None:
    sent = {
        "geometry": rectangle(300, 300, 500, 500), "crime_type": "robbery", "reason": "broken lamps", "tactic": tactic,
        "expires_at": (timezone.now() + dt.timedelta(days=2)).isoformat(),
    }  # fmt: skip
    answer = scene.send("patrols key", "additions/", sent)
    assert answer.status_code == status, answer.content
    assert Addition.objects.filter(reason="broken lamps", tactic=tactic).exists() == (status == 201)


def test_a_place_in_the_admin_and_a_name_that_has_left_the_catalogue(scene: ApiScene) -> None:
    row = Addition.objects.get(agency=scene.agency)
    client, address = scene.client("admin"), reverse("admin:patrols_addition_change", args=[row.pk])
    form = client.get(address).context["adminform"].form
    sent = {bound.html_name: bound.value() for bound in form if bound.value() is not None}
    sent = {name: value for name, value in sent.items() if name not in ("starts_at", "expires_at")}
    for name in ("starts_at", "expires_at"):
        for part, text in enumerate(form[name].field.widget.decompress(form[name].value())):
            sent[f"{name}_{part}"] = text
    answer = client.post(address, sent | {"tactic": THEIRS, "change_reason": "tried"})
    assert "has no tactic" in str(answer.context["adminform"].form.errors["tactic"])
    assert client.post(address, sent | {"tactic": OURS, "change_reason": "tried"}).status_code == 302
    row.refresh_from_db()
    assert row.tactic == OURS
    Tactic.objects.filter(slug=OURS).delete()
    later = sent | {"tactic": OURS, "reason": "still broken lamps", "change_reason": "tried"}
    assert client.post(address, later).status_code == 302
    row.refresh_from_db()
    assert row.reason == "still broken lamps"
