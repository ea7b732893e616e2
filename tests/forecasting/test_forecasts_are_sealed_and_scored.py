"""The live record: every forecast sealed before its shift, scored after it, and a chain in which tampering shows."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import User
from forecasting import codec
from forecasting.engine.metrics import log_score
from forecasting.models import ForecastRun, ForecastSeal, LiveRecord, LiveScore, ModelPolicy, RiskSurface
from forecasting.selectors import baseline_values, live_card, live_chain, surface_values
from forecasting.selectors.happened import Happened
from forecasting.services import (
    forecast_run,
    forecast_run_queue,
    live_claim,
    live_score,
    model_policy_ensure,
)
from forecasting.services.live import FINAL_AFTER, LEASE
from missions_project import pipeline
from tests.factories import make_member, make_user
from tests.forecasting.scenes import Scene, make_scene
from tests.forecasting.test_drift_is_measured import burglaries

SignIn = Callable[[User | None], Client]
State = ForecastSeal.State


def another(scene: Scene, days: int = 1) -> ForecastRun:
    """One more forecast of the evening so many days from now, sealed on the way."""
    on = (timezone.now() + dt.timedelta(days=days)).date()
    return forecast_run(run=forecast_run_queue(agency=scene.agency, shift=scene.shift, on=on))


def seal_of(run: ForecastRun) -> ForecastSeal:
    return ForecastSeal.objects.filter(run=run).order_by("-number")[0]


def after(run: ForecastRun) -> dt.datetime:
    """A moment at which the run's shift is over and reported."""
    due_at = seal_of(run).due_at
    assert due_at
    return due_at + dt.timedelta(minutes=1)


def chain(scene: Scene, n: int = 4) -> list[ForecastSeal]:
    """A chain of so many seals, the scene's own first."""
    for days in range(2, n + 1):
        another(scene, days)
    return list(ForecastSeal.objects.filter(agency=scene.agency).order_by("number"))


def verify(*words: str) -> str:
    out = StringIO()
    call_command("live_record", "verify", "riverton", *words, stdout=out)
    return out.getvalue()


def test_a_forecast_is_sealed_before_its_shift_with_all_that_made_it(scene: Scene) -> None:
    seal = seal_of(scene.run)
    assert (seal.number, seal.previous, seal.is_late, seal.state) == (1, "", False, State.WAITING)
    assert seal.sealed_at < seal.period_from
    assert seal.due_at == scene.run.period_to + dt.timedelta(days=ModelPolicy().settle_days)
    said = json.loads(seal.statement)
    version = scene.version()
    surface = RiskSurface.objects.get(run=scene.run, crime_type__slug="burglary")
    assert said["types"]["burglary"]["artefact"] == version.artefact_hash
    assert (said["types"]["burglary"]["plain"] is None) == (surface.baseline_values is None)
    assert set(said["types"]) == set(
        RiskSurface.objects.filter(run=scene.run).values_list("crime_type__slug", flat=True)
    )
    assert said["data"] == scene.run.data_hash
    record = LiveRecord.objects.get(agency=scene.agency)
    assert (record.n_seals, record.head) == (1, seal.hash)


def test_each_seal_names_the_one_before(scene: Scene) -> None:
    first, second, third = chain(scene, 3)
    assert [second.previous, third.previous] == [first.hash, second.hash]
    other = make_scene("lakeside")
    assert seal_of(other.run).number == 1
    assert seal_of(other.run).previous == ""


def test_a_forecast_that_fails_leaves_no_seal(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("forecasting.services.forecasts.live_seal", broken)
    with pytest.raises(RuntimeError, match="disk is full"):
        another(scene, 3)
    assert ForecastSeal.objects.filter(agency=scene.agency).count() == 1
    assert not RiskSurface.objects.exclude(run=scene.run).exists()


def test_a_late_forecast_is_kept_and_never_scored(scene: Scene) -> None:
    run = another(scene, -3)
    seal = seal_of(run)
    assert (seal.is_late, seal.state, seal.due_at) == (True, State.LATE, None)
    live_score(agency=scene.agency, now=timezone.now() + dt.timedelta(days=400))
    assert not LiveScore.objects.filter(seal=seal).exists()
    assert verify().count("Made after the shift began") == 1


def test_the_database_does_not_take_a_seal_that_lies_about_the_time(scene: Scene) -> None:
    seal = seal_of(scene.run)
    with pytest.raises(IntegrityError), transaction.atomic():
        ForecastSeal.objects.filter(pk=seal.pk).update(sealed_at=seal.period_from)
    live_score(agency=scene.agency, now=after(scene.run))
    with pytest.raises(IntegrityError), transaction.atomic():
        LiveScore.objects.filter(seal=seal).update(sealed_at=seal.period_from)


def test_a_seal_is_scored_once_its_shift_is_over_and_reported(scene: Scene) -> None:
    burglaries(scene, scene.run, 2)
    assert live_score(agency=scene.agency, now=after(scene.run) - dt.timedelta(hours=1)) == 0
    assert live_score(agency=scene.agency, now=after(scene.run)) == 1
    score = LiveScore.objects.get(crime_type__slug="burglary")
    surface = RiskSurface.objects.get(run=scene.run, crime_type__slug="burglary")
    cells, counts = Happened(scene.agency, scene.grid, scene.run.period_from, scene.run.period_to).during(
        "burglary", scene.run.period_from, scene.run.period_to
    )
    assert (score.crimes, counts.sum()) == (2, 2)
    assert score.log_score == pytest.approx(log_score(surface_values(surface, scene.grid), cells, counts))
    plain = baseline_values(surface, scene.grid)
    assert score.plain_log_score == (
        None if plain is None else pytest.approx(log_score(plain, cells, counts))
    )
    assert (score.version, score.n_cells) == (scene.version(), scene.grid.n_cells)
    assert seal_of(scene.run).state == State.SCORED


def test_late_reports_change_the_final_score_once_and_the_first_never(scene: Scene) -> None:
    burglaries(scene, scene.run, 1)
    live_score(agency=scene.agency, now=after(scene.run))
    first = LiveScore.objects.get(crime_type__slug="burglary")
    burglaries(scene, scene.run, 3, hours=2.0)
    due = after(scene.run)
    live_score(agency=scene.agency, now=due - dt.timedelta(hours=2))
    live_score(agency=scene.agency, now=due)
    final = LiveScore.objects.get(crime_type__slug="burglary")
    assert (final.crimes, final.log_score) == (1, first.log_score)
    assert final.final_crimes == 4
    burglaries(scene, scene.run, 5, hours=3.0)
    assert live_score(agency=scene.agency, now=due + FINAL_AFTER) == 0
    final.refresh_from_db()
    assert final.final_crimes == 4
    assert seal_of(scene.run).state == State.FINAL


def test_of_several_forecasts_the_last_before_the_shift_counts(scene: Scene) -> None:
    later = another(scene, 1)
    live_score(agency=scene.agency, now=after(later))
    assert [seal_of(run).state for run in (scene.run, later)] == [State.SUPERSEDED, State.SCORED]
    assert set(LiveScore.objects.values_list("seal__run", flat=True)) == {later.pk}


def test_scoring_twice_or_after_a_kill_changes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    now = after(scene.run)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("forecasting.services.live.LiveScore.objects.bulk_create", killed)
        with pytest.raises(KeyboardInterrupt):
            live_score(agency=scene.agency, now=now)
    assert seal_of(scene.run).state == State.WAITING
    assert live_score(agency=scene.agency, now=now) == 1
    rows = list(LiveScore.objects.order_by("pk").values())
    assert live_score(agency=scene.agency, now=now) == 0
    assert rows == list(LiveScore.objects.order_by("pk").values())


def test_surfaces_that_were_changed_after_sealing_are_never_scored(scene: Scene) -> None:
    surface = RiskSurface.objects.filter(run=scene.run)[0]
    RiskSurface.objects.filter(pk=surface.pk).update(
        values=codec.surface_encode(np.full(scene.grid.n_cells, 0.5))
    )
    live_score(agency=scene.agency, now=after(scene.run))
    assert seal_of(scene.run).state == State.CHANGED
    assert not LiveScore.objects.exists()


def test_surfaces_that_are_gone_are_said_to_be_gone(scene: Scene) -> None:
    now = after(scene.run)
    scene.run.delete()
    live_score(agency=scene.agency, now=now)
    assert ForecastSeal.objects.get().state == State.GONE
    assert live_chain(scene.agency).is_whole


def test_a_run_that_was_done_again_after_a_kill_has_two_seals_and_is_whole(scene: Scene) -> None:
    ForecastRun.objects.filter(pk=scene.run.pk).update(status="queued", started_at=None)
    scene.run.refresh_from_db()
    forecast_run(run=scene.run)
    live_score(agency=scene.agency, now=after(scene.run))
    assert list(ForecastSeal.objects.order_by("number").values_list("state", flat=True)) == [
        State.SUPERSEDED,
        State.SCORED,
    ]
    assert live_chain(scene.agency).is_whole


def test_a_whole_chain_is_called_whole_and_its_end_is_printed(scene: Scene) -> None:
    seals = chain(scene)
    text = verify()
    assert "Nothing was changed, removed or re-ordered." in text
    assert f"4:{seals[-1].hash}" in text
    assert "Nothing was changed" in verify("--published", f"2:{seals[1].hash}")


def _change_statement(seals: list[ForecastSeal]) -> None:
    text = seals[1].statement.replace('"format":1', '"format":2')
    ForecastSeal.objects.filter(pk=seals[1].pk).update(statement=text)


def _change_column(seals: list[ForecastSeal]) -> None:
    ForecastSeal.objects.filter(pk=seals[1].pk).update(sealed_at=seals[1].sealed_at - dt.timedelta(days=1))


def _change_surface(seals: list[ForecastSeal]) -> None:
    run = seals[1].run
    assert run
    assert run.grid
    row = RiskSurface.objects.filter(run=run)[0]
    RiskSurface.objects.filter(pk=row.pk).update(values=codec.surface_encode(np.full(run.grid.n_cells, 0.1)))


def _change_config(seals: list[ForecastSeal]) -> None:
    ForecastRun.objects.filter(seals=seals[1]).update(config_snapshot={"grid": "another"})


def _forge(seals: list[ForecastSeal]) -> None:
    """A statement with its own hash, which the next seal does not name."""
    from forecasting.seals import fingerprint

    text = seals[1].statement.replace('"format":1', '"format":2')
    ForecastSeal.objects.filter(pk=seals[1].pk).update(statement=text, hash=fingerprint(text))


def _remove_middle(seals: list[ForecastSeal]) -> None:
    seals[1].delete()


def _remove_first(seals: list[ForecastSeal]) -> None:
    seals[0].delete()


def _remove_last(seals: list[ForecastSeal]) -> None:
    seals[3].delete()


def _remove_last_and_mend_the_record(seals: list[ForecastSeal]) -> None:
    seals[3].delete()
    LiveRecord.objects.update(n_seals=3, head=seals[2].hash)


def _swap(seals: list[ForecastSeal]) -> None:
    ForecastSeal.objects.filter(pk=seals[1].pk).update(number=99)
    ForecastSeal.objects.filter(pk=seals[2].pk).update(number=2)
    ForecastSeal.objects.filter(pk=seals[1].pk).update(number=3)


def _close_the_gap(seals: list[ForecastSeal]) -> None:
    seals[1].delete()
    for number, seal in ((2, seals[2]), (3, seals[3])):
        ForecastSeal.objects.filter(pk=seal.pk).update(number=number)
    LiveRecord.objects.update(n_seals=3)


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (_change_statement, "its statement was changed"),
        (_change_column, "sealed_at differ from what was sealed"),
        (_change_surface, "not the ones that were sealed"),
        (_change_config, "data or configuration was changed"),
        (_forge, "does not follow the seal before it"),
        (_remove_middle, "seal 2 is missing"),
        (_remove_first, "seal 1 is missing"),
        (_remove_last, "the last ones are missing"),
        (_remove_last_and_mend_the_record, "is finished and has no seal"),
        (_swap, "number differ from what was sealed"),
        (_close_the_gap, "does not follow the seal before it"),
    ],
)
def test_tampering_shows(scene: Scene, tamper: Callable[[list[ForecastSeal]], None], words: str) -> None:
    tamper(chain(scene))
    out = StringIO()
    with pytest.raises(CommandError, match="is not whole"):
        call_command("live_record", "verify", "riverton", stdout=out)
    assert words in out.getvalue()


def test_a_chain_made_anew_agrees_with_itself_and_not_with_what_was_published(scene: Scene) -> None:
    report = live_chain(scene.agency, published=f"1:{'0' * 64}")
    assert report.problems == [
        f"Seal 1 ({scene.shift} {scene.run.on:%Y-%m-%d}): its hash is not the one that was published."
    ]
    with pytest.raises(CommandError, match="is no published end"):
        verify("--published", "the head")


def test_the_dispatcher_sends_for_it_once_and_again_after_a_kill(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(pipeline.live_score_task, "delay", sent.append)
    with django_assert_num_queries(1):
        assert pipeline.live_due() == 0
    now = after(scene.run)
    assert live_claim(now=now) == [scene.agency.pk]
    assert live_claim(now=now) == []
    assert live_claim(now=now + LEASE) == [scene.agency.pk]
    live_score(agency=scene.agency, now=now)
    assert LiveRecord.objects.get(agency=scene.agency).held_until is None
    ForecastSeal.objects.update(due_at=timezone.now() - dt.timedelta(minutes=1), state=State.SCORED)
    assert pipeline.live_due() == 1
    assert sent == [scene.agency.pk]


def scored(scene: Scene, gains: list[float], *, version_number: int = 1, crimes: int = 2) -> None:
    """A record of so many scored evenings long ago, made up."""
    seal = seal_of(scene.run)
    start = timezone.now() - dt.timedelta(days=1 + len(gains))
    for k, gain in enumerate(gains):
        at = start + dt.timedelta(days=k)
        row = ForecastSeal.objects.create(
            agency=scene.agency, number=1_000 + k, run=None, shift=scene.shift, on=at.date(), period_from=at,
            period_to=at + dt.timedelta(hours=8), sealed_at=at - dt.timedelta(hours=9), is_late=False, statement="{}",
            previous=seal.hash, hash=f"{k:064d}", state=State.SCORED,
        )  # fmt: skip
        LiveScore.objects.create(
            agency=scene.agency, seal=row, crime_type=scene.crime_type(), version=scene.version(),
            version_number=version_number, shift=scene.shift, on=at.date(), sealed_at=row.sealed_at, period_from=at,
            period_to=row.period_to, n_cells=100, expected=2.0, largest_gain=3.0, crimes=crimes, log_score=gain - 9.0,
            plain_log_score=-9.0, scored_at=timezone.now(),
        )  # fmt: skip


def test_the_card_says_what_the_record_shows(scene: Scene) -> None:
    assert live_card(scene.agency, scene.crime_type()).sentence.startswith(
        "Nothing is scored yet: 1 forecast is sealed and waiting"
    )
    scored(scene, [0.5, -0.4])
    assert "it is not shown whether" in live_card(scene.agency, scene.crime_type()).sentence
    LiveScore.objects.all().delete()
    ForecastSeal.objects.filter(number__gte=1_000).delete()
    scored(scene, [0.6, 0.2] * 60)
    card = live_card(scene.agency, scene.crime_type())
    assert card.shown.verdict == "model"
    assert (
        "the model forecast burglary better than the plain count it was approved against: +0.200 nats"
        in card.sentence
    )
    assert card.plain_skill == pytest.approx(0.2)
    assert [(part.shifts, part.crimes) for part in card.versions] == [(120, 240)]
    LiveScore.objects.update(plain_log_score=None)
    assert "all by the plain count itself" in live_card(scene.agency, scene.crime_type()).sentence


def test_the_record_is_read_in_three_queries(scene: Scene, django_assert_num_queries: Any) -> None:
    scored(scene, [0.1] * 40)
    crime_type = scene.crime_type()
    with django_assert_num_queries(3):
        card = live_card(scene.agency, crime_type)
        assert card.sentence
        assert len(card.versions) == 1


def test_the_page_the_chart_and_the_file_tell_the_same(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    scored(scene, [0.6, 0.2] * 30)
    client = sign_in(analyst)
    page = client.get(reverse("forecasting:model", args=["riverton", "burglary"])).content.decode()
    card = live_card(scene.agency, scene.crime_type())
    assert card.sentence in page
    chart = client.get(reverse("forecasting:live_chart", args=["riverton", "burglary"]))
    assert chart["Content-Type"] == "image/svg+xml"
    assert b"<svg" in b"".join(chart) if chart.streaming else b"<svg" in chart.content
    again = client.get(
        reverse("forecasting:live_chart", args=["riverton", "burglary"]),
        headers={"If-None-Match": chart["ETag"]},
    )
    assert again.status_code == 304
    sheet = client.get(reverse("forecasting:live_csv", args=["riverton", "burglary"]))
    text = b"".join(sheet.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert len(rows) == 60
    assert float(rows[-1]["log_e_model"]) == pytest.approx(float(card.shown.log_e_model[-1]), abs=1e-5)


def test_an_empty_record_has_an_empty_chart(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    chart = sign_in(analyst).get(reverse("forecasting:live_chart", args=["riverton", "burglary"]))
    assert chart.status_code == 200


def test_strangers_see_nothing_of_it(scene: Scene, sign_in: SignIn, member: Callable[[str], User]) -> None:
    stranger = make_member(make_scene("lakeside").agency, "analyst")
    for name in ("live_chart", "live_csv"):
        address = reverse(f"forecasting:{name}", args=["riverton", "burglary"])
        assert sign_in(None).get(address).status_code == 302
        for person, status in ((stranger, 404), (make_user(), 404), (member("officer"), 403)):
            assert sign_in(person).get(address).status_code == status


def test_a_setting_of_the_agency_says_how_long_reports_take(scene: Scene) -> None:
    model_policy_ensure(agency=scene.agency)
    ModelPolicy.objects.filter(agency=scene.agency).update(settle_days=3)
    run = another(scene, 5)
    assert seal_of(run).due_at == run.period_to + dt.timedelta(days=3)
