"""What was read of a file of places as JSON takes it, and back: shapes as WKB in hexadecimal digits, columns with their types.

JSON and not pickle: a reader that a crafted file has taken over may send whatever it likes.
"""

import base64
import math
import re
from typing import Any

import numpy as np
import shapely

from ingestion.places.base import PlacesFile

_PLAIN_TYPE = re.compile(r"[<|](?:[biuf][1248]|M8(?:\[[a-zA-Z]{1,2}\])?)", re.ASCII)
"""Booleans, numbers and instants: types whose bytes are values, and point nowhere."""


def packed(file: PlacesFile) -> dict[str, Any]:
    """The file as JSON takes it."""
    return {
        "columns": list(file.columns),
        "shapes": [None if shape is None else shapely.to_wkb(shape, hex=True) for shape in file.shapes],
        "values": {column: _packed_column(np.asarray(values)) for column, values in file.values.items()},
    }


def unpacked(answer: dict[str, Any]) -> PlacesFile:
    """What ``packed`` was given. Raises ``ValueError``, ``TypeError`` or ``KeyError`` for anything else."""
    shapes = np.empty(len(answer["shapes"]), dtype=object)
    shapes[:] = shapely.from_wkb(answer["shapes"])
    values = {str(column): _unpacked_column(one) for column, one in answer["values"].items()}
    if any(len(one) != len(shapes) for one in values.values()):
        raise ValueError("as many values as shapes were expected")
    return PlacesFile(tuple(map(str, answer["columns"])), shapes, values)


def _packed_column(values: Any) -> dict[str, Any]:
    if _PLAIN_TYPE.fullmatch(values.dtype.str):
        # The bytes themselves: 0.1 of four bytes, no number at all and no instant come back as what they were.
        return {"type": values.dtype.str, "bytes": base64.b64encode(values.tobytes()).decode()}
    return {"values": [_packed_value(value) for value in values]}


def _unpacked_column(column: dict[str, Any]) -> Any:
    if "type" not in column:
        values = np.empty(len(column["values"]), dtype=object)
        values[:] = [_unpacked_value(value) for value in column["values"]]
        return values
    if not _PLAIN_TYPE.fullmatch(column["type"]):
        raise ValueError("a type that no file of places has")
    return np.frombuffer(base64.b64decode(column["bytes"], validate=True), dtype=column["type"]).copy()


def _packed_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        # A numpy number is a float, too.
        return float(value) if math.isfinite(value) else {"number": str(float(value))}
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    # Dates, lists and whatever GDAL learns to give: they are only ever shown, or looked at as text.
    return {"text": str(value)}


def _unpacked_value(value: Any) -> Any:
    if isinstance(value, dict):
        if "number" in value:
            return float(value["number"])
        return bytes.fromhex(value["bytes"]) if "bytes" in value else str(value["text"])
    return value
