"""A model's life: trained, approved, retired, refused; by whom, when and why; and what can never happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, CrimeType, Shift, User
from forecasting.artefacts import artefacts_forget
from forecasting.models import ForecastRun, ModelPolicy, ModelVersion
from forecasting.selectors import live_version, model_policy, waiting_versions
from forecasting.services import (
    forecast_run,
    forecast_run_queue,
    grid_build,
    model_approve,
    model_policy_ensure,
    model_refuse,
    model_roll_back,
    training_approve,
    training_run_execute,
    training_run_queue,
)
from missions_project.lib.errors import MissionsError
from tests.forecasting.scenes import Scene

State = ModelVersion.State
SignIn = Callable[[User | None], Client]


def another(of: ModelVersion, number: int = 2, **fields: Any) -> ModelVersion:
    """A version of the same type and with the same file, trained later; waiting unless told otherwise."""
    names = ("agency", "crime_type", "run", "grid", "champion", "beats_baseline", "is_baseline", "artefact",
             "artefact_hash", "summary", "trained_from", "trained_to", "n_incidents", "data_hash")  # fmt: skip
    same = {name: getattr(of, name) for name in names}
    return ModelVersion.objects.create(**(same | {"number": number, "state": State.TRAINED} | fields))


def retired(of: ModelVersion, number: int = 2, **fields: Any) -> ModelVersion:
    now = timezone.now()
    return another(of, number, **({"state": State.RETIRED, "approved_at": now, "retired_at": now} | fields))


def events(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=f"modelversion.{action}"))


@pytest.fixture
def admin_person(scene: Scene, member: Callable[[str], User]) -> User:
    return member("admin")


@pytest.fixture
def damaged_file(scene: Scene) -> Iterator[Callable[[str], None]]:
    """A function that damages the burglary model's file; put right again afterwards."""
    path = Path(settings.ARTEFACT_DIR) / scene.version().artefact
    kept = path.read_bytes()

    def damage(how: str) -> None:
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))

    yield damage
    path.write_bytes(kept)
    artefacts_forget()


def test_by_default_the_better_of_champion_and_plain_count_goes_live_by_itself(scene: Scene) -> None:
    training_run_execute(run=training_run_queue(agency=scene.agency, seed=2))
    live = scene.version()
    assert (live.number, live.state, live.approved_by) == (2, State.LIVE, None)
    assert live.approved_at is not None
    assert "policy" in live.approval_note
    old = ModelVersion.objects.get(crime_type=live.crime_type, number=1)
    assert old.state == State.RETIRED
    assert old.retired_at is not None
    assert {event.subject for event in events("went_live")} >= {str(live)}
    assert ModelPolicy.objects.get(agency=scene.agency).go_live == ModelPolicy.GoLive.AUTOMATIC


def test_under_approval_a_training_changes_nothing_until_a_person_decides(
    scene: Scene, admin_person: User
) -> None:
    ModelPolicy.objects.update_or_create(
        agency=scene.agency, defaults={"go_live": ModelPolicy.GoLive.APPROVAL}
    )
    run = training_run_execute(run=training_run_queue(agency=scene.agency, seed=2))
    assert {row.state for row in run.versions.all()} == {State.TRAINED}
    assert scene.version().number == 1
    assert "waits for approval" in run.log
    versions = training_approve(run=run, actor=admin_person, note="Looked at all three.")
    assert {row.number for row in versions} == {2}
    assert {row.approved_by for row in versions} == {admin_person}
    assert ModelVersion.objects.live().filter(agency=scene.agency, run=run).count() == 3
    with pytest.raises(MissionsError, match="no version that waits"):
        training_approve(run=run, actor=admin_person)


def test_where_nothing_is_approved_yet_a_forecast_says_so(scene: Scene) -> None:
    now = timezone.now()
    ModelVersion.objects.filter(agency=scene.agency).update(state=State.TRAINED, approved_at=None)
    run = forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on)
    with pytest.raises(MissionsError, match=r"none of them is approved. Next step: .*approve"):
        forecast_run(run=run)
    one = scene.crime_type()
    ModelVersion.objects.filter(crime_type=one).update(state=State.LIVE, approved_at=now)
    again = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on))
    assert list(again.counts) == ["burglary"]
    assert "waits for approval" in again.log
    assert set(waiting_versions(scene.agency)) == {
        scene.crime_type("robbery").pk,
        scene.crime_type("motor-vehicle-theft").pk,
    }


def test_an_approval_names_the_person_and_leaves_an_audit_event(scene: Scene, admin_person: User) -> None:
    old = scene.version()
    new = model_approve(version=another(old), actor=admin_person, note="Better at night.", replaces=old)
    assert (new.state, new.approved_by, new.approval_note) == (State.LIVE, admin_person, "Better at night.")
    assert live_version(new.crime_type) == new
    (event,) = events("approved")
    assert (event.actor, event.subject) == (admin_person, str(new))
    assert event.detail["note"] == "Better at night."
    assert event.detail["replaces"] == str(old)
    run = forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on))
    assert run.config_snapshot["models"]["burglary"]["version"] == 2


@pytest.mark.parametrize("where", ["service", "database"])
def test_a_learned_model_that_lost_to_the_plain_count_never_goes_live(scene: Scene, where: str) -> None:
    loser = another(scene.version(), champion="boosting", beats_baseline=False, is_baseline=False)
    if where == "service":
        with pytest.raises(MissionsError, match=r"no better than the best plain count.* Next step: "):
            model_approve(version=loser, actor=None, replaces=scene.version())
    else:
        ModelVersion.objects.filter(pk=scene.version().pk).update(
            state=State.RETIRED, retired_at=timezone.now()
        )
        with pytest.raises(IntegrityError, match="no_losing_model_live"), transaction.atomic():
            ModelVersion.objects.filter(pk=loser.pk).update(state=State.LIVE, approved_at=timezone.now())
    loser.refresh_from_db()
    assert loser.state == State.TRAINED


def test_one_training_is_approved_as_a_whole_or_not_at_all(scene: Scene, admin_person: User) -> None:
    first, second = scene.version("burglary"), scene.version("robbery")
    good = another(first)
    another(second, champion="boosting", beats_baseline=False, is_baseline=False)
    with pytest.raises(MissionsError, match="no better than"):
        training_approve(run=scene.training, actor=admin_person)
    good.refresh_from_db()
    assert good.state == State.TRAINED
    assert scene.version("burglary") == first
    assert not events("approved")


def test_of_two_approvals_at_once_the_second_is_told_to_look_again(scene: Scene) -> None:
    seen = scene.version()
    mine, theirs = another(seen, 2), another(seen, 3)
    model_approve(version=mine, actor=None, replaces=seen)
    with pytest.raises(MissionsError, match=r"is live now: somebody decided.*Next step: look"):
        model_approve(version=theirs, actor=None, replaces=seen)
    assert scene.version() == mine
    stale = ModelVersion.objects.get(pk=theirs.pk)
    model_refuse(version=ModelVersion.objects.get(pk=theirs.pk), actor=None, note="No.")
    with pytest.raises(MissionsError, match="Somebody else decided about"):
        model_approve(version=stale, actor=None, replaces=mine)
    with pytest.raises(MissionsError, match="no longer waits"):
        model_refuse(version=stale, actor=None, note="No.")
    assert scene.version() == mine


@pytest.mark.django_db(transaction=True)
def test_two_people_who_click_at_the_same_instant_get_one_live_model(
    transactional_db: None, scene: Scene
) -> None:
    seen = scene.version()
    versions = [another(seen, number) for number in (2, 3)]
    together = Barrier(2)

    def click(version: ModelVersion) -> str:
        try:
            together.wait()
            model_approve(version=ModelVersion.objects.get(pk=version.pk), actor=None, replaces=seen)
        except MissionsError as error:
            return str(error)
        finally:
            connection.close()
        return "live"

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(click, versions))
    assert answers.count("live") == 1, answers
    assert sum("meanwhile" in answer for answer in answers) == 1, answers
    assert ModelVersion.objects.live().filter(crime_type=seen.crime_type).count() == 1


def test_a_roll_back_returns_to_an_earlier_version_and_says_why(scene: Scene, admin_person: User) -> None:
    old = scene.version()
    new = model_approve(version=another(old), actor=None, replaces=old)
    old.refresh_from_db()
    with pytest.raises(MissionsError, match="needs its reason"):
        model_roll_back(version=old, actor=admin_person, note=" ", replaces=new)
    back = model_roll_back(version=old, actor=admin_person, note="Too many alarms.", replaces=new)
    assert (back.state, back.number, back.retired_at) == (State.LIVE, 1, None)
    new.refresh_from_db()
    assert new.state == State.RETIRED
    (event,) = events("rolled_back_to")
    assert event.detail["note"] == "Too many alarms."
    with pytest.raises(MissionsError, match="live before"):
        model_roll_back(version=another(old, 5), actor=None, note="x", replaces=back)


@pytest.mark.parametrize(
    ("how", "words"), [("missing", "cannot be read"), ("changed", "fingerprint differs")]
)
def test_a_roll_back_to_a_file_that_is_missing_or_was_changed_is_refused_with_the_next_step(
    scene: Scene, damaged_file: Callable[[str], None], how: str, words: str
) -> None:
    earlier = retired(scene.version())
    # Even though this process still has the model in its memory.
    damaged_file(how)
    with pytest.raises(MissionsError, match=rf"{words}.*Next step: .*[Tt]rain"):
        model_roll_back(version=earlier, actor=None, note="Back.", replaces=scene.version())
    earlier.refresh_from_db()
    assert earlier.state == State.RETIRED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("grid", "another grid"),
        ("shift", "shifts were changed"),
        ("type", "no longer an active crime type"),
        ("library", r"made with scikit-learn 0\.1"),
    ],
)
def test_a_version_that_does_not_fit_the_present_set_up_cannot_return(
    scene: Scene, change: str, words: str
) -> None:
    live = scene.version()
    fields: dict[str, Any] = {}
    if change == "library":
        fields["summary"] = live.summary | {"library": "scikit-learn 0.1"}
        artefacts_forget()
    earlier = retired(live, **fields)
    if change == "grid":
        scene.agency.cell_size_m = 500
        scene.agency.save()
        grid_build(agency=scene.agency)
    if change == "shift":
        Shift.objects.filter(agency=scene.agency, slug="day").update(duration_minutes=300)
    if change == "type":
        CrimeType.objects.filter(agency=scene.agency, slug="robbery").update(is_active=False)
    with pytest.raises(MissionsError, match=words):
        model_roll_back(version=earlier, actor=None, note="Back.", replaces=live)


def test_a_refusal_needs_a_reason_and_is_final(scene: Scene, admin_person: User) -> None:
    waiting = another(scene.version())
    with pytest.raises(MissionsError, match="needs its reason"):
        model_refuse(version=waiting, actor=admin_person, note="")
    refused = model_refuse(version=waiting, actor=admin_person, note="Wrong weeks.")
    assert (refused.state, refused.approved_by) == (State.REFUSED, admin_person)
    with pytest.raises(MissionsError, match="was refused: Wrong weeks"):
        model_approve(version=refused, actor=admin_person, replaces=scene.version())


@pytest.mark.parametrize(
    "broken",
    [
        {"state": State.LIVE, "approved_at": timezone.now()},
        {"state": State.RETIRED, "approved_at": timezone.now()},
        {"state": State.TRAINED, "approved_at": timezone.now()},
        {"state": State.REFUSED},
    ],
)
def test_the_database_refuses_a_state_that_contradicts_itself(scene: Scene, broken: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        another(scene.version(), **broken)


def test_the_policy_is_one_an_agency_and_its_limits_agree(scene: Scene) -> None:
    policy = model_policy_ensure(agency=scene.agency)
    assert model_policy_ensure(agency=scene.agency) == policy == model_policy(scene.agency)
    policy.tolerated_percent = policy.departure_percent
    with pytest.raises(ValidationError, match="smaller than the departure"):
        policy.full_clean()


def test_a_decision_costs_few_queries(scene: Scene, django_assert_max_num_queries: Any) -> None:
    old = scene.version()
    new = another(old)
    with django_assert_max_num_queries(18):
        model_approve(version=new, actor=None, replaces=old)


# The admin


def press(client: Client, version: ModelVersion, button: str, **data: Any) -> Any:
    return client.post(
        reverse(f"admin:forecasting_modelversion_{button}", args=[version.pk]), data, follow=True
    )


def test_the_owner_approves_refuses_and_rolls_back_on_the_versions_page(
    scene: Scene, admin_person: User, sign_in: SignIn
) -> None:
    client, old = sign_in(admin_person), scene.version()
    waiting = another(old)
    address = reverse("admin:forecasting_modelversion_change", args=[waiting.pk])
    page = client.get(address).content.decode()
    assert 'value="Approve"' in page
    assert 'value="Refuse"' in page
    assert f'name="replaces" value="{old.pk}"' in page
    page = press(client, waiting, "approve", note="Yes.", replaces=old.pk).content.decode()
    assert "is live now" in page
    assert scene.version() == waiting
    page = client.get(reverse("admin:forecasting_modelversion_change", args=[old.pk])).content.decode()
    assert 'value="Roll back to this version"' in page
    page = press(client, old, "roll_back", note="No after all.", replaces=waiting.pk).content.decode()
    assert "is live again" in page
    page = press(client, another(old, 3), "refuse", note="Worse at night.").content.decode()
    assert "stays out of service" in page
    # What the page no longer shows as live is not replaced.
    page = press(client, another(old, 4), "approve", replaces=waiting.pk).content.decode()
    assert "somebody decided" in page
    assert scene.version() == old


def test_the_page_of_a_losing_model_says_why_there_is_no_button(
    scene: Scene, admin_person: User, analyst: User, sign_in: SignIn
) -> None:
    loser = another(scene.version(), champion="boosting", beats_baseline=False, is_baseline=False)
    address = reverse("admin:forecasting_modelversion_change", args=[loser.pk])
    page = sign_in(admin_person).get(address).content.decode()
    assert "It cannot be approved" in page
    assert 'value="Approve"' not in page
    card = reverse("forecasting:model", args=[scene.agency.slug, "burglary"])
    assert "cannot be approved: it lost" in sign_in(analyst).get(card, {"v": 2}).content.decode()
    assert "no better than" in press(sign_in(admin_person), loser, "approve").content.decode()


@pytest.mark.parametrize("button", ["approve", "roll_back", "refuse"])
def test_only_administrators_press_the_buttons_and_strangers_find_nothing(
    scene: Scene, colleague_like: User, stranger: User, analyst: User, sign_in: SignIn, button: str
) -> None:
    version = another(scene.version())
    address = reverse(f"admin:forecasting_modelversion_{button}", args=[version.pk])
    data = {"note": "x", "replaces": scene.version().pk}
    for person, wanted in ((stranger, 404), (colleague_like, 403), (analyst, 403), (None, 302)):
        answer = sign_in(person).post(address, data)
        # Somebody signed in without the role is sent to the admin's own door, which refuses them.
        final = (
            sign_in(person).post(address, data, follow=True)
            if person and answer.status_code == 302
            else answer
        )
        assert final.status_code == wanted, person
    assert sign_in(stranger).get(address).status_code == 404
    version.refresh_from_db()
    assert version.state == State.TRAINED


@pytest.fixture
def colleague_like(supervisor: User) -> User:
    """A colleague in the scene's own agency."""
    return supervisor


def test_the_list_filters_by_state_and_approves_whole_trainings(
    scene: Scene, admin_person: User, sign_in: SignIn
) -> None:
    client = sign_in(admin_person)
    for slug in ("burglary", "robbery"):
        another(scene.version(slug))
    listed = client.get(reverse("admin:forecasting_modelversion_changelist"), {"state__exact": "trained"})
    assert listed.context["cl"].result_count == 2
    trainings = reverse("admin:forecasting_trainingrun_changelist")
    chosen = {"action": "approve_all", "_selected_action": [scene.training.pk]}
    page = client.post(trainings, chosen, follow=True).content.decode()
    assert "Live now:" in page
    assert {scene.version(slug).number for slug in ("burglary", "robbery")} == {2}
    page = client.post(trainings, chosen, follow=True).content.decode()
    assert "no version that waits for approval" in page


def test_the_policy_is_changed_in_the_admin_and_the_change_is_kept(
    scene: Scene, admin_person: User, stranger: User, sign_in: SignIn
) -> None:
    ModelPolicy.objects.filter(agency=scene.agency).delete()
    client = sign_in(admin_person)
    client.get(reverse("admin:forecasting_modelpolicy_changelist"))
    policy = ModelPolicy.objects.get(agency=scene.agency)
    address = reverse("admin:forecasting_modelpolicy_change", args=[policy.pk])
    data = {"go_live": "approval", "settle_days": 21, "departure_percent": 30, "tolerated_percent": 5,
            "false_alarm_percent": 2, "refit_days": 7, "refit_time": "04:30"}  # fmt: skip
    assert client.post(address, data).status_code == 302
    policy.refresh_from_db()
    assert (policy.go_live, policy.settle_days) == ("approval", 21)
    assert AuditEvent.objects.filter(action="modelpolicy.changed").exists()
    wrong = client.post(address, data | {"tolerated_percent": 30})
    assert "smaller than the departure" in wrong.content.decode()
    assert client.get(reverse("admin:forecasting_modelpolicy_add")).status_code == 403
    assert sign_in(stranger).get(address).status_code in (302, 404)


def test_the_lists_cost_the_same_for_many_versions(
    scene: Scene, admin_person: User, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    for number in range(2, 12):
        another(scene.version(), number)
    client = sign_in(admin_person)
    with django_assert_max_num_queries(18):
        assert client.get(reverse("admin:forecasting_modelversion_changelist")).status_code == 200


def test_a_forecast_that_was_made_keeps_its_version_after_a_roll_back(scene: Scene) -> None:
    old = scene.version()
    model_approve(version=another(old), actor=None, replaces=old)
    run = ForecastRun.objects.get(pk=scene.run.pk)
    assert run.surfaces.get(crime_type=old.crime_type).model_version_id == old.pk
