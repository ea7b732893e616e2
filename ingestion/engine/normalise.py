"""Turn rows of text into incidents, and account for every row that is not one.

Each received row ends in exactly one class: an incident, superseded by a newer version in the same file
(counted as unchanged), quarantined with a code, or refused by policy. Policy comes first: a refused offence is never
kept, not even in the quarantine for another fault.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.engine.coarsen import coarsen_chunk, without_older
from ingestion.engine.codes import NOT_GUNFIRE_RULE, Accepted, CodeTable, Decision, Refusal
from ingestion.engine.context import NormaliseContext
from ingestion.engine.fingerprint import content_hashes
from ingestion.engine.mapping import CLOCK_FIELDS, DISCOVERIES, TIME_FIELDS, FeedMapping
from ingestion.engine.places import OK, PLACE_CODES, Places, parse_places
from ingestion.engine.records import NormalisedChunk, NormalisedIncident, QuarantinedValue
from ingestion.engine.rejections import Rejection, excerpt
from ingestion.engine.row_texts import (
    MAX_EXTERNAL_ID_CHARACTERS,
    Verdicts,
    clean_texts,
    code_columns,
    external_ids,
    field_texts,
)
from ingestion.engine.rows import RowChunk
from ingestion.engine.split_times import join_dates_and_clocks
from ingestion.engine.stages import DETECTED, DISMISSED, NO_VERSION, STAGES, stage_ranks, stage_versions
from ingestion.engine.timestamps import EMPTY, READ, TIME_PRECISIONS, UNREADABLE, ParsedTimes, parse_times
from ingestion.engine.units import hashes_with_units, own_units

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]
Reasons = Sequence[tuple[str, str]]

EARLIEST = np.datetime64("1970-01-02T00:00:00", "s")
STORED_VALUE_CHARACTERS = 500

RETENTION_RULE = "older_than_retention"
RETENTION_MESSAGE = "The record is older than the agency keeps such records (Admin → Retention policies)."

_NAT = np.datetime64("NaT", "s")

__all__ = [
    "NormaliseContext",
    "NormalisedChunk",
    "NormalisedIncident",
    "QuarantinedValue",
    "normalise",
    "normalise_chunk",
]

_DISCOVERY_WORDS: Mapping[str, str] = {
    **{word: word for word in DISCOVERIES},
    **dict.fromkeys(
        ("citizen", "public", "caller", "911", "phone", "e911", "walk-in", "online", "dispatched"), "reported"
    ),
    **dict.fromkeys(("acoustic", "shotspotter", "alarm"), "sensor"),
    **dict.fromkeys(
        (
            "officer",
            "officer initiated",
            "officer-initiated",
            "self initiated",
            "self-initiated",
            "on view",
            "on-view",
            "onview",
        ),
        "officer_initiated",
    ),
}


@dataclass(frozen=True)
class _CodeOutcome:
    """What the codes decide, by combination of codes (``keys``), and the account of the refused rows."""

    index: Ints
    decisions: list[Decision]
    alive: Ints
    """Rows of the chunk that are not refused."""
    refused_rows: Ints
    is_other: Bools
    """By combination: an alert of a feed with stages that is no gunfire."""

    def accepted(self, rows: Ints) -> tuple[list[str], list[str]]:
        """Crime type and code of these rows, which are accepted."""
        types = [one.crime_type if isinstance(one, Accepted) else "" for one in self.decisions]
        codes = [one.code if isinstance(one, Accepted) else "" for one in self.decisions]
        index = self.index[rows].tolist()
        return [types[one] for one in index], [codes[one] for one in index]

    def mark(self, verdicts: Verdicts) -> None:
        """The rows that wait for their code's mapping; ``verdicts`` are those of the rows alive."""
        index = self.index[self.alive]
        for key, decision in enumerate(self.decisions):
            if isinstance(decision, Rejection):
                verdicts.mark_as(np.flatnonzero(index == key), decision)

    def account(self) -> tuple[Counter[tuple[str, str]], dict[tuple[str, str], str], tuple[Ints, Reasons]]:
        """Refused rows by (rule, code), a message for each, and each row's reason."""
        counts: Counter[tuple[str, str]] = Counter()
        messages: dict[tuple[str, str], str] = {}
        reasons = [(one.rule, one.code) if isinstance(one, Refusal) else ("", "") for one in self.decisions]
        index = self.index[self.refused_rows]
        keys, first_rows, numbers = np.unique(index, return_index=True, return_counts=True)
        # Several words may stand for one reason: the first row's message is told.
        for place in np.argsort(first_rows).tolist():
            key = int(keys[place])
            counts[reasons[key]] += int(numbers[place])
            decision = self.decisions[key]
            if isinstance(decision, Refusal):
                messages.setdefault(reasons[key], decision.message)
        return counts, messages, (index, reasons)


def _decide_codes(chunk: RowChunk, mapping: FeedMapping, codes: CodeTable) -> _CodeOutcome:
    columns = code_columns(chunk, mapping)
    # A national code for the whole file is a person's word, and no row's: it must not silence what the rows say.
    is_declared = bool({"nibrs_code", "ucr_code"} & set(mapping.constants))
    # An alert that was stored as gunfire and turns out to be fireworks must be overwritten, not left standing.
    is_staged = "stage" in mapping.columns
    decisions: list[Decision] = []
    is_other = np.zeros(len(columns.keys), dtype=np.bool_)
    for key, (code, nibrs, ucr, description) in enumerate(columns.keys):
        decide = partial(
            codes.decide,
            code=code,
            description=description,
            kind=mapping.record_kind,
            separator=mapping.code_separator,
            ignored=mapping.ignored_codes,
        )
        by_words = decide(code=code or description[:60]) if is_declared else None
        decision = by_words if isinstance(by_words, Refusal) else decide(nibrs=nibrs, ucr=ucr)
        not_gunfire = isinstance(decision, Refusal) and decision.rule == NOT_GUNFIRE_RULE
        if is_staged and not_gunfire and not (nibrs or ucr) and (slug := codes.gunfire_type()):
            is_other[key] = True
            decision = Accepted(slug, code)
        decisions.append(decision)
    is_refused = np.array([isinstance(one, Refusal) for one in decisions], dtype=np.bool_)
    refused = is_refused[columns.index] if decisions else np.zeros(0, dtype=np.bool_)
    return _CodeOutcome(columns.index, decisions, np.flatnonzero(~refused), np.flatnonzero(refused), is_other)


def _read_times(
    texts: Mapping[str, list[str]], mapping: FeedMapping, context: NormaliseContext, verdicts: Verdicts
) -> dict[str, ParsedTimes]:
    zone = mapping.time_zone or context.zone
    parsed: dict[str, ParsedTimes] = {}
    for name in TIME_FIELDS:
        column = texts.get(name, [])
        if name != "occurred_from" and not any(column):
            # A field that is mapped and never sent: four of five for most alerts.
            parsed[name] = ParsedTimes.empty(len(verdicts.fault))
            continue
        if (clock := CLOCK_FIELDS.get(name, "")) in texts:
            column, unreadable = join_dates_and_clocks(
                column, texts[clock], date_format=mapping.date_format, zone=zone
            )
            verdicts.mark_where(unreadable, "bad_timestamp", clock)
        times = parse_times(column, date_format=mapping.date_format, zone=zone)
        parsed[name] = times
        if name == "occurred_from":
            verdicts.mark_where(times.status == EMPTY, "missing_timestamp", name)
        verdicts.mark_where(times.status == UNREADABLE, "bad_timestamp", name)
        read = times.status == READ
        verdicts.mark_where(read & (times.utc > context.latest), "future_timestamp", name)
        verdicts.mark_where(read & (times.utc < EARLIEST), "implausible_past", name)
    return parsed


def _interval_end(start: ParsedTimes, end: ParsedTimes) -> Times:
    """The end of each interval: as given, or the start's own (the whole day for a date alone)."""
    # In the repeated hour 01:50–01:10 is no error: the end is the clock's second 01:10.
    given = np.where(end.end_utc < start.utc, end.later_utc, end.end_utc)
    return np.where(end.status == READ, given, start.end_utc)


def _discoveries(
    texts: Mapping[str, list[str]], n: int, mapping: FeedMapping, verdicts: Verdicts
) -> list[str]:
    default = "sensor" if mapping.record_kind == "gunfire" else "reported"
    if "discovery" not in texts:
        return [default] * n
    words = {
        **_DISCOVERY_WORDS,
        **{word.strip().lower(): ours for word, ours in mapping.discovery_values.items()},
        "": default,
    }
    found = [words.get(text.lower(), "") for text in texts["discovery"]]
    verdicts.mark(
        np.array([i for i, ours in enumerate(found) if not ours], np.int64), "unknown_discovery", "discovery"
    )
    return found


def _mark_places(places: Places, mapping: FeedMapping, verdicts: Verdicts) -> None:
    field_name = "x" if mapping.is_projected else "lon"
    for status in np.unique(places.status):
        if status != OK:
            verdicts.mark_where(places.status == status, PLACE_CODES[int(status)], field_name)


def _stage_times(times: Mapping[str, ParsedTimes], ranks: Ints, verdicts: Verdicts) -> Times:
    """When each alert reached its stage: as told, else the record's last update, else for a detection the shot itself."""
    told, updated = times["stage_at"], times["last_updated"]
    at = np.where(told.status == READ, told.utc, np.where(updated.status == READ, updated.utc, _NAT))
    at = np.where(np.isnat(at) & (ranks == DETECTED), times["occurred_from"].utc, at)
    # Without a time a late "detected" could overwrite it, and what was dismissed would count again.
    verdicts.mark_where(np.isnat(at) & (ranks > DETECTED), "missing_stage_time", "stage_at")
    return at


def _winners(ids: Sequence[str], version: Ints) -> Bools:
    """True for the row of each identifier that counts: the newest version, among equals the later row."""
    winners = np.ones(len(ids), dtype=np.bool_)
    if len(set(ids)) == len(ids):
        return winners
    best: dict[str, int] = {}
    for row, key in enumerate(ids):
        before = best.get(key)
        if before is None or version[row] >= version[before]:
            best[key] = row
    winners[:] = False
    winners[list(best.values())] = True
    return winners


def _objects(values: Sequence[str]) -> Objects:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _quarantined(
    chunk: RowChunk,
    mapping: FeedMapping,
    texts: Mapping[str, list[str]],
    ids: Sequence[str],
    alive: Ints,
    verdicts: Verdicts,
) -> list[QuarantinedValue]:
    kept = []
    for place in np.flatnonzero(verdicts.fault).tolist():
        rejection = verdicts.of(place)
        if rejection is None:
            continue
        row = int(alive[place])
        if not rejection.value_excerpt and rejection.field in texts:
            rejection = Rejection(rejection.code, rejection.field, excerpt(texts[rejection.field][place]))
        values = {
            name: excerpt(chunk.columns[name][row], STORED_VALUE_CHARACTERS) for name in mapping.column_names
        }
        kept.append(
            QuarantinedValue(
                int(chunk.row_numbers[row]),
                rejection,
                excerpt(ids[place], MAX_EXTERNAL_ID_CHARACTERS - 30),
                values,
            )
        )
    return kept


def normalise_chunk(chunk: RowChunk, mapping: FeedMapping, context: NormaliseContext) -> NormalisedChunk:
    """Read a few thousand rows at once; every row of the chunk is accounted for exactly once.

    ``mapping`` must be valid (``mapping.validate``) and its columns present in the chunk. A row's outcome does not
    depend on the other rows, except that an older version of the same identifier is superseded.
    """
    # Policy first: of a refused row, often more than half of a file, nothing else is read.
    codes = _decide_codes(chunk, mapping, context.codes)
    alive = codes.alive
    n = len(alive)
    verdicts = Verdicts(n)
    texts = field_texts(chunk, mapping, alive)
    clean_texts(texts, verdicts)
    ids = external_ids(texts, mapping, verdicts)
    codes.mark(verdicts)
    times = _read_times(texts, mapping, context, verdicts)
    start = times["occurred_from"]
    end_utc = _interval_end(start, times["occurred_to"])
    verdicts.mark_where(
        end_utc < start.utc, "end_before_start", "occurred_to" if "occurred_to" in texts else "occurred_from"
    )

    x_field, y_field = ("x", "y") if mapping.is_projected else ("lon", "lat")
    places = parse_places(
        texts[x_field],
        texts[y_field],
        epsg=mapping.crs if mapping.is_projected else 4326,
        boundary=context.boundary,
    )
    _mark_places(places, mapping, verdicts)
    discoveries = _discoveries(texts, n, mapping, verdicts)
    updated = times["last_updated"].utc
    version = np.where(np.isnat(updated), NO_VERSION, updated.astype(np.int64))
    is_staged = "stage" in texts
    if is_staged:
        ranks = stage_ranks(texts["stage"])
        verdicts.mark_where(ranks < 0, "unknown_stage", "stage")
        stage_at = _stage_times(times, ranks, verdicts)
        version = stage_versions(stage_at, ranks)

    usable = np.flatnonzero(verdicts.fault == 0)
    usable_ids = [ids[i] for i in usable.tolist()]
    winners = _winners(usable_ids, version[usable])
    keep, older = usable[winners], alive[usable[~winners]]
    rows = alive[keep]
    crime_types, own_codes = codes.accepted(rows)

    columns = {
        "crime_type": crime_types,
        "code": own_codes,
        "discovery": [discoveries[i] for i in keep.tolist()],
        "time_precision": [TIME_PRECISIONS[i] for i in start.precision[keep].tolist()],
    }
    # A date of report alone is known at the day's end: earlier would let a forecast see the future.
    instants = (
        start.utc[keep],
        end_utc[keep],
        times["reported_at"].end_utc[keep],
        times["last_updated"].utc[keep],
    )
    staged: dict[str, Any] = {}
    hashed_texts = list(columns.values())
    hashed_times: tuple[Times, ...] = instants
    if is_staged:
        stages = [STAGES[rank] for rank in ranks[keep]]
        is_shot = ~codes.is_other[codes.index[rows]] & (ranks[keep] != DISMISSED)
        counts: list[bool] = is_shot.tolist()
        staged = {
            "stage": _objects(stages),
            "stage_at": stage_at[keep],
            "is_gunfire": is_shot,
        }
        hashed_texts += [stages, [str(one) for one in counts]]
        hashed_times = (*instants, stage_at[keep])
    if "unit" in texts:
        units = own_units(texts["unit"], discoveries, keep, context.call_signs)
        staged["unit"] = _objects(units)
    lon, lat = places.lon[keep], places.lat[keep]
    kept_aside = _quarantined(chunk, mapping, texts, ids, alive, verdicts)
    kept_aside += [QuarantinedValue(row.row_number, row.rejection, "", {}) for row in chunk.rejections]
    refused, messages, reasons = codes.account()
    result = NormalisedChunk(
        received=chunk.received,
        row_number=chunk.row_numbers[rows],
        external_id=_objects(usable_ids)[winners],
        crime_type=_objects(columns["crime_type"]),
        code=_objects(columns["code"]),
        occurred_from=instants[0],
        occurred_to=instants[1],
        reported_at=instants[2],
        last_updated=instants[3],
        lon=lon,
        lat=lat,
        discovery=_objects(columns["discovery"]),
        time_precision=_objects(columns["time_precision"]),
        content_hash=hashes_with_units(
            content_hashes(texts=hashed_texts, times=hashed_times, degrees=(lon, lat)), staged.get("unit")
        ),
        place_precision_m=places.precision_m[keep],
        superseded=np.sort(np.concatenate([chunk.row_numbers[older], chunk.superseded_row_numbers])),
        quarantined=tuple(sorted(kept_aside, key=lambda value: value.row_number)),
        refused=refused,
        refusal_messages=messages,
        refused_numbers=chunk.row_numbers[codes.refused_rows],
        refused_reasons=reasons,
        **staged,
    )
    return _retained(result, context)


def _retained(chunk: NormalisedChunk, context: NormaliseContext) -> NormalisedChunk:
    """What the agency's retention leaves of the records."""
    if context.delete_before is not None:
        chunk = without_older(chunk, context.delete_before, RETENTION_RULE, RETENTION_MESSAGE)
    if context.coarsen_before is not None:
        chunk = coarsen_chunk(chunk, context.coarsen_before)
    return chunk


def normalise(
    row: Mapping[str, str], mapping: FeedMapping, context: NormaliseContext, row_number: int = 1
) -> NormalisedIncident | Rejection | Refusal:
    """What becomes of one row: an incident, a rejection with its code, or a refusal by policy."""
    chunk = RowChunk.from_rows([row], mapping.column_names, [row_number])
    result = normalise_chunk(chunk, mapping, context)
    if len(result):
        return next(result.incidents())
    if result.quarantined:
        return result.quarantined[0].rejection
    (rule, code) = next(iter(result.refused))
    return Refusal(rule, code, result.refusal_messages[rule, code])
