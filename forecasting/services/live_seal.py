"""Sealing a forecast: its fingerprint, the time, and the seal before, in the transaction that finishes it."""

import datetime as dt

from django.utils import timezone

from forecasting.models import ForecastRun, ForecastSeal, LiveRecord, RiskSurface
from forecasting.seals import fingerprint, sealed_surface, statement
from forecasting.selectors.governance import model_policy


def live_seal(*, run: ForecastRun, surfaces: list[RiskSurface]) -> ForecastSeal:
    """Add one forecast to its agency's chain. Must run in the transaction that stores its surfaces. Five queries.

    What is sealed: both surfaces' bytes of each crime type, the model versions and their files, the configuration and the data
    that the run was made with, the shift and this moment. A forecast made after its shift began is sealed as late and
    never scored.
    """
    # One seal at a time: two forecasts of an agency at once would both name the same seal before.
    LiveRecord.objects.get_or_create(agency_id=run.agency_id)
    record = LiveRecord.objects.select_for_update().get(agency_id=run.agency_id)
    now = timezone.now()
    is_late = now >= run.period_from
    settle = dt.timedelta(days=model_policy(run.agency).settle_days)
    text = statement(
        run=run,
        number=record.n_seals + 1,
        previous=record.head,
        sealed_at=now,
        types={row.crime_type.slug: sealed_surface(row, row.model_version) for row in surfaces},
    )
    seal = ForecastSeal(
        agency_id=run.agency_id,
        number=record.n_seals + 1,
        run=run,
        shift_id=run.shift_id,
        on=run.on,
        period_from=run.period_from,
        period_to=run.period_to,
        sealed_at=now,
        is_late=is_late,
        statement=text,
        previous=record.head,
        hash=fingerprint(text),
        state=ForecastSeal.State.LATE if is_late else ForecastSeal.State.WAITING,
        due_at=None if is_late else run.period_to + settle,
    )
    seal.save()
    record.n_seals, record.head = seal.number, seal.hash
    record.save(update_fields=["n_seals", "head"])
    return seal
