"""Plans in the admin: the next one is queued and watched, a draft is published, a replay proves or accuses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client

from agencies.models import Agency, AuditEvent, Beat, CrimeType, Shift, User
from forecasting.engine.grid import GridSpec
from missions_project.lib.runs import RunStatus
from patrols.admin import plans as plans_admin
from patrols.engine.plan import DesignPolicy, design_digest, design_to_bytes, plan_draw
from patrols.models import Engagement, Mission, MissionPlan
from patrols.replays import plan_differences
from tests.tactics import factories

SignIn = Callable[[User | None], Client]
PLANS = "/admin/patrols/missionplan/"


@pytest.fixture
def drawn(agency: Agency) -> MissionPlan:
    """A draft plan with a real design: 3 missions in each of two beats, drawn from seed 7."""
    plan = factories.make_plan(agency, state=MissionPlan.State.DRAFT)
    assert plan.grid is not None
    spec = GridSpec.from_bytes(bytes(plan.grid.spec))
    x_m, y_m = spec.centres()
    beats = list(Beat.objects.filter(agency=agency)[:2])
    beat_of_cell = np.where(spec.cols < 8, beats[0].pk, beats[1].pk).astype(np.int64)
    nothing = np.zeros(len(spec))
    draw = plan_draw(
        harm=1.0 + np.arange(len(spec)) % 5,
        beat_of_cell=beat_of_cell,
        beat_k={beat.pk: 3 for beat in beats},
        suppressed=np.zeros(len(spec), dtype=np.bool_),
        planned_minutes=nothing,
        days_since_last=np.full(len(spec), np.inf),
        x_m=x_m,
        y_m=y_m,
        shift_minutes=480,
        policy=DesignPolicy(visits_per_cell=1),
        seed=plan.seed,
    )
    plan.design, plan.design_hash = design_to_bytes(draw), design_digest(draw)
    plan.save()
    for number, row in enumerate(draw.drawn_rows.tolist(), start=1):
        start = plan.period_from + dt.timedelta(minutes=int(draw.visit_start_minutes[row, 0]))
        Mission.objects.create(
            agency=agency,
            plan=plan,
            beat_id=int(draw.beat[row]),
            number=number,
            cell_id=int(spec.cells[draw.cell[row]]),
            crime_type=CrimeType.objects.filter(agency=agency).earliest("pk"),
            visit_starts=[start.isoformat()],
            starts_at=start,
            dose_minutes=int(draw.dose_minutes[row]),
            expected=0.01,
            harm=float(draw.harm[row]),
            probability=float(draw.pi[row]),
        )
    return plan


def said(response: Any) -> str:
    """What the page's messages say."""
    return " ".join(str(message) for message in response.context["messages"])


def test_a_replay_finds_an_untouched_plan_identical(drawn: MissionPlan, owner: User, sign_in: SignIn) -> None:
    client = sign_in(owner)
    assert "Check replay" in client.get(f"{PLANS}{drawn.pk}/change/").content.decode()
    response = client.post(f"{PLANS}{drawn.pk}/replay/", follow=True)
    assert "Drawn again from seed 7" in said(response)
    assert AuditEvent.objects.get(action="plan replayed").detail["identical"] is True


@pytest.mark.parametrize("what", ["seed", "digest", "design", "dose", "probability", "moved", "removed"])
def test_a_replay_accuses_whatever_was_changed_afterwards(
    drawn: MissionPlan, owner: User, sign_in: SignIn, what: str
) -> None:
    first = Mission.objects.filter(plan=drawn).earliest("number")
    if what == "seed":
        MissionPlan.objects.filter(pk=drawn.pk).update(seed=8)
    elif what == "digest":
        MissionPlan.objects.filter(pk=drawn.pk).update(design_hash="0" * 64)
    elif what == "design":
        MissionPlan.objects.filter(pk=drawn.pk).update(design=bytes(drawn.design)[:-9])
    elif what == "dose":
        Mission.objects.filter(pk=first.pk).update(dose_minutes=first.dose_minutes + 1)
    elif what == "probability":
        Mission.objects.filter(pk=first.pk).update(probability=0.5)
    elif what == "moved":
        taken = set(Mission.objects.filter(plan=drawn).values_list("cell_id", flat=True))
        Mission.objects.filter(pk=first.pk).update(cell_id=min(set(range(256)) - taken))
    else:
        first.delete()
    response = sign_in(owner).post(f"{PLANS}{drawn.pk}/replay/", follow=True)
    assert "not what its seed gives" in said(response)
    assert plan_differences(MissionPlan.objects.get(pk=drawn.pk))
    assert AuditEvent.objects.get(action="plan replayed").detail["identical"] is False


def test_missions_added_by_a_person_are_no_difference(drawn: MissionPlan) -> None:
    mission = Mission.objects.filter(plan=drawn).earliest("number")
    mission.pk, mission.number = None, 99
    mission.cell_id = 300_000
    mission.source = Mission.Source.ADDED
    mission.save()
    assert plan_differences(drawn) == []


def test_an_unfinished_plan_cannot_be_replayed(drawn: MissionPlan, owner: User, sign_in: SignIn) -> None:
    MissionPlan.objects.filter(pk=drawn.pk).update(status=RunStatus.FAILED)
    response = sign_in(owner).post(f"{PLANS}{drawn.pk}/replay/", follow=True)
    assert "never finished" in said(response)


def test_a_draft_is_published_by_button_or_from_the_list(
    drawn: MissionPlan, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(owner)
    response = client.post(f"{PLANS}{drawn.pk}/publish/", follow=True)
    assert "officers see it now" in said(response)
    drawn.refresh_from_db()
    assert drawn.state == MissionPlan.State.PUBLISHED
    response = client.post(PLANS, {"action": "publish_chosen", "_selected_action": [drawn.pk]}, follow=True)
    assert "no longer a draft" in said(response)


def test_another_agencys_plans_do_not_exist(drawn: MissionPlan, stranger: User, sign_in: SignIn) -> None:
    client = sign_in(stranger)
    for action in ("publish", "replay"):
        assert client.post(f"{PLANS}{drawn.pk}/{action}/").status_code == 404
    assert client.get(f"{PLANS}{drawn.pk}/change/").status_code == 302
    assert client.post(f"{PLANS}plan-next/", {"agency": drawn.agency_id}).status_code == 404
    line = f"{PLANS}line/{drawn.agency_id}/{drawn.shift_id}/{drawn.on.isoformat()}/"
    assert client.get(line).status_code == 404
    drawn.refresh_from_db()
    assert drawn.state == MissionPlan.State.DRAFT
    assert client.get(f"{PLANS}{drawn.pk}/publish/").status_code == 404


def test_the_next_shift_is_queued_after_commit_and_watched(
    agency: Agency, owner: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(plans_admin.run_shift_task, "delay_on_commit", lambda *args: sent.append(args))
    client = sign_in(owner)
    assert "Plan next shift" in client.get(PLANS).content.decode()
    response = client.post(f"{PLANS}plan-next/", {"agency": agency.pk})
    [(agency_id, shift_id, on, person_id)] = sent
    assert (agency_id, person_id) == (agency.pk, owner.pk)
    assert response.url.startswith(f"{PLANS}line/{agency.pk}/{shift_id}/{on}/?since=")  # type: ignore[attr-defined]

    page = client.get(response.url).content.decode()  # type: ignore[attr-defined]
    assert "Waiting for a worker" in page
    assert 'hx-trigger="every 1s"' in page
    shift = Shift.objects.get(pk=shift_id)
    plan = factories.make_plan(agency, shift=shift.slug, state=MissionPlan.State.DRAFT)
    MissionPlan.objects.filter(pk=plan.pk).update(
        on=on, status=RunStatus.FAILED, error="No unit is on duty in any beat."
    )
    live = client.get(response.url, headers={"HX-Request": "true"}).content.decode()  # type: ignore[attr-defined]
    assert "<html" not in live
    assert "No unit is on duty in any beat." in live
    assert "every 1s" not in live, "a line that has ended asks no more"
    MissionPlan.objects.filter(pk=plan.pk).update(status=RunStatus.RUNNING, progress_done=1, progress_total=4)
    assert 'value="25"' in client.get(response.url).content.decode()  # type: ignore[attr-defined]


def test_an_agency_without_shifts_is_told_what_to_do(agency: Agency, owner: User, sign_in: SignIn) -> None:
    Shift.objects.filter(agency=agency).delete()
    response = sign_in(owner).post(f"{PLANS}plan-next/", {"agency": agency.pk}, follow=True)
    assert "Admin → Shifts → Add" in said(response)


@pytest.mark.parametrize("since", ["x", "1e300", "nan", "-1e18"])
def test_a_mangled_address_of_a_line_is_not_found(
    agency: Agency, owner: User, sign_in: SignIn, since: str
) -> None:
    shift = Shift.objects.filter(agency=agency).earliest("pk")
    client = sign_in(owner)
    assert client.get(f"{PLANS}line/{agency.pk}/{shift.pk}/2026-06-10/", {"since": since}).status_code == 404
    assert client.get(f"{PLANS}line/{agency.pk}/{shift.pk}/yesterday/").status_code == 404


def test_records_are_shown_and_cannot_be_changed(drawn: MissionPlan, owner: User, sign_in: SignIn) -> None:
    mission = Mission.objects.filter(plan=drawn).earliest("number")
    Engagement.objects.create(agency=drawn.agency, mission=mission, arrived_at=drawn.period_from)
    client = sign_in(owner)
    for model in ("mission", "assignment", "engagement", "missionplan"):
        path = f"/admin/patrols/{model}/"
        assert client.get(path).status_code == 200
        assert client.get(f"{path}add/").status_code == 403
    assert "there now" in client.get("/admin/patrols/engagement/").content.decode()
    change = f"/admin/patrols/mission/{mission.pk}/change/"
    assert client.get(change).status_code == 200
    assert client.post(change, {"place": "elsewhere"}).status_code == 403


def test_the_button_that_only_draws_queues_a_plan_and_opens_its_run(
    agency: Agency, owner: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(plans_admin.plan_task, "delay_on_commit", sent.append)
    client = sign_in(owner)
    assert f'formaction="{PLANS}draw-next/"' in client.get(PLANS).content.decode()
    response = client.post(f"{PLANS}draw-next/", {"agency": agency.pk})
    plan = MissionPlan.objects.get(agency=agency)
    assert response.url == f"{PLANS}{plan.pk}/change/"  # type: ignore[attr-defined]
    assert (plan.status, plan.requested_by, sent) == (RunStatus.QUEUED, owner, [plan.pk])


def test_a_stranger_draws_no_plan_of_ours(agency: Agency, stranger: User, sign_in: SignIn) -> None:
    assert sign_in(stranger).post(f"{PLANS}draw-next/", {"agency": agency.pk}).status_code == 404
    assert not MissionPlan.objects.filter(agency=agency).exists()
