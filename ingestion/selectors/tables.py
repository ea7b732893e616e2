"""The only door from stored incidents to numbers."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
import shapely.geometry
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Max, Min, QuerySet, Sum, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.utils.translation import gettext as _

from agencies.engine.local_time import utc_to_local
from agencies.models import Agency, CrimeType
from agencies.selectors import active_crime_types
from ingestion.engine.tables import IncidentTable, WatchedArea
from ingestion.engine.withheld import UNTAUGHT_DISCOVERIES
from ingestion.models import (
    CallForService,
    ContextLayer,
    Discovery,
    Feed,
    GunfireAlert,
    Incident,
    RecordKind,
)
from missions_project.lib.errors import MissionsError
from missions_project.lib.number_rows import EpochSeconds, numbers_of

CALLS = "calls"
"""The category of calls for service: a feature, never a target."""
GUNFIRE = "gunfire"


def incident_table(
    agency: Agency,
    *,
    epsg: int,
    until: datetime | None = None,
    since: datetime | None = None,
    with_sensors: bool = True,
    with_calls: bool = True,
) -> IncidentTable:
    """Return what happened, as columns: the incidents that forecasts may learn from.

    Holds incidents, gunfire alerts and calls about shots of the agency's active crime types, and the other calls
    for service as the category "calls" (named if the agency has such a feed). What officers initiated is left out: it maps
    where they were, not where crime was. Without ``with_sensors`` what only sensors tell of is left out too: a study of
    effects counts what the public reports. Without ``with_calls`` calls about no crime type are left out. ``since <= occurred < until`` where given. ``epsg`` is the grid's
    projected CRS. An incident without a report time counts as known when its interval ended. Sorted by
    time of occurrence; ties by source, then by age of the row. Where coverage layers say what gunfire sensors hear, the
    table says so too. Five queries, two more with a gunfire type; half a million rows take about two seconds.
    """
    types = forecastable_types(agency)
    categories = tuple(crime_type.slug for crime_type in types)
    if Feed.objects.filter(agency=agency, record_kind=RecordKind.CALLS).exists():
        categories = (*categories, CALLS)
    number_of = {crime_type.pk: number for number, crime_type in enumerate(types)}
    rows = np.concatenate(
        [
            _rows(rows, number_of)
            for rows in stored_rows(
                agency, types, since, until, with_sensors=with_sensors, with_calls=with_calls
            )
        ]
    )
    rows = rows[rows[:, 5] < len(categories)]
    rows = rows[np.argsort(rows[:, 2], kind="stable")]
    projection = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
    x_m, y_m = projection.transform(rows[:, 0], rows[:, 1])
    occurred, ended, known = (_instants(rows[:, column]) for column in (2, 3, 4))
    return IncidentTable(
        x_m=np.asarray(x_m, dtype=np.float64),
        y_m=np.asarray(y_m, dtype=np.float64),
        occurred_utc=occurred,
        occurred_to_utc=ended,
        occurred_local=utc_to_local(occurred, agency.time_zone),
        known_utc=np.maximum(known, occurred),
        category=rows[:, 5].astype(np.int16),
        categories=categories,
        watched=watched_areas(agency, types, epsg=epsg),
    )


def watched_areas(agency: Agency, types: list[CrimeType], *, epsg: int) -> tuple[WatchedArea, ...]:
    """Return where gunfire can be heard, for the gunfire types that only sensors tell of. At most two queries.

    A type that calls about shots feed too is known everywhere: people call wherever they are.
    """
    heard = [crime_type for crime_type in types if crime_type.nibrs_code == GUNFIRE]
    layers = (
        list(ContextLayer.objects.filter(agency=agency, kind=ContextLayer.Kind.COVERAGE).order_by("pk"))
        if heard
        else []
    )
    if not layers:
        return ()
    called = set(
        CallForService.objects.filter(agency=agency, crime_type__in=heard)
        .exclude(discovery__in=tuple(UNTAUGHT_DISCOVERIES))
        .values_list("crime_type_id", flat=True)
        .distinct()
    )
    projection = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
    areas = []
    for layer in layers:
        shapes = [shapely.geometry.shape(feature["geometry"]) for feature in layer.geojson["features"]]
        union = shapely.union_all(shapely.make_valid(np.array(shapes, dtype=object)))
        metres = shapely.transform(union, lambda p: np.column_stack(projection.transform(p[:, 0], p[:, 1])))
        since = np.datetime64(layer.valid_from or "1900-01-01", "s")
        areas += [WatchedArea(one.slug, metres, since) for one in heard if one.pk not in called]
    return tuple(areas)


def data_hash(agency: Agency, *, until: datetime | None = None, since: datetime | None = None) -> str:
    """Return a short mark that changes whenever ``incident_table`` would. Four queries (one more with a gunfire type), no rows fetched.

    Kept with every training and forecast run: two runs with one mark saw the same incidents, and knew of the same coverage.
    """
    types = forecastable_types(agency)
    digest = hashlib.blake2b(agency.time_zone.encode(), digest_size=16)
    digest.update(repr(sorted((crime_type.pk, crime_type.slug) for crime_type in types)).encode())
    for rows in stored_rows(agency, types, since, until):
        summary = rows.order_by().aggregate(
            rows=Count("pk"),
            first=Min("pk"),
            last=Max("pk"),
            # 31 bits a row: SQLite's SUM raises an error when 64 bits overflow.
            contents=Sum(F("content_hash").bitand(2**31 - 1)),
            mixed=Sum(F("content_hash").bitand(2**31 - 1) % 8191 * (F("pk") % 8191)),
        )
        digest.update(repr([int(summary[name] or 0) for name in sorted(summary)]).encode())
    if any(crime_type.nibrs_code == GUNFIRE for crime_type in types):
        coverage = ContextLayer.objects.filter(agency=agency, kind=ContextLayer.Kind.COVERAGE).order_by("pk")
        for valid_from, text in coverage.annotate(text=Cast("geojson", TextField())).values_list(
            "valid_from", "text"
        ):
            digest.update(f"{valid_from}:{text}".encode())
    return digest.hexdigest()


def forecastable_types(agency: Agency) -> list[CrimeType]:
    """Return the agency's active crime types, each checked against the policy once more. One query.

    The last door before the engines: a row that was written around the model's own check (a bulk update, the
    database's shell) must not be trained on. Raises ``MissionsError`` that names it.
    """
    types = active_crime_types(agency)
    for crime_type in types:
        try:
            crime_type.clean()
        except ValidationError as exc:
            raise MissionsError(
                _("Crime type “%(crime_type)s” cannot be forecast: %(messages)s")
                % {"crime_type": crime_type, "messages": " ".join(exc.messages)},
                next_step=_("correct it, or make it inactive (Admin → Crime types)."),
            ) from exc
    return types


def stored_rows(
    agency: Agency,
    types: list[CrimeType],
    since: datetime | None,
    until: datetime | None,
    *,
    with_sensors: bool = True,
    with_calls: bool = True,
) -> Iterator[QuerySet[Any]]:
    """Yield the rows that may be learnt from: incidents, gunfire alerts, calls; never what officers initiated.

    Without ``with_calls`` only those calls that are about a crime type.
    """
    for model in (Incident, GunfireAlert, CallForService):
        if model is GunfireAlert and not with_sensors:
            continue
        rows: QuerySet[Any] = model._default_manager.filter(agency=agency)
        rows = rows.exclude(discovery__in=tuple(UNTAUGHT_DISCOVERIES))
        if not with_sensors:
            rows = rows.exclude(discovery=Discovery.SENSOR)
        if model is not CallForService or not with_calls:
            rows = rows.filter(crime_type__in=[crime_type.pk for crime_type in types])
        if model is GunfireAlert:
            # Dismissed, or fireworks after all: kept for audit, never learnt from.
            rows = rows.filter(is_gunfire=True)
        if since is not None:
            rows = rows.filter(occurred_from__gte=since)
        if until is not None:
            rows = rows.filter(occurred_from__lt=until)
        yield rows.order_by("pk")


def _rows(rows: QuerySet[Any], number_of: dict[int, int]) -> npt.NDArray[np.float64]:
    """The rows as float64[n, 6]: lon, lat, from, to, known (seconds), category. Seconds are exact in float64."""
    values = rows.values_list(
        "lon",
        "lat",
        EpochSeconds("occurred_from"),
        EpochSeconds("occurred_to"),
        EpochSeconds(Coalesce("reported_at", "occurred_to")),
        Coalesce("crime_type_id", Value(-1)),
    )
    table = numbers_of(values, columns=6)
    calls = len(number_of)
    ids, positions = np.unique(table[:, 5].astype(np.int64), return_inverse=True)
    table[:, 5] = np.array([number_of.get(int(pk), calls) for pk in ids])[positions]
    return table


def _instants(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.datetime64]:
    return seconds.astype(np.int64).astype("datetime64[s]")
