"""Keep a shift's whole design in one file that says at once whether anybody has changed it.

Format: a NumPy ``.npz`` without pickles; one array a column of ``PlanDraw``, and ``meta``, the rest as JSON in UTF-8
bytes: format, version, policy, messages, digest. The digest is SHA-256 over every array's name, type, shape and bytes
and the JSON without the digest, so it does not depend on how the zip was packed. Kept a second time outside the file,
it shows any change; inside it shows damage.
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from patrols.engine.design import DesignPolicy, Infeasible
from patrols.engine.records import Notice, PlanDraw

FORMAT = "patrol-design"
VERSION = 1
_SCALARS = ("shift_minutes", "seed", "policy", "infeasible", "notices")
_DTYPES = {
    "drawn": "|b1",
    "beat_method": "|i1",
    "excluded_reason": "|i1",
    **dict.fromkeys(
        ("cell", "beat", "beat_id", "beat_k", "beat_units", "beat_visits", "excluded_cell"), "<i8"
    ),
}
"""Stored types, little-endian everywhere; columns that are not named here are ``<f8``."""

Columns = dict[str, npt.NDArray[Any]]


class DesignCodecError(ValueError):
    """The bytes are not a design that this version can read; the message says why and what to do."""


def design_to_bytes(plan: PlanDraw) -> bytes:
    """Pack a plan's design; the same plan always gives the same bytes."""
    columns = _columns(plan)
    meta = _meta(plan)
    meta["digest"] = _digest(columns, meta)
    buffer = io.BytesIO()
    packed = np.frombuffer(_json(meta), dtype=np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, meta=packed, **columns)
    return buffer.getvalue()


def design_digest(design: PlanDraw | bytes | memoryview) -> str:
    """SHA-256 of the design as 64 hex digits, the same before packing, packed and after unpacking.

    Raises ``DesignCodecError`` for bytes that are no design.
    """
    plan = design if isinstance(design, PlanDraw) else design_from_bytes(design)
    return _digest(_columns(plan), _meta(plan))


def design_from_bytes(data: bytes | memoryview) -> PlanDraw:
    """Unpack a design, as bytes or as the memoryview that PostgreSQL hands out.

    Raises ``DesignCodecError`` for damage, a change, or a version that is not known.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            found: Columns = {name: file[name] for name in file.files}
        meta = json.loads(found.pop("meta").tobytes())
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DesignCodecError(
            f"This is not a stored patrol design, or it is damaged ({error}); restore it from a backup."
        ) from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DesignCodecError(f"This is not a stored patrol design: its format is not {FORMAT!r}.")
    if meta.get("version") != VERSION:
        raise DesignCodecError(
            f"The design has version {meta.get('version')}, this release reads {VERSION}; use the release named in the "
            "plan."
        )
    digest = meta.pop("digest", None)
    if digest != _digest(found, meta):
        raise DesignCodecError("The design was changed after it was stored: its digest does not match.")
    expected = {field.name for field in fields(PlanDraw)} - set(_SCALARS)
    if set(found) != expected or any(
        column.dtype.str != _DTYPES.get(name, "<f8") for name, column in found.items()
    ):
        raise DesignCodecError("The design's columns are not those of its version; restore it from a backup.")
    try:
        plan = PlanDraw(
            **found,
            shift_minutes=meta["shift_minutes"],
            seed=meta["seed"],
            policy=DesignPolicy(**meta["policy"]),
            infeasible=tuple(Infeasible(**item) for item in meta["infeasible"]),
            notices=tuple(Notice(**item) for item in meta["notices"]),
        )
    except (KeyError, TypeError) as error:
        raise DesignCodecError(
            f"The design's settings are not those of its version ({error}); restore it from a backup."
        ) from error
    if not _is_aligned(plan):
        raise DesignCodecError("The design's columns differ in length; restore it from a backup.")
    return plan


def design_part(data: bytes | memoryview, names: frozenset[str]) -> PlanDraw:
    """Unpack some columns of a design, the others empty: for bytes that were checked as a whole before, and are the same.

    Nothing is held against the digest here: that takes every column. Raises ``DesignCodecError`` for what is no design.
    """
    expected = {field.name for field in fields(PlanDraw)} - set(_SCALARS)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            meta = json.loads(file["meta"].tobytes())
            found: Columns = {
                name: file[name] if name in names else np.empty(0, dtype=_DTYPES.get(name, "<f8"))
                for name in expected
            }
        return PlanDraw(
            **found,
            shift_minutes=meta["shift_minutes"],
            seed=meta["seed"],
            policy=DesignPolicy(**meta["policy"]),
            infeasible=tuple(Infeasible(**item) for item in meta["infeasible"]),
            notices=tuple(Notice(**item) for item in meta["notices"]),
        )
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DesignCodecError(
            f"This is not a stored patrol design, or it is damaged ({error}); restore it from a backup."
        ) from error


def _is_aligned(plan: PlanDraw) -> bool:
    """Whether every column has one element a candidate, a planned beat or an excluded cell, as it should."""
    for name in _columns(plan):
        if name.startswith("beat_"):
            shape: tuple[int, ...] = (len(plan.beat_id),)
        elif name.startswith("excluded_"):
            shape = (len(plan.excluded_cell),)
        elif name == "visit_start_minutes":
            shape = (len(plan.cell), plan.policy.visits_per_cell)
        else:
            shape = (len(plan.cell),)
        if getattr(plan, name).shape != shape:
            return False
    return True


def _columns(plan: PlanDraw) -> Columns:
    return {
        field.name: np.ascontiguousarray(getattr(plan, field.name), dtype=_DTYPES.get(field.name, "<f8"))
        for field in fields(plan)
        if field.name not in _SCALARS
    }


def _meta(plan: PlanDraw) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "shift_minutes": int(plan.shift_minutes),
        # JSON numbers in Python keep every digit of an integer: a 63-bit seed survives.
        "seed": int(plan.seed),
        "policy": asdict(plan.policy),
        "infeasible": [asdict(item) for item in plan.infeasible],
        "notices": [asdict(item) for item in plan.notices],
    }


def _json(meta: dict[str, Any]) -> bytes:
    return json.dumps(meta, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _digest(columns: Columns, meta: dict[str, Any]) -> str:
    total = hashlib.sha256(_json(meta))
    for name in sorted(columns):
        column = columns[name]
        total.update(f"{name}|{column.dtype.str}|{column.shape}|".encode())
        total.update(column.tobytes())
    return total.hexdigest()
