"""Which unit an officer-initiated call names: one of the agency's own call signs, or nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ingestion.engine.fingerprint import content_hashes

Ints = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]


def own_units(
    texts: Sequence[str], discoveries: Sequence[str], rows: Ints, call_signs: Mapping[str, str]
) -> list[str]:
    """The agency's own call sign of each of these rows, where an officer began the call; whatever else stands there is not kept.

    ``call_signs``: small letters → the agency's spelling. Who came to whose door is nobody's business here: a unit tells of
    directed patrols only.

    >>> own_units([" 1a12".strip(), "Roe, Jane", "1A12"], ["officer_initiated"] * 2 + ["reported"], np.arange(3), {"1a12": "1A12"})
    ['1A12', '', '']
    """
    return [
        call_signs.get(texts[i].casefold(), "") if discoveries[i] == "officer_initiated" else ""
        for i in rows.tolist()
    ]


def hashes_with_units(hashes: Ints, units: Objects | None) -> Ints:
    """Content hashes with the unit as part of the content; without one a hash stays what it was before there were units."""
    if units is None:
        return hashes
    own = content_hashes(texts=[units.tolist()], times=(), degrees=())
    return np.where(units.astype(str) != "", hashes ^ own, hashes)
