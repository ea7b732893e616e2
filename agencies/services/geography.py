"""Districts, beats and boundary from files: looked at first, then written as a whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from django.db import transaction
from django.utils.translation import gettext as _

from agencies.area_files import areas_read
from agencies.engine.area_sets import (
    AreaSet,
    CodedArea,
    Problem,
    areas_by_code,
    code_matches,
    in_metres,
    largest_overlap,
    overlaps,
    union_without_slivers,
)
from agencies.engine.geometry import GeometryProblem, geojson_from_polygon, polygon_from_geojson
from agencies.engine.geometry_files import AreaFile
from agencies.models import Agency, Beat, District, User
from agencies.selectors import agency_area
from agencies.services.audit import audit_record
from missions_project.lib.errors import MissionsError

Layer = Literal["districts", "beats"]
_MODELS: dict[str, type[District] | type[Beat]] = {"districts": District, "beats": Beat}
_FAR_AWAY_M = 1_000.0
_SHOWN_PROBLEMS = 5


@dataclass(frozen=True)
class GeographyDraft:
    """What a file would make of an agency's districts or beats. Nothing is written yet."""

    agency: Agency
    layer: Layer
    areas: tuple[CodedArea, ...]
    districts: dict[str, District]
    """For beats: the district of each code."""
    problems: tuple[Problem, ...]
    new: tuple[str, ...]
    known: tuple[str, ...]
    not_in_file: tuple[str, ...]
    """Codes that the agency has and the file does not. They stay as they are."""

    @property
    def is_blocked(self) -> bool:
        return any(problem.blocks for problem in self.problems)


@dataclass(frozen=True)
class GeographyReport:
    """What was written: inserted + updated + unchanged is the number of codes in the file."""

    inserted: int
    updated: int
    unchanged: int
    not_in_file: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())

    def __str__(self) -> str:
        text = _("%(inserted)s added, %(updated)s changed, %(unchanged)s as before") % {
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
        }
        return text + (
            _("; %(count)s not in the file kept") % {"count": len(self.not_in_file)}
            if self.not_in_file
            else ""
        )


def geography_draft(
    *,
    agency: Agency,
    layer: Layer,
    file: AreaFile,
    code_property: str,
    name_property: str = "",
    district_property: str = "",
    repair: bool = False,
) -> GeographyDraft:
    """Say what the file would become: areas by code, districts of beats, and every doubt. At most three queries."""
    found = areas_by_code(
        file,
        code_property=code_property,
        name_property=name_property,
        district_property=district_property if layer == "beats" else "",
        repair=repair,
    )
    problems = list(found.problems)
    districts: dict[str, District] = {}
    if layer == "beats" and found.areas:
        districts, placing = _districts_of(agency, found, by_name=bool(district_property))
        problems += placing
    if not found.is_blocked:
        problems += overlaps(found.areas)
    if found.areas:
        problems += _distance(agency, found.areas)
    known = set(_MODELS[layer]._default_manager.filter(agency=agency).values_list("code", flat=True))
    codes = [area.code for area in found.areas]
    return GeographyDraft(
        agency=agency,
        layer=layer,
        areas=found.areas,
        districts=districts,
        # What blocks comes first: a list of fifty remarks must not hide it.
        problems=tuple(sorted(problems, key=lambda problem: not problem.blocks)),
        new=tuple(code for code in codes if code not in known),
        known=tuple(code for code in codes if code in known),
        not_in_file=tuple(sorted(known - set(codes))) if codes else (),
    )


def _districts_of(
    agency: Agency, found: AreaSet, *, by_name: bool
) -> tuple[dict[str, District], list[Problem]]:
    districts = list(District.objects.filter(agency=agency).order_by("code"))
    if not districts:
        return {}, [
            Problem(
                _("The agency has no districts, and a beat lies in one. Upload the districts first."), True
            )
        ]
    outlines = [polygon_from_geojson(district.geometry) for district in districts]
    places = largest_overlap([area.shape for area in found.areas], outlines)
    matches = code_matches([area.district_code for area in found.areas], [d.code for d in districts])
    by_code = {district.code: district for district in districts}
    chosen: dict[str, District] = {}
    problems = []
    for area, place in zip(found.areas, places, strict=True):
        there = districts[place] if place >= 0 else None
        named = by_code.get(matches.get(area.district_code, ""))
        if by_name and named is None:
            what = (
                _(
                    "Beat %(beat)s names district “%(district)s”; the agency has %(known)s. Upload that district first."
                )
                if area.district_code
                else _(
                    "Beat %(beat)s names no district; the agency has %(known)s. Upload that district first."
                )
            )
            problems.append(
                Problem(
                    what
                    % {"beat": area.code, "district": area.district_code, "known": _codes(list(by_code))},
                    True,
                )
            )
        elif not by_name and there is None:
            problems.append(
                Problem(
                    _(
                        "Beat %(code)s lies in no district. Mend the districts, or name the district's property."
                    )
                    % {"code": area.code},
                    True,
                )
            )
        elif by_name and there is not named:
            where = (
                _("Beat %(beat)s names district %(district)s but lies mostly in district %(there)s.")
                if there
                else _("Beat %(beat)s names district %(district)s but lies mostly outside every district.")
            )
            problems.append(
                Problem(
                    where
                    % {
                        "beat": area.code,
                        "district": area.district_code,
                        "there": there.code if there else "",
                    }
                )
            )
        if (district := named if by_name else there) is not None:
            chosen[area.code] = district
    return chosen, problems


def _codes(codes: Sequence[str]) -> str:
    return ", ".join(codes[:12]) + (
        _(" … (%(count)s in all)") % {"count": len(codes)} if len(codes) > 12 else ""
    )


def _distance(agency: Agency, areas: Sequence[CodedArea]) -> list[Problem]:
    """Latitude and longitude swapped, or another city's file: valid shapes in the wrong place."""
    area = agency_area(agency)
    if area is None:
        return []
    here, there = in_metres([area.envelope, shapely.union_all([a.shape.envelope for a in areas])])
    gap_m = shapely.distance(here, there)
    if not np.isfinite(gap_m) or gap_m > _FAR_AWAY_M:
        return [
            Problem(
                _(
                    "The file's areas lie far from what the agency has. Another city, or longitude and latitude swapped?"
                )
            )
        ]
    return []


@transaction.atomic
def geography_commit(*, draft: GeographyDraft, actor: User | None = None) -> GeographyReport:
    """Write a draft: update what the agency has by code, add what is new, leave the rest. All of it or nothing.

    Raises ``MissionsError`` for a draft with blocking problems.
    """
    if draft.is_blocked or not draft.areas:
        raise _refused(draft.problems)
    model = _MODELS[draft.layer]
    rows: dict[str, Any] = {row.code: row for row in model._default_manager.filter(agency=draft.agency)}
    counts = {"inserted": 0, "updated": 0, "unchanged": 0}
    for area in draft.areas:
        row = rows.get(area.code)
        known = row is not None
        row = row or model(agency=draft.agency, code=area.code)
        values: dict[str, Any] = {"geometry": geojson_from_polygon(area.shape)}
        if area.name:
            # Without a name in the file, one that a person typed stays.
            values["name"] = area.name
        if draft.layer == "beats":
            values["district_id"] = draft.districts[area.code].pk
        if known and all(getattr(row, name) == value for name, value in values.items()):
            counts["unchanged"] += 1
            continue
        for name, value in values.items():
            setattr(row, name, value)
        # Codes are unique within the draft and looked up above: 277 beats need not ask the database 554 times.
        row.full_clean(validate_unique=False, validate_constraints=False)
        row.save()
        counts["updated" if known else "inserted"] += 1
    if counts["inserted"] or counts["updated"]:
        audit_record(
            agency=draft.agency,
            actor=actor,
            action=f"{draft.layer}.uploaded",
            subject=f"{len(draft.areas)} {draft.layer}",
            detail={**counts, "not_in_file": list(draft.not_in_file)[:200]},
        )
    return GeographyReport(**counts, not_in_file=draft.not_in_file, problems=draft.problems)


def _refused(problems: Sequence[Problem]) -> MissionsError:
    blocking = [problem.message for problem in problems if problem.blocks] or [_("The file holds no areas.")]
    more = (
        _(" … and %(count)s more.") % {"count": len(blocking) - _SHOWN_PROBLEMS}
        if len(blocking) > _SHOWN_PROBLEMS
        else ""
    )
    return MissionsError(
        " ".join(blocking[:_SHOWN_PROBLEMS]) + more + _(" Nothing was changed."),
        next_step=_("mend these and upload the file again."),
    )


def _file(path: Path, *, layer: str, crs: str) -> AreaFile:
    try:
        return areas_read(Path(path), layer=layer, crs=crs)
    except GeometryProblem as exc:
        raise MissionsError(
            f"{Path(path).name}: {exc}", next_step=_("mend the file and try again; nothing was changed.")
        ) from exc


def districts_upsert(
    *,
    agency: Agency,
    path: Path,
    code_property: str,
    name_property: str = "",
    layer: str = "",
    crs: str = "",
    repair: bool = False,
    actor: User | None = None,
) -> GeographyReport:
    """Read a file of districts and write it, by code. Raises ``MissionsError`` and changes nothing if it is not sound."""
    draft = geography_draft(
        agency=agency,
        layer="districts",
        file=_file(path, layer=layer, crs=crs),
        code_property=code_property,
        name_property=name_property,
        repair=repair,
    )
    return geography_commit(draft=draft, actor=actor)


def beats_upsert(
    *,
    agency: Agency,
    path: Path,
    code_property: str,
    name_property: str = "",
    district_property: str = "",
    layer: str = "",
    crs: str = "",
    repair: bool = False,
    actor: User | None = None,
) -> GeographyReport:
    """Read a file of beats and write it, by code.

    A beat's district is the one that ``district_property`` names ("06" and "6" are the same code where only
    one of them exists), or without that property the one that holds the largest part of it. Raises
    ``MissionsError`` and changes nothing if the file is not sound.
    """
    draft = geography_draft(
        agency=agency,
        layer="beats",
        file=_file(path, layer=layer, crs=crs),
        code_property=code_property,
        name_property=name_property,
        district_property=district_property,
        repair=repair,
    )
    return geography_commit(draft=draft, actor=actor)


def boundary_set(
    *,
    agency: Agency,
    path: Path,
    layer: str = "",
    crs: str = "",
    repair: bool = False,
    actor: User | None = None,
) -> Agency:
    """Make the union of a file's areas the agency's boundary. Raises ``MissionsError`` and changes nothing if not sound."""
    file = _file(path, layer=layer, crs=crs)
    faulty = [area for area in file.areas if area.fault and not (repair and area.repaired)]
    if faulty:
        raise _refused(
            [
                Problem(_("Row %(row)s %(fault)s.") % {"row": area.row, "fault": area.fault}, True)
                for area in faulty
            ]
        )
    shapes = [shape for area in file.areas if (shape := area.repaired or area.shape) is not None]
    return _boundary_save(agency, shapes, actor=actor, source=path.name)


def boundary_derive(*, agency: Agency, actor: User | None = None) -> Agency:
    """Make the union of the beats (without any, of the districts) the boundary. Raises ``MissionsError`` without either."""
    for model in (Beat, District):
        values = list(model._default_manager.filter(agency=agency).values_list("geometry", flat=True))
        if values:
            shapes = [polygon_from_geojson(value) for value in values]
            return _boundary_save(agency, shapes, actor=actor, source=f"{model._meta.model_name}s")
    raise MissionsError(
        _("The agency has neither beats nor districts."), next_step=_("upload or draw beats first.")
    )


def _boundary_save(
    agency: Agency, shapes: Sequence[shapely.Geometry], *, actor: User | None, source: str
) -> Agency:
    setattr(agency, "boundary", geojson_from_polygon(union_without_slivers(shapes)))  # noqa: B010 - djgeojson ships no types
    agency.full_clean()
    with transaction.atomic():
        agency.save(update_fields=["boundary"])
        audit_record(
            agency=agency, actor=actor, action="boundary.set", subject=agency.name, detail={"from": source}
        )
    return agency
