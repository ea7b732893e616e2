"""``python -m agencies.engine.geometry_child``: an uploaded file of areas read within limits, JSON in and JSON out.

JSON and not pickle: a reader that a crafted file has taken over may send whatever it likes.
"""

from pathlib import Path
from typing import Any, NoReturn

from agencies.engine.limits import answered, limited, question


def packed(file: Any) -> dict[str, Any]:
    """An ``AreaFile`` as JSON takes it, shapes as WKB in hexadecimal digits."""
    import shapely

    return {
        "kind": file.kind,
        "layer": file.layer,
        "layers": list(file.layers),
        "crs": file.crs,
        "columns": list(file.columns),
        "areas": [
            [
                area.row,
                area.properties,
                *(
                    None if shape is None else shapely.to_wkb(shape, hex=True)
                    for shape in (area.shape, area.repaired)
                ),
                area.fault,
            ]
            for area in file.areas
        ],
    }


def main() -> NoReturn:
    # Before anything is asked: whoever started this process ahead need not wait for its libraries.
    from agencies.engine.geometry import GeometryProblem
    from agencies.engine.geometry_files import areas_from_file

    asked = question()
    limited(seconds=asked["seconds"], megabytes=asked["megabytes"])
    answer: dict[str, Any]
    try:
        answer = {
            "file": packed(areas_from_file(Path(asked["path"]), layer=asked["layer"], crs=asked["crs"]))
        }
    except GeometryProblem as exc:
        answer = {"problem": str(exc)}
    answered(answer)


if __name__ == "__main__":
    main()
