"""Tables that people upload to the mapping wizard, looked into in a process of its own: a legal file may still take all memory, or minutes."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.sources import SourceError
from ingestion.tables.packing import TableLook, unpacked
from missions_project.lib.confined import TooMuch, confined, ready

SECONDS, MEGABYTES = 90, 2048
"""For what a page asks of a file: its header, first rows, and codes in 400,000 rows, which take 3 s of a CSV file; 50,000 rows of a workbook take 4 s.

A web request has 120 seconds.
"""
READER = "ingestion.tables.child"
logger = logging.getLogger(__name__)


def table_look(
    path: Path,
    *,
    kind: str,
    params: Mapping[str, Any],
    mapping: FeedMapping | None = None,
    any_kind: bool = False,
    sample: int = 0,
    codes: int = 0,
    first: int = 0,
) -> TableLook:
    """Look into a table as a feed of this kind reads it; with ``any_kind`` as the kind that its content is of.

    ``sample`` is for so many first rows with all their columns. With a complete mapping, ``codes`` counts the codes of about so
    many rows, and ``first`` gives about so many rows as an import reads them. A third of a second for a small file, a tenth where its
    reader has been started ahead: here for the next look, and by ``table_look_soon``.

    Raises ``SourceError`` with the next step, also for a file that takes more than its reader may.
    """
    asked = {
        "path": str(path.resolve()),
        "kind": kind,
        "params": dict(params),
        "mapping": mapping.to_json() if mapping else None,
        "any_kind": any_kind,
        "sample": sample,
        "codes": codes,
        "first": first,
    }
    try:
        answer = confined(READER, asked, seconds=SECONDS, megabytes=MEGABYTES)
        if "problem" not in answer:
            return unpacked(answer)
        told = answer["problem"]
        problem = SourceError(str(told["message"]), str(told["next_step"]), told["row"], told["column"])
    # A file that has taken its reader over answers what it likes.
    except (TooMuch, ValueError, TypeError, LookupError, AttributeError, OverflowError) as exc:
        # Another error's words may quote the file.
        what = exc if isinstance(exc, TooMuch) else type(exc).__name__
        logger.warning("An uploaded table was not read: %s", what)
        raise SourceError(
            _("The file takes more than %(seconds)s seconds or %(megabytes)s MB to look into.")
            % {"seconds": SECONDS, "megabytes": MEGABYTES},
            _("Export it as CSV, or fewer rows and columns of it, and upload that."),
        ) from exc
    finally:
        table_look_soon()
    raise problem


def table_look_soon() -> None:
    """A person is likely to ask for ``table_look`` in a moment: its reader opens its libraries until then."""
    ready(READER)
