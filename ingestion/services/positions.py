"""Vehicle positions: thousands a batch, stored once, nothing about the people in the car."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from agencies.models import Agency, Unit
from agencies.selectors import agency_area
from ingestion.engine.position_mapping import PositionMapping
from ingestion.engine.positions import Box, Positions, read_positions
from ingestion.engine.rejections import REJECTION_CODES
from ingestion.engine.rows import RowChunk
from ingestion.models import Feed, VehiclePosition
from ingestion.services.fact_rows import instant_texts
from ingestion.services.locks import FEW_RECORDS
from ingestion.services.position_months import again_for_new_month
from ingestion.services.push import PushResult, RowResult, shown_ids
from ingestion.services.push_account import push_account
from ingestion.services.tally import CLASSES, Tally
from ingestion.services.telling import tell
from missions_project.lib.errors import MissionsError

POSITION_RULE = "unusable_position"
UNKNOWN_UNIT = "unknown_unit"
_UNKNOWN_MESSAGE = "Stored, but the agency has no unit of this call sign: it counts for nobody's dosage. Add the unit under Admin → Units."
_COLUMNS = ("agency_id", "feed_id", "unit_code", "at", "lon", "lat", "is_known_unit", "received_at")
_Key = tuple[str, int]


@dataclass(frozen=True)
class _Known:
    until: float
    box: Box | None
    units: frozenset[str]


_known: dict[int, _Known] = {}


def _reading(agency: Agency) -> _Known:
    known = _known.get(agency.pk)
    if known is None or known.until < time.monotonic():
        area = agency_area(agency)
        known = _known[agency.pk] = _Known(
            time.monotonic() + settings.PUSH_CONTEXT_SECONDS,
            Box.around(area.bounds) if area is not None else None,
            frozenset(Unit.objects.filter(agency=agency).values_list("call_sign", flat=True)),
        )
    return known


def positions_mapping(feed: Feed) -> PositionMapping:
    """Under which names the feed's sender sends what is read. Raises ``MissionsError`` for a mapping that cannot be used."""
    mapping = PositionMapping.from_json(feed.mapping or {})
    if problems := mapping.problems():
        name, message = next(iter(problems.items()))
        raise MissionsError(
            _("The feed's names for positions cannot be used (%(name)s: %(message)s)")
            % {"name": name, "message": message},
            next_step=_("mend them on the feed's page (Admin → Feeds)."),
        )
    return mapping


def positions_store(*, feed: Feed, chunk: RowChunk, now: datetime) -> PushResult:
    """Store a batch of positions under (feed, unit, instant); one that is there already is left as it is.

    Unusable ones are refused and counted by code, not kept aside: where a car was outside the agency is nobody's to
    keep. A unit that the agency does not have is stored and flagged. About six queries, whatever the number of rows.
    """
    known, mapping = _reading(feed.agency), positions_mapping(feed)
    chunk = replace(chunk, columns={name: chunk.columns[own] for name, own in mapping.columns.items()})
    zone = mapping.time_zone or feed.agency.time_zone
    read = read_positions(chunk, zone=zone, now=now, box=known.box, date_format=mapping.date_format)
    seconds = read.at.astype(np.int64).tolist()
    units = read.unit.tolist()
    first: dict[_Key, int] = {}
    for row in np.flatnonzero(read.code == "").tolist():
        first.setdefault((units[row], seconds[row]), row)
    rows = list(first.values())

    def stored() -> tuple[set[_Key], Tally]:
        with transaction.atomic():
            inserted = _insert(feed, read, rows, known.units, now) if rows else set()
            tally = _tally(chunk, read, len(inserted))
            with push_account(feed, now, tally):
                pass
            tell(feed, now, {second // 3600 for _, second in inserted})
        return inserted, tally

    inserted, tally = again_for_new_month(stored)
    counts = {name: tally.counts[name] for name in ("received", *CLASSES)}
    return PushResult(counts, _results(chunk, read, units, seconds, first, inserted, known.units))


def _tally(chunk: RowChunk, read: Positions, inserted: int) -> Tally:
    tally = Tally()
    codes = [code for code in read.code.tolist() if code]
    codes += [row.rejection.code for row in chunk.rejections]
    tally.count(received=chunk.received, inserted=inserted, refused=len(codes))
    tally.count(unchanged=chunk.received - inserted - len(codes))
    for code in codes:
        tally.refuse(POSITION_RULE, code)
    return tally


def _insert(
    feed: Feed, read: Positions, rows: Sequence[int], known_units: frozenset[str], now: datetime
) -> set[_Key]:
    """Write the rows that are not there yet and return their keys. Two statements."""
    chosen = np.array(rows)
    units = read.unit[chosen].tolist()
    seconds = read.at[chosen].astype(np.int64).tolist()
    n = len(rows)
    received = instant_texts(np.array([np.datetime64(int(now.timestamp()), "s")]))
    columns: list[Sequence[Any]] = [
        [feed.agency_id] * n,
        [feed.pk] * n,
        units,
        instant_texts(read.at[chosen]),
        read.lon[chosen].tolist(),
        read.lat[chosen].tolist(),
        [unit in known_units for unit in units],
        received * n,
    ]
    quote = connection.ops.quote_name
    table = quote(VehiclePosition._meta.db_table)
    names = ", ".join(quote(name) for name in _COLUMNS)
    keys = list(zip(units, seconds, strict=True))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and n > FEW_RECORDS:
            # Not made from a question of the table: that would open all of its months, and wait for the rest while a month is added.
            cursor.execute(
                "CREATE TEMP TABLE incoming_positions (agency_id bigint, feed_id bigint, unit_code text, at timestamptz, "
                "lon float8, lat float8, is_known_unit boolean, received_at timestamptz) ON COMMIT DROP"
            )
            with cursor.cursor.copy(f"COPY incoming_positions ({names}) FROM STDIN") as copy:
                copy.write(_copy_text(columns))
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming_positions ON CONFLICT DO NOTHING "  # nosec B608 - names are ours, values go by parameters
                "RETURNING unit_code, EXTRACT(EPOCH FROM at)::bigint"
            )
            found = set(keys) if cursor.rowcount == n else set(cursor.fetchall())
            cursor.execute("DROP TABLE incoming_positions")
            return found
        values = ", ".join(["%s"] * len(_COLUMNS))
        insert = f"INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING"  # nosec B608 - names are ours, values go by parameters
        found = set()
        if n <= FEW_RECORDS:
            for row, key in zip(zip(*columns, strict=True), keys, strict=True):
                cursor.execute(insert, row)
                found |= {key} if cursor.rowcount == 1 else set()
            return found
        # Nobody writes beside this transaction on SQLite: what is there now is there when the rows are written.
        cursor.execute(
            f"SELECT unit_code, CAST(strftime('%%s', at) AS INTEGER) FROM {table} WHERE feed_id = %s AND "  # nosec B608 - names are ours, values go by parameters
            "unit_code IN (SELECT value FROM json_each(%s)) AND at BETWEEN %s AND %s",
            [feed.pk, json.dumps(sorted(set(units))), min(columns[3]), max(columns[3])],
        )
        found = set(keys) - set(cursor.fetchall())
        rows_now = zip(zip(*columns, strict=True), keys, strict=True)
        cursor.executemany(insert, [row for row, key in rows_now if key in found])
        return found


def _copy_text(columns: Sequence[Sequence[Any]]) -> str:
    """The rows in COPY's text form; ``write_row`` for each of ten thousand costs three times as much."""
    agencies, feeds, units, times, lons, lats, known, received = columns
    escaped = {unit: unit.replace("\\", "\\\\") for unit in set(units)}
    return "".join(
        f"{agency}\t{feed}\t{escaped[unit]}\t{at}\t{lon!r}\t{lat!r}\t{'t' if is_known else 'f'}\t{now}\n"
        for agency, feed, unit, at, lon, lat, is_known, now in zip(
            agencies, feeds, units, times, lons, lats, known, received, strict=True
        )
    )


def _results(
    chunk: RowChunk,
    read: Positions,
    units: Sequence[str],
    seconds: Sequence[int],
    first: dict[_Key, int],
    inserted: set[_Key],
    known_units: frozenset[str],
) -> list[RowResult]:
    found = []
    shown = shown_ids(units)
    codes = read.code.tolist()
    for row, number in enumerate(read.row_number.tolist()):
        if code := codes[row]:
            kind = REJECTION_CODES[code]
            found.append(RowResult(number - 1, shown[row], "refused", code, f"{kind.meaning}. {kind.remedy}"))
            continue
        key = (units[row], seconds[row])
        outcome = "inserted" if first[key] == row and key in inserted else "unchanged"
        if units[row] in known_units:
            found.append(RowResult(number - 1, shown[row], outcome))
        else:
            found.append(RowResult(number - 1, shown[row], outcome, UNKNOWN_UNIT, _UNKNOWN_MESSAGE))
    for bad in chunk.rejections:
        found.append(RowResult(bad.row_number - 1, "", "refused", bad.rejection.code, bad.rejection.message))
    return sorted(found, key=lambda one: one.index)
