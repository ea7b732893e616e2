"""An officer's hunch is a hypothesis: logged before it happens, answered by an analyst, scored with all others as a forecast is."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, CrimeType, User
from forecasting.engine.grid import unproject
from forecasting.models import RiskSurface
from forecasting.selectors import cell_beats, surface_values
from ingestion.models import Incident
from missions_project.lib.errors import MissionsError
from tactics.engine.hunches import place_score
from tactics.hunch_scores import hunch_scores
from tactics.models import Hunch
from tactics.services import hunch_log
from tests.factories import degrees, make_member
from tests.patrols.scenes import Scene, make_scene
from tests.tactics.test_officer_page import STANDING, text_of

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
FORM = "/riverton/my/hunch/"
LIST = "/riverton/hunches/"


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def officer(scene: Scene) -> User:
    return make_member(scene.agency, "officer", username="officer")


def log(
    scene: Scene,
    officer: User,
    *,
    x_m: float = 3600,
    y_m: float = 3600,
    made: dt.datetime | None = None,
    days: int = 1,
) -> Hunch:
    lon, lat = degrees(x_m, y_m)
    return hunch_log(
        agency=scene.agency,
        number=uuid.uuid4(),
        officer=officer,
        unit=None,
        lon=lon,
        lat=lat,
        crime_type=CrimeType.objects.get(agency=scene.agency, slug="robbery"),
        days=days,
        reason="lights out behind the station, crowd on Saturdays",
        now=made,
    )


def form(scene: Scene, **fields: object) -> dict[str, object]:
    lon, lat = degrees(3600, 3600)
    robbery = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    return {
        "number": str(uuid.uuid4()),
        "lon": lon,
        "lat": lat,
        "crime_type": robbery.pk,
        "days": 7,
        "reason": "dark corner",
    } | fields


def test_a_hunch_keeps_the_cell_and_not_the_point_and_is_logged_once(
    scene: Scene, officer: User, sign_in: SignIn
) -> None:
    client = sign_in(officer)
    sent = form(scene)
    for _ in range(2):
        assert client.post(FORM, sent).status_code == 302
    [hunch] = Hunch.objects.all()
    # 3,600 m east and north in cells of 250 m: column 14 of row 14.
    assert int(scene.spec.index_of([hunch.cell_id])[0]) >= 0
    assert hunch.beat is not None
    assert hunch.beat.code == "22"
    assert (hunch.period_to - hunch.period_from).days == 7
    page = text_of(client.get(FORM))
    assert "dark corner" in page
    assert STANDING in page
    assert not {field.name for field in Hunch._meta.fields} & {"lon", "lat", "latitude", "longitude", "point"}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"lon": "-80"}, "outside the agency"),
        ({"lon": "nan"}, "outside the agency"),
        ({"lon": ""}, "tap the map"),
        ({"number": "x"}, "tap the map"),
        ({"crime_type": "0"}, "crime type"),
        ({"days": "3"}, "no period"),
        ({"reason": "  "}, "no words"),
        ({"reason": "x" * 501}, "501 characters"),
        ({"reason": "John Smith 03/04/89 sells here"}, "a name with a date of birth"),
    ],
)
def test_a_hunch_that_cannot_be_logged_says_why_and_keeps_the_words(
    scene: Scene, officer: User, sign_in: SignIn, fields: dict[str, str], word: str
) -> None:
    answer = sign_in(officer).post(FORM, form(scene, **fields))
    assert answer.status_code == 422
    assert word in text_of(answer)
    assert str(fields.get("reason", "dark corner")) in answer.content.decode()
    assert not Hunch.objects.exists()


def test_a_hunch_about_what_has_happened_is_refused_by_the_database(scene: Scene, officer: User) -> None:
    hunch = log(scene, officer)
    with pytest.raises(IntegrityError, match="hunch_is_made_before_it_begins"), transaction.atomic():
        Hunch.objects.filter(pk=hunch.pk).update(period_from=hunch.made_at - dt.timedelta(hours=1))


def test_the_analyst_answers_and_the_officer_reads_it(scene: Scene, officer: User, sign_in: SignIn) -> None:
    hunch = log(scene, officer)
    analyst = make_member(scene.agency, "analyst")
    client = sign_in(analyst)
    assert "lights out behind the station" in text_of(client.get(LIST))
    address = f"{LIST}{hunch.pk}/"
    client.post(address, {"status": "followed", "answer": "on Saturday's list"})
    client.post(address, {"status": "nonsense"})
    client.post(address, {"status": "seen", "answer": "ask Mr. Jones"})
    hunch.refresh_from_db()
    assert (hunch.status, hunch.answer, hunch.answered_by) == ("followed", "on Saturday's list", analyst)
    assert "No hunches with this status" in text_of(client.get(LIST, {"status": "new"}))
    assert "on Saturday&#x27;s list" in sign_in(officer).get(FORM).content.decode()


def test_who_may_read_and_answer(scene: Scene, officer: User, stranger: User, sign_in: SignIn) -> None:
    hunch = log(scene, officer)
    address = f"{LIST}{hunch.pk}/"
    statuses = {
        role: (
            sign_in(make_member(scene.agency, role)).get(LIST).status_code,
            sign_in(make_member(scene.agency, role)).post(address, {"status": "seen"}).status_code,
        )
        for role in ("supervisor", "analyst", "admin", "auditor", "officer")
    }
    assert statuses == {
        "supervisor": (200, 403), "analyst": (200, 302), "admin": (200, 302), "auditor": (200, 403), "officer": (403, 403),
    }  # fmt: skip
    assert sign_in(stranger).get(LIST).status_code == 404
    assert sign_in(stranger).post(f"/lakeside/hunches/{hunch.pk}/", {"status": "seen"}).status_code == 404
    assert sign_in(None).get(LIST).status_code == 302


def robbery_at(
    scene: Scene, x_m: float, y_m: float, at: dt.datetime, key: str, discovery: str = "reported"
) -> None:
    from tests.ingestion.files import plain_feed

    feed = scene.agency.feed_set.first() or plain_feed(scene.agency)
    lon, lat = degrees(x_m, y_m)
    Incident.objects.create(
        agency=scene.agency, feed=feed, external_id=key, code="0320", occurred_from=at, occurred_to=at, reported_at=at,
        lon=lon, lat=lat, crime_type=CrimeType.objects.get(agency=scene.agency, slug="robbery"), discovery=discovery,
        content_hash=ord(key),
    )  # fmt: skip


def test_hunches_are_scored_by_the_stored_forecast_beside_its_top_cells_and_chance(
    scene: Scene, officer: User
) -> None:
    """By hand: two hunches over the one forecast evening, one robbery in the first's cell, another elsewhere in its beat."""
    run = scene.run
    made = run.period_from - dt.timedelta(hours=1)
    first = log(scene, officer, x_m=2600, y_m=3600, made=made)
    second = log(scene, officer, x_m=300, y_m=300, made=made)
    waiting = log(scene, officer)
    during = run.period_from + dt.timedelta(hours=2)
    robbery_at(scene, 2600, 3600, during, "a")
    robbery_at(scene, 2600, 2300, during, "b")
    # None of these counts: found by officers, before the shift, after it.
    robbery_at(scene, 2600, 3600, during, "c", discovery="officer_initiated")
    robbery_at(scene, 2600, 3600, run.period_from - dt.timedelta(minutes=1), "d")
    robbery_at(scene, 2600, 3600, run.period_to, "e")

    scores = hunch_scores(scene.agency, now=first.period_to + dt.timedelta(hours=1))
    values = surface_values(RiskSurface.objects.get(run=run, crime_type__slug="robbery"), scene.grid)
    at = scene.spec.index_of([first.cell_id, second.cell_id])
    assert scores.hunches.n == 2
    assert scores.hunches.expected == pytest.approx(float(values[at].sum()))
    assert scores.hunches.observed == 1.0
    assert scores.hunches.share == 0.5
    assert scores.top.expected == pytest.approx(float(np.sort(values)[-2:].sum()))
    assert scores.top.observed == 0.0
    # Two robberies over the cells of the first's beat, none in the second's.
    cells = int((cell_beats(scene.grid) == first.beat_id).sum())
    assert scores.random.observed == pytest.approx(2 / cells)
    assert scores.random.share == pytest.approx((2 / cells) / 2)
    assert (scores.shifts, scores.waiting, scores.without_forecast) == (2, 1, 0)
    assert waiting.period_to > timezone.now()
    assert scores.is_few


def test_a_forecast_made_during_the_shift_scores_nothing(scene: Scene, officer: User) -> None:
    hunch = log(scene, officer, made=scene.run.period_from - dt.timedelta(hours=1))
    type(scene.run).objects.filter(pk=scene.run.pk).update(
        as_of=scene.run.period_from + dt.timedelta(hours=1)
    )
    scores = hunch_scores(scene.agency, now=hunch.period_to + dt.timedelta(minutes=1))
    assert (scores.hunches.n, scores.without_forecast) == (0, 1)


@pytest.fixture
def long_ago_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scene's evening lies at a fixed date, which leaves the half year as time goes by."""
    monkeypatch.setattr("tactics.hunch_scores.SCORED_DAYS", 36_500)


@pytest.mark.usefixtures("long_ago_counts")
def test_no_hunch_carries_a_badge_of_its_own(scene: Scene, officer: User, sign_in: SignIn) -> None:
    hunch = log(scene, officer, made=scene.run.period_from - dt.timedelta(hours=1))
    robbery_at(scene, 3600, 3600, scene.run.period_from + dt.timedelta(hours=2), "a")
    page = sign_in(make_member(scene.agency, "analyst")).get(LIST).content.decode()
    card = page.split(f'id="hunch-{hunch.pk}"')[1].split("</li>")[0].lower()
    assert not {"hit", "miss", "observed", "correct", "came true"} & set(
        card.replace("<", " ").replace(">", " ").split()
    )
    assert "All hunches together" in page
    assert "decide nothing yet" in page


@pytest.mark.usefixtures("long_ago_counts")
def test_the_number_of_queries_does_not_grow_with_hunches(
    scene: Scene, officer: User, sign_in: SignIn
) -> None:
    made = scene.run.period_from - dt.timedelta(hours=1)
    client = sign_in(make_member(scene.agency, "analyst"))

    def queries() -> int:
        client.get(LIST)
        with CaptureQueriesContext(connection) as captured:
            client.get(LIST)
        return len([query for query in captured.captured_queries if "django_session" not in query["sql"]])

    log(scene, officer, made=made)
    few = queries()
    for number in range(6):
        log(scene, officer, made=made, x_m=300 + 500 * number)
    assert queries() == few
    assert few <= 24


def test_hunches_of_an_agency_without_a_grid_say_so(agency: Agency) -> None:
    with pytest.raises(MissionsError, match="no active grid"):
        hunch_log(
            agency=agency, number=uuid.uuid4(), officer=make_member(agency, "officer"), unit=None, lon=-87.69, lat=41.81,
            crime_type=CrimeType.objects.filter(agency=agency)[0], days=1, reason="dark",
        )  # fmt: skip


def test_an_empty_score_is_no_number() -> None:
    empty = place_score(np.zeros(0), np.zeros(0))
    assert empty.n == 0
    assert np.isnan(empty.ratio)
    none_expected = place_score(np.zeros(2), np.array([1.0, 0.0]))
    assert np.isnan(none_expected.ratio)
    assert none_expected.share == 0.5


@pytest.mark.parametrize("rate", [0.02, 0.3, 2.0])
def test_the_ratios_interval_covers_the_truth(rate: float) -> None:
    rng = np.random.default_rng(5)
    expected = np.full(60, rate)
    covered = 0
    for _ in range(2000):
        score = place_score(expected, rng.poisson(1.5 * expected).astype(float))
        covered += score.ratio_low <= 1.5 <= score.ratio_high
    # Exact: never below 95 %, by three Monte Carlo errors.
    assert covered / 2000 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 2000)


def test_places_are_found_in_the_grids_own_metres(scene: Scene, officer: User) -> None:
    hunch = log(scene, officer, x_m=1300, y_m=700)
    at = scene.spec.index_of([hunch.cell_id])
    x_m, y_m = scene.spec.centres()
    lon, lat = unproject(x_m[at], y_m[at], scene.spec.epsg)
    near = degrees(1300, 700)
    assert abs(lon[0] - near[0]) < 0.003
    assert abs(lat[0] - near[1]) < 0.003
