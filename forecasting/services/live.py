"""Scoring sealed forecasts once their shifts are over and reported, and once more with the late reports."""

import datetime as dt
import logging
from collections.abc import Iterator

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from agencies.models import Agency
from forecasting.engine.live_record import largest_gain
from forecasting.engine.metrics import log_score
from forecasting.models import ForecastSeal, Grid, LiveRecord, LiveScore, RiskSurface
from forecasting.seals import matches, sealed_types
from forecasting.selectors.forecasts import baseline_values, surface_values
from forecasting.selectors.happened import Happened
from missions_project.lib.errors import MissionsError

logger = logging.getLogger(__name__)
State = ForecastSeal.State
FINAL_AFTER = dt.timedelta(days=56)
"""After the first score: reports that are later than that change little, and the record must end some day."""
LEASE = dt.timedelta(hours=1)
MOST_AGENCIES = 50
MOST_AT_ONCE = 100
"""Seals in one piece of work: at a large city's size about a minute."""


def live_claim(*, now: dt.datetime) -> list[int]:
    """Claim the agencies that have forecasts to score; return their keys. One query where there is none.

    A claim is a lease of an hour, given back when the work is done: a worker that was killed holds nothing up for longer.
    """
    free = Q(held_until=None) | Q(held_until__lte=now)
    due = ForecastSeal.objects.filter(agency=OuterRef("agency"), due_at__lte=now)
    return [
        agency_id
        for pk, agency_id in list(
            LiveRecord.objects.filter(free, Exists(due)).values_list("pk", "agency_id")[:MOST_AGENCIES]
        )
        # Two dispatchers at once: the one that moves the date has it.
        if LiveRecord.objects.filter(free, pk=pk).update(held_until=now + LEASE) == 1
    ]


def live_score(*, agency: Agency, now: dt.datetime | None = None) -> int:
    """Score the agency's sealed forecasts that are due, oldest shift first; returns how many. At most a hundred at a time.

    Of several seals of one shift instance the last one before it began counts. A forecast whose surfaces are not the sealed
    ones is marked and never scored. Done twice it changes nothing: each seal is locked, looked at again, and moved on.
    """
    now = now or timezone.now()
    due = ForecastSeal.objects.filter(agency=agency, due_at__lte=now).order_by("period_from", "number")
    seals = list(due.select_related("run__grid")[:MOST_AT_ONCE])
    happened: dict[int, Happened] = {}
    for seal in seals:
        grid = seal.run.grid if seal.run else None
        if grid is not None and grid.pk not in happened:
            last = max(row.period_to for row in seals)
            happened[grid.pk] = Happened(agency, grid, seals[0].period_from, last)
        with transaction.atomic():
            locked = ForecastSeal.objects.select_for_update().get(pk=seal.pk)
            # Somebody whose lease ran out may be doing the same: the state says who was first.
            if locked.state == seal.state and locked.due_at == seal.due_at:
                _judge(locked, grid, happened, now)
    LiveRecord.objects.filter(agency=agency).update(held_until=None)
    return len(seals)


def _judge(seal: ForecastSeal, grid: Grid | None, happened: dict[int, Happened], now: dt.datetime) -> None:
    """Move one seal on by one state, with its scores where it has any."""
    due_at: dt.datetime | None = None
    if seal.state == State.WAITING and _is_superseded(seal):
        state = State.SUPERSEDED
    else:
        surfaces = _surfaces(seal)
        again = seal.state == State.SCORED
        if grid is None or not surfaces or _was_done_again(seal):
            # A second look that finds nothing leaves the first score as the only one.
            state = State.SCORED if again else State.GONE
        elif not matches(seal, surfaces):
            state = State.CHANGED
        elif (rows := _readable(seal, surfaces, grid, happened[grid.pk])) is None:
            state = State.SCORED if again else State.GONE
        elif again:
            _score_again(seal, rows, now)
            state = State.FINAL
        else:
            LiveScore.objects.bulk_create([_first(seal, grid, row, now) for row in rows])
            state, due_at = State.SCORED, (seal.due_at or now) + FINAL_AFTER
    ForecastSeal.objects.filter(pk=seal.pk).update(state=state, due_at=due_at)


def _readable(
    seal: ForecastSeal, surfaces: list[RiskSurface], grid: Grid, happened: Happened
) -> list[tuple[RiskSurface, LiveScore]] | None:
    """The figures, or None where this program cannot read the surfaces: one such seal must not hold up all later ones."""
    try:
        return list(_figures(seal, surfaces, grid, happened))
    except MissionsError:
        logger.exception("%s could not be scored.", seal)
        return None


def _is_superseded(seal: ForecastSeal) -> bool:
    later = ForecastSeal.objects.filter(agency_id=seal.agency_id, shift_id=seal.shift_id, on=seal.on)
    return later.filter(is_late=False, number__gt=seal.number).exists()


def _was_done_again(seal: ForecastSeal) -> bool:
    """A run that was killed after sealing and done again: the surfaces there are the later seal's."""
    return ForecastSeal.objects.filter(run_id=seal.run_id, number__gt=seal.number).exists()


def _surfaces(seal: ForecastSeal) -> list[RiskSurface]:
    if seal.run_id is None:
        return []
    rows = RiskSurface.objects.filter(run_id=seal.run_id).select_related("crime_type", "model_version")
    return list(rows.defer("model_version__summary").order_by("crime_type_id"))


def _figures(
    seal: ForecastSeal, surfaces: list[RiskSurface], grid: Grid, happened: Happened
) -> Iterator[tuple[RiskSurface, LiveScore]]:
    """Each crime type's surface with what it scores now; nothing is stored."""
    # The slug of that day: a crime type renamed since would find no incidents.
    slugs = {row["crime_type"]: slug for slug, row in sealed_types(seal).items()}
    for surface in surfaces:
        expected, plain = surface_values(surface, grid), baseline_values(surface, grid)
        now_slug, then = surface.crime_type.slug, slugs[surface.crime_type_id]
        slug = now_slug if now_slug in happened.number_of else then
        cells, counts = happened.during(slug, seal.period_from, seal.period_to)
        yield (
            surface,
            LiveScore(
                crime_type_id=surface.crime_type_id,
                expected=float(expected.sum(dtype=float)),
                largest_gain=0.0 if plain is None else largest_gain(expected, plain),
                crimes=int(counts.sum()),
                log_score=log_score(expected, cells, counts),
                plain_log_score=None if plain is None else log_score(plain, cells, counts),
            ),
        )


def _first(
    seal: ForecastSeal, grid: Grid, found: tuple[RiskSurface, LiveScore], now: dt.datetime
) -> LiveScore:
    surface, score = found
    score.agency_id, score.seal = seal.agency_id, seal
    score.version, score.version_number = surface.model_version, surface.model_version.number
    score.shift_id, score.on = seal.shift_id, seal.on
    score.sealed_at, score.period_from, score.period_to = seal.sealed_at, seal.period_from, seal.period_to
    score.n_cells, score.scored_at = grid.n_cells, now
    return score


def _score_again(seal: ForecastSeal, found: list[tuple[RiskSurface, LiveScore]], now: dt.datetime) -> None:
    rows = {row.crime_type_id: row for row in LiveScore.objects.filter(seal=seal)}
    changed = []
    for surface, score in found:
        if (row := rows.get(surface.crime_type_id)) is not None:
            row.final_crimes, row.final_log_score = score.crimes, score.log_score
            row.final_plain_log_score, row.final_at = score.plain_log_score, now
            changed.append(row)
    LiveScore.objects.bulk_update(
        changed, ["final_crimes", "final_log_score", "final_plain_log_score", "final_at"]
    )
