"""Fitting without a league: the same kind of model, honestly marked as untested."""

from typing import Any

import numpy as np
import pytest

from forecasting.engine.fit import CHAMPION, RARE_CHAMPION, fit_champions
from forecasting.engine.train import TrainedType, forecast
from tests.forecasting.engine_city import SHIFTS, city, shift_instances, square_grid

GRID, DAYS = square_grid(500.0), 100
INCIDENTS = city(np.random.default_rng(4), n=2_000, days=DAYS, categories=("burglary", "robbery"))
AS_OF = shift_instances(DAYS).to_utc[-1]


def fitted(**more: Any) -> dict[str, TrainedType]:
    given: dict[str, Any] = {
        "grid": GRID,
        "incidents": INCIDENTS,
        "periods": shift_instances(DAYS),
        "shifts": SHIFTS,
        "targets": ("burglary", "robbery"),
        "as_of_utc": AS_OF,
        "rng": np.random.default_rng(0),
    }
    return fit_champions(**(given | more))


def test_every_type_gets_the_champion_and_no_claim_to_have_beaten_anything() -> None:
    said: list[int] = []
    found = fitted(progress=lambda done, total, label: said.append(done))
    assert list(found) == ["burglary", "robbery"]
    assert [one.champion for one in found.values()] == [CHAMPION, CHAMPION]
    assert not any(one.beats_baseline or one.league or one.tested_periods for one in found.values())
    assert said == sorted(said)
    assert said[-1] == 1000


def test_its_forecasts_are_the_size_of_what_happens() -> None:
    tonight = shift_instances(DAYS + 1).take([DAYS * 3 + 2])
    found = forecast(
        trained=fitted(workers=1),
        grid=GRID,
        incidents=INCIDENTS,
        period=tonight,
        shifts=SHIFTS,
        as_of_utc=AS_OF,
    )
    for surface in found.values():
        assert np.isfinite(surface).all()
        assert (surface >= 0).all()
        assert 1.0 < surface.sum() < 20.0


def test_a_type_with_hardly_any_incident_gets_a_plain_count() -> None:
    few = INCIDENTS.take(np.flatnonzero((INCIDENTS.category == 0) | (np.arange(len(INCIDENTS)) % 60 == 0)))
    assert [one.champion for one in fitted(incidents=few).values()] == [CHAMPION, RARE_CHAMPION]


def test_sampling_fewer_shifts_gives_fewer_rows() -> None:
    assert fitted(max_periods=40)["burglary"].rows < fitted(max_periods=80)["burglary"].rows


def test_too_short_a_span_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="Import older incidents"):
        fitted(periods=shift_instances(1))
