"""A risk surface as files for programs: a Cloud-Optimised GeoTIFF, and a NumPy table."""

import ctypes
import io
import uuid
from typing import Any

import numpy as np
import pyogrio  # noqa: F401 - importing it tells the GDAL of its wheel where its coordinate systems lie
from django.contrib.gis.gdal import GDALException, GDALRaster
from django.contrib.gis.gdal.driver import Driver
from django.contrib.gis.gdal.libgdal import lgdal
from django.utils.translation import gettext as _

from forecasting.risk_page import Surface
from missions_project.lib.errors import MissionsError

FLOAT32 = 6
"""GDAL's number for the type."""
OPTIONS = (b"COMPRESS=DEFLATE", b"PREDICTOR=FLOATING_POINT", b"OVERVIEW_RESAMPLING=AVERAGE", b"BLOCKSIZE=256")

_copy = lgdal.GDALCreateCopy
_copy.restype = ctypes.c_void_p
_copy.argtypes = [
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p),
    ctypes.c_void_p, ctypes.c_void_p,
]  # fmt: skip
_close = lgdal.GDALClose
_close.argtypes = [ctypes.c_void_p]
_unlink = lgdal.VSIUnlink
_unlink.argtypes = [ctypes.c_char_p]


def surface_raster(surface: Surface) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the surface as rows and columns, the north first; NaN where no cell is. float32[rows, columns]."""
    spec = surface.spec
    raster = np.full((spec.n_rows, spec.n_cols), np.nan, dtype=np.float32)
    raster[spec.rows, spec.cols] = surface.values
    # The grid counts rows upwards from the south, an image downwards from the north.
    return np.ascontiguousarray(raster[::-1])


def surface_cog(surface: Surface, facts: dict[str, str]) -> bytes:
    """Return a Cloud-Optimised GeoTIFF in the grid's own projection: one band, float32, NaN outside the cells.

    Written by the GDAL that pyogrio's wheel carries, through Django's binding to it: no second GDAL in the process.
    ``facts`` become its metadata. Raises ``MissionsError`` where the system's GDAL is older than 3.1.
    """
    spec = surface.spec
    north = spec.y0_m + spec.n_rows * spec.cell_size_m
    source = GDALRaster(
        {
            "driver": "MEM",
            "srid": spec.epsg,
            "width": spec.n_cols,
            "height": spec.n_rows,
            "origin": (spec.x0_m, north),
            "scale": (spec.cell_size_m, -spec.cell_size_m),
            "datatype": FLOAT32,
            "bands": [{"data": surface_raster(surface), "nodata_value": float("nan")}],
        }
    )
    source.metadata = {"DEFAULT": facts}
    name = f"/vsimem/{uuid.uuid4().hex}.tif"
    options = (ctypes.c_char_p * (len(OPTIONS) + 1))(*OPTIONS, None)
    try:
        # The driver is looked up here: a system's old GDAL has none of this name.
        copy = _copy(Driver("COG").ptr, name.encode(), source.ptr, 1, options, None, None)
        if not copy:
            raise GDALException(_("GDAL wrote nothing."))
        _close(copy)
        data: bytes = GDALRaster(name).vsi_buffer or b""
    except GDALException as error:
        raise MissionsError(
            _("The GeoTIFF could not be written (%(error)s).") % {"error": error},
            next_step=_("ask for the GeoJSON or NumPy file, or have the server's GDAL be 3.1 or newer."),
        ) from error
    finally:
        _unlink(name.encode())
    return data


def surface_npy(surface: Surface) -> bytes:
    """Return a NumPy table with a row for each cell: ``cell_id``, its middle ``x_m``, ``y_m`` and ``lon``, ``lat``, ``value``.

    Read it with ``numpy.load(file)["value"]``; no pickling. What it is has no room in it: its sender says so beside it.
    """
    spec = surface.spec
    columns = [
        ("cell_id", "<i8"),
        ("x_m", "<f8"),
        ("y_m", "<f8"),
        ("lon", "<f8"),
        ("lat", "<f8"),
        ("value", "<f4"),
    ]
    table = np.empty(len(spec), dtype=columns)
    table["cell_id"], table["value"] = spec.cells, surface.values
    table["x_m"], table["y_m"] = spec.centres()
    table["lon"], table["lat"] = spec.centres_lonlat()
    sink = io.BytesIO()
    np.save(sink, table, allow_pickle=False)
    return sink.getvalue()
