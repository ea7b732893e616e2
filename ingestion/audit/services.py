"""Loading demographic tables for the exposure audit: separate tables that nothing of the forecast can import."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, User
from ingestion.audit.models import AuditArea, AuditTable
from ingestion.engine.privacy import names_case_person, screen_columns, tidy_column
from ingestion.engine.rejections import excerpt
from ingestion.services.place_files import places_read
from missions_project.lib.errors import MissionsError

TABLE_TRAITS = frozenset(
    {"race_or_ethnicity", "education", "tenure", "income", "sex_or_gender", "date_of_birth", "relationship"}
)
"""Rules that keep a column from a forecast, though as a count of an area it is about nobody in particular."""
AREA_NAMES = ("name", "area name", "community", "community area", "tract", "block group", "geoid", "geo id")


@dataclass(frozen=True)
class AuditDraft:
    """A demographic file as it was read: its numeric columns, and one entry an area."""

    columns: tuple[str, ...]
    areas: tuple[dict[str, Any], ...]
    file_name: str


def audit_table_import(
    *, agency: Agency, path: Path, name: str, valid_from: dt.date, crs: str = ""
) -> AuditTable:
    """Load a census table whole; a table of the name is replaced. Raises ``MissionsError``, nothing is stored then."""
    draft = audit_table_read(path=path, crs=crs)
    return audit_table_store(agency=agency, draft=draft, name=name, valid_from=valid_from)


def audit_table_store(
    *, agency: Agency, draft: AuditDraft, name: str, valid_from: dt.date, requested_by: User | None = None
) -> AuditTable:
    """Store the draft under this name, in place of a table of the same name."""
    with transaction.atomic():
        AuditTable.objects.filter(agency=agency, name=name).delete()
        table = AuditTable(
            agency=agency,
            name=name,
            source=excerpt(draft.file_name, 180),
            valid_from=valid_from,
            columns=list(draft.columns),
            imported_by=requested_by,
            imported_at=timezone.now(),
        )
        table.full_clean()
        table.save()
        rows = [AuditArea(agency=agency, table=table, **area) for area in draft.areas]
        AuditArea.objects.bulk_create(rows, batch_size=500)
    return table


def audit_table_read(*, path: Path, file_name: str = "", crs: str = "") -> AuditDraft:
    """Read a census table whole, figures about race, education and income included.

    Areas and numbers only: a file with columns about single persons (names, dates of birth, addresses …) or without
    areas is refused, with the columns named. Raises ``MissionsError``.
    """
    shown = file_name or path.name
    columns: list[str] = []
    names: list[str] = []

    def choose(found: list[str]) -> list[str]:
        words = {tidy_column(column): column for column in found}
        names.extend([words[one] for one in AREA_NAMES if one in words][:1])
        columns.extend(column for column in found if column not in names)
        _refuse_persons(columns, shown)
        return [*columns, *names]

    read = places_read(path, shown=shown, choose=choose, crs=crs)
    values = {column: _numbers(read.values[column]) for column in columns}
    kept = {column: numbers for column, numbers in values.items() if numbers is not None}
    outlined = np.flatnonzero(~shapely.is_missing(read.shapes) & (shapely.get_dimensions(read.shapes) == 2))
    if not len(outlined) or not kept:
        raise MissionsError(
            _("%(shown)s holds no areas with figures.") % {"shown": shown},
            next_step=_("export polygons with numeric columns, one row an area."),
        )
    label = read.values[names[0]] if names else None
    areas = tuple(
        {
            "name": excerpt(str(label[row]), 100) if label is not None and label[row] is not None else "",
            "geometry": json.loads(shapely.to_geojson(read.shapes[row])),
            "values": {
                column: float(numbers[row]) if np.isfinite(numbers[row]) else None
                for column, numbers in kept.items()
            },
        }
        for row in outlined
    )
    return AuditDraft(tuple(kept), areas, shown)


def _refuse_persons(columns: list[str], shown: str) -> None:
    refused = [
        violation
        for violation in screen_columns(columns)
        if violation.rule not in TABLE_TRAITS
        or names_case_person(violation.column)
        or _is_birth(violation.column)
    ]
    if refused:
        named = ", ".join(f"{violation.column} ({violation.rule})" for violation in refused)
        raise MissionsError(
            _("%(shown)s is refused: it holds columns about single persons: %(named)s.")
            % {"shown": shown, "named": named},
            next_step=_("export figures by area without these columns."),
        )


def _is_birth(column: str) -> bool:
    words = tidy_column(column)
    return "birth" in words or words == "dob"


def _numbers(values: Any) -> Any:
    """The column as numbers; None for one of words, which is a key or a remark and no figure."""
    try:
        return np.array([np.nan if v is None or str(v).strip() == "" else float(str(v)) for v in values])
    except ValueError:
        return None
