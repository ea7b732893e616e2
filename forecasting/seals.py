"""What is sealed of a forecast, as one text, and whether what is stored is still that."""

import datetime as dt
import hashlib
import json
from typing import Any

from forecasting.models import ForecastRun, ForecastSeal, ModelVersion, RiskSurface

FORMAT = 1


def fingerprint(content: str | bytes) -> str:
    """The sha256 of a text or of bytes, as hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def config_fingerprint(config: Any) -> str:
    """The fingerprint of a run's configuration; the same before and after a database has kept it.

    >>> config_fingerprint({"b": 1, "a": [2.0]}) == config_fingerprint({"a": [2], "b": 1.0})
    True
    """
    return fingerprint(json.dumps(_plain(config), sort_keys=True, separators=(",", ":"), ensure_ascii=True))


def sealed_surface(surface: RiskSurface, version: ModelVersion) -> dict[str, Any]:
    """What is sealed of one crime type: its surface, the plain count's, and where both came from."""
    plain = surface.baseline_values
    return {
        "crime_type": surface.crime_type_id,
        "version": version.number,
        "champion": version.champion,
        "artefact": version.artefact_hash,
        "surface": fingerprint(bytes(surface.values)),
        "plain": None if plain is None else fingerprint(bytes(plain)),
    }


def statement(
    *, run: ForecastRun, number: int, previous: str, sealed_at: dt.datetime, types: dict[str, Any]
) -> str:
    """The text that is sealed, the same for the same forecast on every machine."""
    content = {
        "format": FORMAT,
        "agency": run.agency_id,
        "number": number,
        "previous": previous,
        "run": run.pk,
        "shift": run.shift_id,
        "on": run.on.isoformat(),
        "period_from": instant(run.period_from),
        "period_to": instant(run.period_to),
        "as_of": instant(run.as_of),
        "sealed_at": instant(sealed_at),
        "grid": run.grid.hash if run.grid else None,
        "data": run.data_hash,
        "config": config_fingerprint(run.config_snapshot),
        "types": types,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def instant(at: dt.datetime) -> str:
    """An instant in UTC, to the microsecond that the database keeps."""
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        # PostgreSQL gives 1e16 back as a whole number.
        return float(value)
    return value


def sealed_content(seal: ForecastSeal) -> dict[str, Any]:
    """What a seal's statement says; empty where it cannot be read. No query."""
    try:
        found = json.loads(seal.statement)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def sealed_types(seal: ForecastSeal) -> dict[str, dict[str, Any]]:
    """What was sealed, by the crime type's slug of that day; empty where the statement cannot be read. No query."""
    found = sealed_content(seal).get("types")
    return found if isinstance(found, dict) else {}


def matches(seal: ForecastSeal, surfaces: list[RiskSurface]) -> bool:
    """Whether these surfaces (read with their models) are the ones that were sealed, byte for byte, and all of them."""
    if fingerprint(seal.statement) != seal.hash:
        return False
    there = [sealed_surface(row, row.model_version) for row in surfaces]
    sealed = list(sealed_types(seal).values())
    return sorted(sealed, key=_by_type) == sorted(there, key=_by_type)


def _by_type(row: dict[str, Any]) -> int:
    return int(row["crime_type"])


def run_differs(seal: ForecastSeal, run: ForecastRun) -> bool:
    """Whether a run's row tells of other data or another configuration than its seal."""
    said = sealed_content(seal)
    return said.get("config") != config_fingerprint(run.config_snapshot) or said.get("data") != run.data_hash


def columns_differ(seal: ForecastSeal) -> list[str]:
    """The columns of a seal that say something else than its statement, by name."""
    said = sealed_content(seal)
    told = {
        "number": seal.number,
        "previous": seal.previous,
        "agency": seal.agency_id,
        "shift": seal.shift_id,
        "on": seal.on.isoformat(),
        "period_from": instant(seal.period_from),
        "period_to": instant(seal.period_to),
        "sealed_at": instant(seal.sealed_at),
    }
    return [name for name, value in told.items() if said.get(name) != value]
