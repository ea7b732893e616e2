"""Gunfire alerts come in stages: a sensor detects, a person reviews, reclassifies or dismisses. The last stage wins."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

STAGES = ("detected", "reviewed", "reclassified", "dismissed")
"""In the order in which they follow one another; a position in this list is a stage's rank."""
DETECTED, REVIEWED, RECLASSIFIED, DISMISSED = range(4)
NO_VERSION = int(np.iinfo(np.int64).min)
_RANKS_A_SECOND = 8

STAGE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        **{stage: stage for stage in STAGES},
        "": "detected",
        **dict.fromkeys(("new", "initial", "detection", "unreviewed", "pending"), "detected"),
        **dict.fromkeys(("review", "confirmed", "published", "verified", "accepted"), "reviewed"),
        **dict.fromkeys(("reclassification", "reclassify", "changed"), "reclassified"),
        **dict.fromkeys(("dismiss", "dismissal", "false_positive", "false positive", "rejected", "cancelled"), "dismissed"),
    }
)  # fmt: skip


def stage_ranks(texts: Sequence[str]) -> Ints:
    """The rank of each stage by its word (any case); -1 for a word that is none. An empty text means detected.

    >>> stage_ranks(["Detected", "DISMISSED", "", "maybe"]).tolist()
    [0, 3, 0, -1]
    """
    words = [STAGE_WORDS.get(text.lower(), "") for text in texts]
    return np.array([STAGES.index(word) if word else -1 for word in words], dtype=np.int64)


def stage_versions(stage_at: npt.NDArray[np.datetime64], ranks: Ints) -> Ints:
    """One number a row, larger for what is to win: the later stage, and among those of one second the higher rank.

    Whole seconds, because the time is stored in them. Missing times (NaT) give ``NO_VERSION``, which is below all.

    >>> times = np.array(["2026-03-01T00:00:01", "2026-03-01T00:00:01", "NaT"], dtype="datetime64[s]")
    >>> first, second, none = stage_versions(times, np.array([0, 3, 3]))
    >>> bool(first < second), int(none) == NO_VERSION
    (True, True)
    """
    seconds = stage_at.astype("datetime64[s]").astype(np.int64)
    return np.where(np.isnat(stage_at), NO_VERSION, seconds * _RANKS_A_SECOND + ranks)
