"""A feed's stored rows as columns, for measuring how good they are."""

import hashlib
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Case, Count, IntegerField, Max, Value, When
from django.db.models.functions import Coalesce

from ingestion.engine.quality import QualityColumns
from ingestion.models import Feed, ImportRun, QuarantinedRow, fact_model
from missions_project.lib.number_rows import FETCH_ROWS, EpochSeconds

TIME_PRECISIONS = ("second", "minute", "day", "ambiguous", "shifted", "hour", "other")
_NEVER = -(2**53)
"""Stands for an empty time: whole numbers up to here are exact in float64."""


def feed_columns(feed: Feed) -> QualityColumns:
    """Return the feed's stored rows as columns, in no order that means anything. One query; block by block."""
    known = [
        When(time_precision=name, then=Value(number)) for number, name in enumerate(TIME_PRECISIONS[:-1])
    ]
    values = (
        fact_model(feed.record_kind)
        ._default_manager.filter(feed=feed)
        .order_by()
        .values_list(
            "lon",
            "lat",
            EpochSeconds("occurred_from"),
            EpochSeconds("occurred_to"),
            Coalesce(EpochSeconds("reported_at"), Value(_NEVER)),
            Coalesce("crime_type_id", Value(-1)),
            Case(*known, default=Value(len(TIME_PRECISIONS) - 1), output_field=IntegerField()),
            Coalesce("place_precision_m", Value(0)),
        )
        .iterator(chunk_size=FETCH_ROWS)
    )
    blocks = [np.zeros((0, 8))]
    while block := list(islice(values, FETCH_ROWS)):
        blocks.append(np.array(block, dtype=np.float64))
    table = np.concatenate(blocks)
    whole = table[:, 2:].astype(np.int64)
    reported = whole[:, 2].astype("datetime64[s]")
    reported[whole[:, 2] == _NEVER] = np.datetime64("NaT")
    return QualityColumns(
        lon=table[:, 0],
        lat=table[:, 1],
        occurred=whole[:, 0].astype("datetime64[s]"),
        ended=whole[:, 1].astype("datetime64[s]"),
        reported=reported,
        category=whole[:, 3],
        time_precision=whole[:, 4],
        time_precisions=TIME_PRECISIONS,
        place_precision_m=whole[:, 5],
    )


def feed_version(feed: Feed, *, now: datetime) -> str:
    """Return a mark that changes with the feed's rows and with the agency's date. Two queries, no rows fetched.

    A row that a push updates leaves it as it was until the next day: summing contents would read the whole table.
    """
    stored = (
        fact_model(feed.record_kind)._default_manager.filter(feed=feed).order_by().aggregate(n=Count("pk"))
    )
    runs = ImportRun.objects.filter(feed=feed).order_by().aggregate(n=Count("pk"), last=Max("finished_at"))
    today = now.astimezone(ZoneInfo(feed.agency.time_zone)).date()
    text = f"{today}:{feed.agency.time_zone}:{stored}:{runs}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def feed_waiting(feed: Feed) -> dict[str, int]:
    """Return how many rows of the feed are kept aside, by code, most first. One query."""
    rows = QuarantinedRow.objects.filter(feed=feed, resolved_at=None).order_by()
    counted: Any = rows.values_list("code").annotate(n=Count("pk")).order_by("-n", "code")
    return dict(counted)
