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
from ingestion.engine.codes import NOT_GUNFIRE_RULE, Accepted, CodeTable, Refusal
from ingestion.engine.context import NormaliseContext
from ingestion.engine.fingerprint import content_hashes
from ingestion.engine.mapping import DISCOVERIES, TIME_FIELDS, FeedMapping
from ingestion.engine.places import OK, PLACE_CODES, Places, parse_places
from ingestion.engine.records import NormalisedChunk, NormalisedIncident, QuarantinedValue
from ingestion.engine.rejections import Rejection, excerpt
from ingestion.engine.row_texts import (
    MAX_EXTERNAL_ID_CHARACTERS,
    Verdicts,
    clean_texts,
    external_ids,
    field_texts,
)
from ingestion.engine.rows import RowChunk
from ingestion.engine.stages import DETECTED, DISMISSED, NO_VERSION, STAGES, stage_ranks, stage_versions
from ingestion.engine.timestamps import EMPTY, READ, TIME_PRECISIONS, UNREADABLE, ParsedTimes, parse_times

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

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


@dataclass
class _CodeOutcome:
    crime_type: list[str]
    code: list[str]
    refused_rows: Ints
    refused: Counter[tuple[str, str]]
    messages: dict[tuple[str, str], str]
    reasons: list[tuple[str, str]]
    """The (rule, code) of each of ``refused_rows``."""
    something_else: list[int]
    """Rows of a feed with stages that tell of an alert that is no gunfire."""


def _decide_codes(
    texts: Mapping[str, list[str]], n: int, mapping: FeedMapping, codes: CodeTable, verdicts: Verdicts
) -> _CodeOutcome:
    blank = [""] * n
    keys = zip(
        *(texts.get(name, blank) for name in ("code", "nibrs_code", "ucr_code", "description")), strict=True
    )
    # A national code for the whole file is a person's word, and no row's: it must not silence what the rows say.
    is_declared = bool({"nibrs_code", "ucr_code"} & set(mapping.constants))
    outcome = _CodeOutcome([""] * n, [""] * n, np.zeros(0, np.int64), Counter(), {}, [], [])
    refused: list[int] = []
    # An alert that was stored as gunfire and turns out to be fireworks must be overwritten, not left standing.
    is_staged = "stage" in texts
    seen: dict[tuple[str, ...], Accepted | Rejection | Refusal] = {}
    for row, key in enumerate(keys):
        decision = seen.get(key)
        if decision is None:
            decide = partial(
                codes.decide,
                code=key[0],
                description=key[3],
                kind=mapping.record_kind,
                separator=mapping.code_separator,
                ignored=mapping.ignored_codes,
            )
            by_words = decide(code=key[0] or key[3][:60]) if is_declared else None
            decision = by_words if isinstance(by_words, Refusal) else decide(nibrs=key[1], ucr=key[2])
            seen[key] = decision
        is_other = isinstance(decision, Refusal) and decision.rule == NOT_GUNFIRE_RULE
        if is_staged and is_other and not (key[1] or key[2]) and (slug := codes.gunfire_type()):
            outcome.something_else.append(row)
            decision = Accepted(slug, key[0])
        if isinstance(decision, Accepted):
            outcome.crime_type[row] = decision.crime_type
            outcome.code[row] = decision.code
        elif isinstance(decision, Refusal):
            refused.append(row)
            reason = (decision.rule, decision.code)
            outcome.reasons.append(reason)
            outcome.refused[reason] += 1
            outcome.messages.setdefault(reason, decision.message)
        else:
            verdicts.mark_one(row, decision)
    outcome.refused_rows = np.array(refused, dtype=np.int64)
    return outcome


def _no_times(n: int) -> ParsedTimes:
    nat = np.full(n, _NAT)
    return ParsedTimes(nat, nat, nat, np.zeros(n, np.int8), np.full(n, EMPTY, np.int8))


def _read_times(
    texts: Mapping[str, list[str]],
    alive: Ints,
    mapping: FeedMapping,
    context: NormaliseContext,
    verdicts: Verdicts,
) -> dict[str, ParsedTimes]:
    zone = mapping.time_zone or context.zone
    parsed: dict[str, ParsedTimes] = {}
    for name in TIME_FIELDS:
        column = texts.get(name, [])
        if name != "occurred_from" and not any(column):
            # A field that is mapped and never sent: four of five for most alerts.
            parsed[name] = _no_times(len(alive))
            continue
        times = parse_times([column[i] for i in alive], date_format=mapping.date_format, zone=zone)
        parsed[name] = times
        if name == "occurred_from":
            verdicts.mark(alive[times.status == EMPTY], "missing_timestamp", name)
        verdicts.mark(alive[times.status == UNREADABLE], "bad_timestamp", name)
        read = times.status == READ
        verdicts.mark(alive[read & (times.utc > context.latest)], "future_timestamp", name)
        verdicts.mark(alive[read & (times.utc < EARLIEST)], "implausible_past", name)
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


def _mark_places(places: Places, alive: Ints, mapping: FeedMapping, verdicts: Verdicts) -> None:
    field_name = "x" if mapping.is_projected else "lon"
    for status in np.unique(places.status):
        if status != OK:
            verdicts.mark(alive[places.status == status], PLACE_CODES[int(status)], field_name)


def _stage_times(times: Mapping[str, ParsedTimes], ranks: Ints, alive: Ints, verdicts: Verdicts) -> Times:
    """When each alert reached its stage: as told, else the record's last update, else for a detection the shot itself."""
    told, updated = times["stage_at"], times["last_updated"]
    at = np.where(told.status == READ, told.utc, np.where(updated.status == READ, updated.utc, _NAT))
    at = np.where(np.isnat(at) & (ranks == DETECTED), times["occurred_from"].utc, at)
    # Without a time a late "detected" could overwrite it, and what was dismissed would count again.
    verdicts.mark(alive[np.isnat(at) & (ranks > DETECTED)], "missing_stage_time", "stage_at")
    return at


def _winners(ids: Sequence[str], version: Ints) -> Bools:
    """True for the row of each identifier that counts: the newest version, among equals the later row."""
    best: dict[str, int] = {}
    for row, key in enumerate(ids):
        before = best.get(key)
        if before is None or version[row] >= version[before]:
            best[key] = row
    winners = np.zeros(len(ids), dtype=np.bool_)
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
    rows: Ints,
    verdicts: Verdicts,
) -> list[QuarantinedValue]:
    kept = []
    for row in rows.tolist():
        rejection = verdicts.of(row)
        if rejection is None:
            continue
        if not rejection.value_excerpt and rejection.field in texts:
            rejection = Rejection(rejection.code, rejection.field, excerpt(texts[rejection.field][row]))
        values = {
            name: excerpt(chunk.columns[name][row], STORED_VALUE_CHARACTERS) for name in mapping.column_names
        }
        kept.append(
            QuarantinedValue(
                int(chunk.row_numbers[row]),
                rejection,
                excerpt(ids[row], MAX_EXTERNAL_ID_CHARACTERS - 30),
                values,
            )
        )
    return kept


def normalise_chunk(chunk: RowChunk, mapping: FeedMapping, context: NormaliseContext) -> NormalisedChunk:
    """Read a few thousand rows at once; every row of the chunk is accounted for exactly once.

    ``mapping`` must be valid (``mapping.validate``) and its columns present in the chunk. A row's outcome does not
    depend on the other rows, except that an older version of the same identifier is superseded.
    """
    n = len(chunk)
    verdicts = Verdicts(n)
    texts = field_texts(chunk, mapping)
    clean_texts(texts, verdicts)
    ids = external_ids(texts, mapping, verdicts)
    codes = _decide_codes(texts, n, mapping, context.codes, verdicts)

    wanted = np.ones(n, dtype=np.bool_)
    wanted[codes.refused_rows] = False
    alive = np.flatnonzero(wanted)
    times = _read_times(texts, alive, mapping, context, verdicts)
    start = times["occurred_from"]
    end_utc = _interval_end(start, times["occurred_to"])
    verdicts.mark(
        alive[end_utc < start.utc],
        "end_before_start",
        "occurred_to" if "occurred_to" in texts else "occurred_from",
    )

    x_field, y_field = ("x", "y") if mapping.is_projected else ("lon", "lat")
    places = parse_places(
        [texts[x_field][i] for i in alive],
        [texts[y_field][i] for i in alive],
        epsg=mapping.crs if mapping.is_projected else 4326,
        boundary=context.boundary,
    )
    _mark_places(places, alive, mapping, verdicts)
    discoveries = _discoveries(texts, n, mapping, verdicts)
    updated = times["last_updated"].utc
    version = np.where(np.isnat(updated), NO_VERSION, updated.astype(np.int64))
    is_staged = "stage" in texts
    if is_staged:
        ranks = stage_ranks([texts["stage"][i] for i in alive])
        verdicts.mark(alive[ranks < 0], "unknown_stage", "stage")
        stage_at = _stage_times(times, ranks, alive, verdicts)
        version = stage_versions(stage_at, ranks)

    faulty = verdicts.fault != 0
    usable = np.flatnonzero(~faulty[alive])
    winners = _winners([ids[i] for i in alive[usable]], version[usable])
    keep, older = usable[winners], alive[usable[~winners]]
    rows = alive[keep]

    columns = {
        "crime_type": [codes.crime_type[i] for i in rows],
        "code": [codes.code[i] for i in rows],
        "discovery": [discoveries[i] for i in rows],
        "time_precision": [TIME_PRECISIONS[i] for i in start.precision[keep]],
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
        else_rows = set(codes.something_else)
        stages = [STAGES[rank] for rank in ranks[keep]]
        counts = [
            r not in else_rows and stage != STAGES[DISMISSED]
            for r, stage in zip(rows.tolist(), stages, strict=True)
        ]
        staged = {
            "stage": _objects(stages),
            "stage_at": stage_at[keep],
            "is_gunfire": np.array(counts, dtype=np.bool_),
        }
        hashed_texts += [stages, [str(one) for one in counts]]
        hashed_times = (*instants, stage_at[keep])
    lon, lat = places.lon[keep], places.lat[keep]
    kept_aside = _quarantined(chunk, mapping, texts, ids, np.flatnonzero(faulty & wanted), verdicts)
    kept_aside += [QuarantinedValue(row.row_number, row.rejection, "", {}) for row in chunk.rejections]
    result = NormalisedChunk(
        received=chunk.received,
        row_number=chunk.row_numbers[rows],
        external_id=_objects([ids[i] for i in rows]),
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
        content_hash=content_hashes(texts=hashed_texts, times=hashed_times, degrees=(lon, lat)),
        place_precision_m=places.precision_m[keep],
        superseded=np.sort(np.concatenate([chunk.row_numbers[older], chunk.superseded_row_numbers])),
        quarantined=tuple(sorted(kept_aside, key=lambda value: value.row_number)),
        refused=codes.refused,
        refusal_messages=codes.messages,
        refused_rows=tuple(
            (int(chunk.row_numbers[row]), *reason)
            for row, reason in zip(codes.refused_rows.tolist(), codes.reasons, strict=True)
        ),
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
