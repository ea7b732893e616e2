"""Which of a file's properties is probably the code, the name, the district: a first offer that a person corrects."""

import re

from agencies.engine.area_sets import MAX_CODE_CHARACTERS
from agencies.engine.geometry_files import AreaFile

# A few parts of one code are one area in pieces; a property with five values for 277 rows is no code.
MIN_DISTINCT_SHARE = 0.8
_CODES = {
    "beats": (r"beat_?(num|no|nbr|id|code)", r"beat", r"(reporting|patrol)_?area", r"sector", r"zone"),
    "districts": (
        r"dist(rict)?_?(num|no|nbr|id|code)", r"district", r"dist", r"precinct_?(num|no|id)?", r"division", r"area",
    ),
}  # fmt: skip
_ANY_CODE = (r"code", r"label", r"name", r"(object)?id|fid|gid")
_NAMES = (r"(beat|dist(rict)?|precinct)_?(name|label)", r"name", r"label")
_DISTRICTS = _CODES["districts"]


def _values(file: AreaFile, column: str) -> list[str]:
    return [
        str(area.properties[column]).strip() for area in file.areas if area.properties.get(column) is not None
    ]


def _first(patterns: tuple[str, ...], columns: list[str]) -> str:
    for pattern in patterns:
        for column in columns:
            if re.fullmatch(pattern, column.strip(), re.IGNORECASE):
                return column
    return ""


def guess_code(file: AreaFile, layer: str) -> str:
    """The property that looks most like the code of these areas; empty if none could be one."""
    able = []
    for column in file.columns:
        values = _values(file, column)
        distinct = len(set(values))
        complete = len(values) == len(file.areas) and all(0 < len(v) <= MAX_CODE_CHARACTERS for v in values)
        if complete and distinct >= MIN_DISTINCT_SHARE * len(values):
            able.append(column)
    return _first((*_CODES.get(layer, ()), *_ANY_CODE), able) or (able[0] if able else "")


def guess_name(file: AreaFile, code: str) -> str:
    """The property that looks like a name beside the code; empty if there is none."""
    return _first(_NAMES, [column for column in file.columns if column != code])


def guess_district(file: AreaFile, code: str) -> str:
    """The property of beats that looks like their district's code; empty if there is none."""
    return _first(_DISTRICTS, [column for column in file.columns if column != code])
