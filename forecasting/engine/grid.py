"""The agency's grid of square cells: one definition, used by forecasts, patrols and maps alike."""

import hashlib
import math
import struct
import zlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MAGIC = b"MGRD"
_CODEC_VERSION = 1
_HEADER = struct.Struct("<4sBidddqqq")
MAX_RASTER_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class GridSpec:
    """Which squares of the city are forecast, and where they lie.

    Squares are half-open: [x, x + size) by [y, y + size), so every point lies in exactly one. ``cells``
    are the ascending flat ids ``row * n_cols + col`` of the squares kept; rows count upwards (north) from
    ``y0_m``, columns eastwards from ``x0_m``. Lengths are metres in the projected CRS ``epsg``.
    """

    epsg: int
    x0_m: float
    y0_m: float
    cell_size_m: float
    n_rows: int
    n_cols: int
    cells: Ints = field(repr=False)

    def __post_init__(self) -> None:
        cells = np.asarray(self.cells, dtype=np.int64)
        if self.cell_size_m <= 0 or self.n_rows < 1 or self.n_cols < 1:
            raise ValueError("A grid needs a positive cell size and at least one row and one column.")
        if len(cells) == 0:
            raise ValueError("A grid needs at least one cell: is the boundary smaller than a cell?")
        if (np.diff(cells) <= 0).any() or cells[0] < 0 or cells[-1] >= self.n_rows * self.n_cols:
            raise ValueError("A grid's cells must be ascending flat ids inside its rows and columns.")
        object.__setattr__(self, "cells", cells)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GridSpec) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def hash(self) -> str:
        """The grid's fingerprint: equal for equal grids, on every machine."""
        digest = hashlib.sha256(self._header())
        digest.update(self.cells.astype("<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def rows(self) -> Ints:
        return self.cells // self.n_cols

    @cached_property
    def cols(self) -> Ints:
        return self.cells % self.n_cols

    @cached_property
    def _lookup(self) -> npt.NDArray[np.int32]:
        table = np.full(self.n_rows * self.n_cols, -1, dtype=np.int32)
        table[self.cells] = np.arange(len(self.cells), dtype=np.int32)
        return table

    def locate(self, x_m: npt.ArrayLike, y_m: npt.ArrayLike) -> Ints:
        """Say in which kept cell each point lies: positions in ``cells``, or -1 outside. NaN is outside."""
        col = np.floor((np.asarray(x_m, dtype=np.float64) - self.x0_m) / self.cell_size_m)
        row = np.floor((np.asarray(y_m, dtype=np.float64) - self.y0_m) / self.cell_size_m)
        inside = (col >= 0) & (col < self.n_cols) & (row >= 0) & (row < self.n_rows)
        # NaN cast to int is undefined: such points go to square 0 and are then marked outside.
        flat = np.where(inside, row * self.n_cols + col, 0).astype(np.int64)
        return np.where(inside, self._lookup[flat], -1).astype(np.int64)

    def index_of(self, cell_ids: npt.ArrayLike) -> Ints:
        """Positions of these flat cell ids in ``cells``, or -1 for ids that the grid does not keep."""
        ids = np.asarray(cell_ids, dtype=np.int64)
        inside = (ids >= 0) & (ids < self.n_rows * self.n_cols)
        return np.where(inside, self._lookup[np.where(inside, ids, 0)], -1).astype(np.int64)

    def centres(self) -> tuple[Floats, Floats]:
        """The middle of every kept cell: (x_m[N], y_m[N])."""
        half = 0.5 * self.cell_size_m
        x_m: Floats = (self.x0_m + self.cols * self.cell_size_m + half).astype(np.float64)
        y_m: Floats = (self.y0_m + self.rows * self.cell_size_m + half).astype(np.float64)
        return x_m, y_m

    def centres_lonlat(self) -> tuple[Floats, Floats]:
        """The middle of every kept cell in WGS84: (lon[N], lat[N])."""
        return unproject(*self.centres(), self.epsg)

    def boxes(self) -> npt.NDArray[np.object_]:
        """Every kept cell as a shapely square in metres, [N]."""
        x, y = self.x0_m + self.cols * self.cell_size_m, self.y0_m + self.rows * self.cell_size_m
        squares: npt.NDArray[np.object_] = shapely.box(x, y, x + self.cell_size_m, y + self.cell_size_m)
        return squares

    def rings_lonlat(self, at: Ints) -> Floats:
        """The outlines of the cells at these positions in WGS84, closed, from the south-west counter-clockwise: [n, 5, 2].

        To six decimals. A few cells of a large grid cost a few cells.
        """
        west, south = (
            self.x0_m + self.cols[at] * self.cell_size_m,
            self.y0_m + self.rows[at] * self.cell_size_m,
        )
        east, north = west + self.cell_size_m, south + self.cell_size_m
        x_m = np.stack([west, east, east, west, west], axis=-1)
        y_m = np.stack([south, south, north, north, south], axis=-1)
        rings: Floats = np.stack(unproject(x_m, y_m, self.epsg), axis=-1).round(6)
        return rings

    def _header(self) -> bytes:
        return _HEADER.pack(
            _MAGIC,
            _CODEC_VERSION,
            self.epsg,
            self.x0_m,
            self.y0_m,
            self.cell_size_m,
            self.n_rows,
            self.n_cols,
            len(self.cells),
        )

    def to_bytes(self) -> bytes:
        """Pack the grid for storage: a versioned header, then the cells' differences, compressed."""
        steps = np.diff(self.cells, prepend=0).astype("<i8")
        return self._header() + zlib.compress(steps.tobytes(), 6)

    @staticmethod
    def from_bytes(data: bytes) -> "GridSpec":
        """Unpack what ``to_bytes`` wrote. Anything else raises ``ValueError``."""
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise ValueError("These bytes are not a stored grid. Build the grid again.")
        _, version, epsg, x0_m, y0_m, size_m, n_rows, n_cols, n = _HEADER.unpack_from(data)
        if version != _CODEC_VERSION:
            raise ValueError(f"Stored grid has codec version {version}; this program reads {_CODEC_VERSION}.")
        try:
            steps = np.frombuffer(zlib.decompress(data[_HEADER.size :]), dtype="<i8")
        except (zlib.error, ValueError) as error:
            raise ValueError("The stored grid is damaged. Build the grid again.") from error
        if len(steps) != n:
            raise ValueError("The stored grid is cut short. Build the grid again.")
        return GridSpec(epsg, x0_m, y0_m, size_m, n_rows, n_cols, np.cumsum(steps).astype(np.int64))


def utm_epsg(lon: float, lat: float) -> int:
    """The EPSG code of the UTM zone (WGS84) that a place lies in; metres are true there to 0.1 %.

    >>> utm_epsg(-87.6, 41.8), utm_epsg(18.4, -33.9)
    (32616, 32734)
    """
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise ValueError(f"Longitude {lon}, latitude {lat} is not on the globe (are the two swapped?).")
    zone = min(int((lon + 180) // 6) + 1, 60)
    return (32600 if lat >= 0 else 32700) + zone


@lru_cache(maxsize=64)
def _transformer(source: int, target: int) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def project(lon: npt.ArrayLike, lat: npt.ArrayLike, epsg: int) -> tuple[Floats, Floats]:
    """Longitude and latitude (WGS84) to metres in ``epsg``: (x_m, y_m). Impossible places become infinite."""
    x_m, y_m = _transformer(4326, epsg).transform(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    return np.asarray(x_m, np.float64), np.asarray(y_m, np.float64)


def unproject(x_m: npt.ArrayLike, y_m: npt.ArrayLike, epsg: int) -> tuple[Floats, Floats]:
    """Metres in ``epsg`` back to longitude and latitude (WGS84)."""
    lon, lat = _transformer(epsg, 4326).transform(np.asarray(x_m, np.float64), np.asarray(y_m, np.float64))
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)


def to_metres(shape: shapely.Geometry, epsg: int) -> shapely.Geometry:
    """A WGS84 shape in metres of ``epsg``."""
    return shapely.transform(shape, lambda p: np.column_stack(project(p[:, 0], p[:, 1], epsg)))


def grid_build(boundary_m: BaseGeometry, cell_size_m: float, epsg: int, min_inside: float = 0.25) -> GridSpec:
    """Cover the jurisdiction with square cells, keeping those at least a quarter inside it.

    ``boundary_m`` is a valid (multi)polygon in metres of ``epsg``. The origin is snapped to a multiple of the
    cell size, so that a slightly redrawn boundary leaves every square where it was. An empty or invalid
    boundary, a size that is not positive, or more than four million squares raise ``ValueError``.
    """
    if not math.isfinite(cell_size_m) or cell_size_m <= 0:
        raise ValueError(f"Cell size {cell_size_m} m is not a positive length.")
    if not 0 < min_inside <= 1:
        raise ValueError(f"The share of a cell that must lie inside is {min_inside}; it must be in (0, 1].")
    if boundary_m.is_empty or not boundary_m.is_valid or boundary_m.area <= 0:
        raise ValueError("The boundary is empty or not a valid polygon. Mend it before building a grid.")
    size = float(cell_size_m)
    west, south, east, north = boundary_m.bounds
    col0, row0 = math.floor(west / size), math.floor(south / size)
    n_cols, n_rows = math.ceil(east / size) - col0, math.ceil(north / size) - row0
    if n_rows * n_cols > MAX_RASTER_CELLS:
        raise ValueError(
            f"Cells of {size:g} m would make {n_rows * n_cols:,} squares over the boundary's extent "
            f"(at most {MAX_RASTER_CELLS:,}). Choose a larger cell size or a smaller boundary."
        )
    x0_m, y0_m = col0 * size, row0 * size
    col, row = np.meshgrid(np.arange(n_cols), np.arange(n_rows))
    x, y = x0_m + col.ravel() * size, y0_m + row.ravel() * size
    boxes = shapely.box(x, y, x + size, y + size)
    shapely.prepare(boundary_m)
    keep = shapely.contains_properly(boundary_m, boxes)
    edge = np.flatnonzero(~keep & shapely.intersects(boundary_m, boxes))
    if len(edge):
        keep[edge] = _area_inside(boundary_m, boxes[edge], row.ravel()[edge]) >= min_inside * size * size
    cells = np.flatnonzero(keep).astype(np.int64)
    if len(cells) == 0:
        raise ValueError(
            f"No cell of {size:g} m lies {100 * min_inside:.0f} % inside the boundary. Choose a smaller cell size."
        )
    return GridSpec(int(epsg), x0_m, y0_m, size, n_rows, n_cols, cells)


def _area_inside(
    boundary_m: BaseGeometry, boxes: npt.NDArray[np.object_], band: Ints, rows_per_band: int = 8
) -> Floats:
    """How much of each square lies inside. The boundary is cut into bands first: against a shoreline of
    100,000 points each single intersection would otherwise walk all of it."""
    area = np.zeros(len(boxes))
    bounds = shapely.bounds(boxes)
    for number in np.unique(band // rows_per_band):
        rows = np.flatnonzero(band // rows_per_band == number)
        low, high = bounds[rows].min(axis=0), bounds[rows].max(axis=0)
        strip = shapely.intersection(boundary_m, shapely.box(low[0], low[1], high[2], high[3]))
        area[rows] = shapely.area(shapely.intersection(boxes[rows], strip))
    return area
