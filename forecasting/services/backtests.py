"""What a backtest may see beside the events, from files: the same doors as the product's layers, without a database."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from agencies.lookups import date_from_text
from forecasting.engine.bench.ground import Layer, layer_from_csv
from forecasting.engine.bench.outlook import Outlook, events_calendar, kind_of_csv, weather_table
from ingestion.services.census import census_population
from ingestion.services.layers import layer_geojson
from missions_project.lib.errors import MissionsError

_CSV = re.compile(r"\.(csv|txt)(\.gz)?$", re.IGNORECASE)
KINDS = ("places", "census", "events", "weather")


@dataclass(frozen=True)
class BacktestInputs:
    """``layers`` stay where they are (places, people); ``outlook`` passes (events, weather)."""

    layers: list[Layer]
    outlook: list[Outlook]


def backtest_layers_read(*, values: list[str]) -> BacktestInputs:
    """Read ``[KIND=]FILE[:COLUMN][@YYYY-MM-DD]`` each; KIND is places, census, events or weather.

    Without a kind a CSV's header decides, and any other file is places. Places (GeoJSON, GeoPackage, zipped Shapefile,
    or CSV with lat and lon) and census areas may be dated: valid from that day. Files about persons are refused as for
    the product's layers; of a census file only the population is read. No query.
    """
    found = BacktestInputs([], [])
    for value in values:
        kind, mark, rest = value.partition("=")
        kind, rest = (kind, rest) if mark and kind in KINDS else ("", value)
        name, mark, day = rest.rpartition("@")
        dated = bool(mark) and re.fullmatch(r"\d{4}-\d\d-\d\d", day) is not None
        path, column = Path(name if dated else rest), ""
        if kind == "census" and not path.is_file():
            text, _colon, column = str(path).rpartition(":")
            path = Path(text or column)
        if not path.is_file():
            raise MissionsError(
                _("There is no file %(path)s.") % {"path": path}, next_step=_("check the path of --layers.")
            )
        slug = re.sub(r"\W+", "_", path.name.split(".")[0].lower()).strip("_") or "layer"
        slug = "population" if kind == "census" else slug
        if any(one.slug == slug for one in (*found.layers, *found.outlook)):
            raise MissionsError(
                _("Two layers are called %(slug)s.") % {"slug": slug}, next_step=_("rename one of the files.")
            )
        is_csv = _CSV.search(path.name) is not None
        kind = kind or (kind_of_csv(path) if is_csv else "places")
        valid_from = np.datetime64(date_from_text(day)) if dated else None
        if kind in ("events", "weather"):
            if dated:
                raise MissionsError(
                    _("%(path)s takes no date: each row says since when it was known.") % {"path": path.name},
                    next_step=_("leave out @ and the day; use the columns announced or issued."),
                )
            read = events_calendar if kind == "events" else weather_table
            found.outlook.append(read(path, slug))
        elif kind == "census":
            areas = census_population(path, column=column)
            found.layers.append(Layer(slug, areas, valid_from, _digest(areas), is_census=True))
        elif is_csv:
            found.layers.append(layer_from_csv(path, slug, valid_from))
        else:
            collection = layer_geojson(path)
            found.layers.append(Layer(slug, collection, valid_from, _digest(collection)))
    return found


def _digest(collection: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(collection, sort_keys=True).encode()).hexdigest()
