"""What the wizard shows of a file: sample values, places, and the outcome of the first rows."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.utils import timezone

from agencies.engine.local_time import utc_to_local
from agencies.models import CrimeType
from ingestion.engine.places import OK, PLACE_CODES, parse_places
from ingestion.engine.privacy import Violation
from ingestion.engine.records import NormalisedChunk
from ingestion.engine.rejections import excerpt
from ingestion.forms import ColumnsForm
from ingestion.models import Feed
from ingestion.services import drafts
from ingestion.services.context import normalise_context
from ingestion.words import rejection_message, rejection_words

SAMPLE_VALUES = 3
PLACES = 200
VALUE_CHARACTERS = 40


@dataclass(frozen=True)
class ColumnRow:
    """One column of the file: sample values and the choice of its meaning, or the rule that refuses it."""

    column: str
    values: list[str]
    field: Any
    violation: Violation | None


def column_rows(form: ColumnsForm, sample: list[dict[str, str]]) -> list[ColumnRow]:
    """The file's columns in its order. Values of refused columns are not shown: nobody needs to see them."""
    rows = []
    for index, column in enumerate(form.header):
        violation = form.violations.get(column)
        values = (
            []
            if violation
            else list(dict.fromkeys(row[column].strip() for row in sample if row[column].strip()))
        )
        rows.append(
            ColumnRow(
                column=column,
                values=[excerpt(value, VALUE_CHARACTERS) for value in values[:SAMPLE_VALUES]],
                field=form[f"column_{index}"] if f"column_{index}" in form.fields else None,
                violation=violation,
            )
        )
    return rows


def place_features(feed: Feed) -> list[dict[str, Any]]:
    """The first rows' places as GeoJSON points, with what is wrong with each. Raises as ``draft_look`` does."""
    mapping = drafts.draft_mapping(feed)
    names = ("x", "y") if mapping.is_projected else ("lon", "lat")
    if not all(mapping.columns.get(name) for name in names):
        return []
    sample = drafts.draft_look(feed, sample=PLACES).sample
    texts = [[row.get(mapping.columns[name], "").strip() for row in sample] for name in names]
    epsg = mapping.crs if mapping.is_projected else 4326
    context = normalise_context(feed.agency, feed, timezone.now())
    judged = parse_places(texts[0], texts[1], epsg=epsg, boundary=context.boundary)
    # Without a boundary every place on earth is "good" and has coordinates: those outside can be drawn too.
    drawn = parse_places(texts[0], texts[1], epsg=epsg)
    features = []
    for row in np.flatnonzero(drawn.status == OK):
        code = PLACE_CODES[int(judged.status[row])]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [float(drawn.lon[row]), float(drawn.lat[row])]},
                "properties": {"ok": not code, "why": rejection_words(code).meaning if code else ""},
            }
        )
    return features


def review_rows(feed: Feed, result: NormalisedChunk) -> dict[str, Any]:
    """The outcome of the first rows, for the review page: usable ones, kept ones with reason, refused ones by rule."""
    names = dict(CrimeType.objects.filter(agency=feed.agency).values_list("slug", "name"))
    local = utc_to_local(result.occurred_from, feed.agency.time_zone).astype("datetime64[m]")
    usable = [
        {
            "row": record.row_number,
            "id": record.external_id,
            "when": str(local[index]).replace("T", " "),
            "type": names.get(record.crime_type, "call" if not record.crime_type else record.crime_type),
            "code": record.code,
            "place": f"{record.lat:.5f}, {record.lon:.5f}",
        }
        for index, record in enumerate(result.incidents())
    ]
    kept = [
        {
            "row": value.row_number,
            "id": value.external_id,
            "code": value.rejection.code,
            "message": rejection_message(value.rejection),
        }
        for value in result.quarantined
    ]
    refused = [
        {"rule": rule, "code": code, "rows": number, "message": result.refusal_messages[rule, code]}
        for (rule, code), number in result.refused.most_common()
    ]
    return {
        "usable": usable,
        "kept": kept,
        "refused": refused,
        "n_refused": sum(result.refused.values()),
        "n_superseded": len(result.superseded),
        "zone": ZoneInfo(feed.agency.time_zone),
    }
