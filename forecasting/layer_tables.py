"""The maps' layers as tables: what a map shows by colour and place, for whoever reads instead of looking. Agency first, as everywhere."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.http import Http404, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from agencies.access import Access
from agencies.map_tables import beat_codes, of_beat, paged
from agencies.models import Agency, Beat, CrimeType
from agencies.selectors import beats_at
from forecasting.risk_page import Surface, cell_rows
from forecasting.selectors import cell_beats, run_grid
from forecasting.selectors.layer_tables import LayerShape, layer_shapes
from forecasting.selectors.layers import (
    INCIDENT_DAYS,
    MapLayer,
    beats_layer,
    boundary_layer,
    context_layer,
    districts_layer,
    incidents_before,
    layer_rows,
)
from ingestion.models import ContextLayer

OWN = {"boundary": boundary_layer, "districts": districts_layer, "beats": beats_layer}


@dataclass(frozen=True)
class Place:
    """One line of a layer's table: what is drawn there, and the beat that its middle lies in."""

    shape: LayerShape
    beat: str


@dataclass(frozen=True)
class Reported:
    """One dot of the incident layer: the day in the agency's zone, the crime type, the place to a metre."""

    on: dt.date
    crime_type: str
    lon: float
    lat: float
    beat: str


def tables_of(access: Access) -> list[dict[str, str]]:
    """Return the tables that this person may open: name, what is in it, address. At most three queries."""
    slug = access.agency.slug
    found = [
        {
            "name": row["name"],
            "kind": str(ContextLayer.Kind(row["kind"]).label)
            if row["kind"] in ContextLayer.Kind.values
            else "",
            "url": reverse("forecasting:layer_table_context", args=[slug, row["slug"]])
            if row["kind"] in ContextLayer.Kind.values
            else reverse("forecasting:layer_table", args=[slug, row["kind"]]),
        }
        for row in layer_rows(access.agency)
    ]
    if access.may["see_risk"]:
        found.append(
            {
                "name": _("Incidents, %(days)s days") % {"days": INCIDENT_DAYS},
                "kind": "",
                "url": reverse("forecasting:layer_table_incidents", args=[slug]),
            }
        )
    return [
        *found,
        {
            "name": _("Gunfire alerts, 24 hours"),
            "kind": "",
            "url": reverse("ingestion:alerts_table", args=[slug]),
        },
    ]


def own_table(agency: Agency, name: str) -> tuple[str, MapLayer]:
    """Return title and layer of boundary, districts or beats. At most two queries. Raises ``Http404`` for another name."""
    if name not in OWN:
        raise Http404(_("No such layer."))
    titles = {"boundary": _("Boundary"), "districts": _("Districts"), "beats": _("Beats")}
    return titles[name], OWN[name](agency)


def context_table(agency: Agency, slug: str) -> tuple[str, MapLayer]:
    """Return title and layer of a context layer. Two queries. Raises ``Http404`` where the agency has none of that name."""
    layer = context_layer(agency, slug)
    if layer is None:
        raise Http404(_("No such layer."))
    return ContextLayer.objects.filter(agency=agency, slug=slug).values_list("name", flat=True)[0], layer


def places_context(agency: Agency, layer: MapLayer, query: QueryDict, *, with_beat: bool) -> dict[str, Any]:
    """Return one page of what a layer draws, of one beat or of all. At most two queries, whatever the layer's size."""
    shapes = layer_shapes(layer)
    beats = (
        beats_at(agency, [one.lon for one in shapes], [one.lat for one in shapes])
        if with_beat
        else [""] * len(shapes)
    )
    codes = beat_codes(agency) if with_beat else []
    rows = [Place(shape, beat) for shape, beat in zip(shapes, beats, strict=True)]
    return {
        **paged(of_beat(rows, query, codes), query, codes),
        "kinds": {shape.kind for shape in shapes},
        "with_beat": with_beat,
        "with_code": any(shape.code for shape in shapes),
        "with_district": any(shape.district for shape in shapes),
    }


def incidents_context(
    agency: Agency, crime_type: CrimeType | None, before: dt.datetime, query: QueryDict
) -> dict[str, Any]:
    """Return one page of the incident layer, newest first, of one beat or of all. Three queries, however many incidents."""
    values = list(
        incidents_before(agency, crime_type, before)
        .order_by("-occurred_from", "-pk")
        .values_list("occurred_from", "crime_type__name", "lon", "lat")
    )
    zone = ZoneInfo(agency.time_zone)
    beats = beats_at(agency, [row[2] for row in values], [row[3] for row in values])
    rows = [
        Reported(at.astimezone(zone).date(), name, round(lon, 5), round(lat, 5), beat)
        for (at, name, lon, lat), beat in zip(values, beats, strict=True)
    ]
    codes = beat_codes(agency)
    return paged(of_beat(rows, query, codes), query, codes) | {
        "crime_type": crime_type,
        "since": (before - dt.timedelta(days=INCIDENT_DAYS)).astimezone(zone),
        "before": before.astimezone(zone),
    }


def cells_context(agency: Agency, surface: Surface, query: QueryDict) -> dict[str, Any]:
    """Return one page of a surface's cells by rank, of one beat, one district or all. Five queries at most, however many cells."""
    beats = list(
        Beat.objects.filter(agency=agency).order_by("code").values_list("pk", "code", "district__code")
    )
    beat, district = query.get("beat", ""), query.get("district", "")
    if beat not in {"", *(code for _pk, code, _of in beats)} or district not in {
        "",
        *(of for *_, of in beats),
    }:
        raise Http404(_("No such beat or district. Choose one of the list."))
    order = surface.order()
    if beat or district:
        asked = [pk for pk, code, of in beats if beat in ("", code) and district in ("", of)]
        order = order[np.isin(cell_beats(run_grid(surface.run))[order], asked)]
    context = paged(order, query, [code for _pk, code, _of in beats])
    return context | {
        "rows": list(cell_rows(surface, context["page"].object_list)),
        "districts": sorted({of for _pk, _code, of in beats if of}),
        "cells": len(surface.values),
    }
