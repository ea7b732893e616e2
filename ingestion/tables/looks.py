"""A look into an uploaded table, as the mapping wizard asks for it: in a process that knows nothing of this installation but its languages."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ingestion.engine.mapping import FeedMapping
from ingestion.sources import SourceError, parameter_infos, reader_source, recognised_kind
from ingestion.tables.codes import FIELDS, count_codes
from ingestion.tables.packing import TableLook, packed


def answer_to(asked: dict[str, Any]) -> dict[str, Any]:
    """Look into the file. A problem that a person can mend is an answer, too."""
    path, kind, params = Path(asked["path"]), asked["kind"], asked["params"]
    mapping = FeedMapping.from_json(asked["mapping"]) if asked["mapping"] else None
    try:
        if asked["any_kind"] and (found := recognised_kind(path)) not in (None, kind):
            names = {info.name for info in parameter_infos(found)}
            kind, params = found, {name: value for name, value in params.items() if name in names}
        reader = reader_source(kind, params).open(path, mapping=mapping)
        sample = reader.sample(asked["sample"]) if asked["sample"] else []
        codes, first = [], None
        # A mapping that is not complete yet is told of by whoever asked.
        if mapping is not None and not mapping.problems(reader.header):
            if asked["codes"]:
                columns = {name: column for name, column in mapping.columns.items() if name in FIELDS}
                codes = count_codes(reader.head(replace(mapping, columns=columns), asked["codes"]), mapping)
            first = next(islice(reader.head(mapping, asked["first"]), 1), None) if asked["first"] else None
        return packed(TableLook(kind, tuple(reader.header), sample, codes, first))
    except SourceError as exc:
        if isinstance(exc.__cause__, MemoryError):
            # Within these limits that is no sign of a damaged file, as which its reader takes it.
            raise MemoryError from exc
        # As texts: some are translated only when they are read.
        words = {"message": str(exc.message), "next_step": str(exc.next_step)}
        return {"problem": {**words, "row": exc.row, "column": exc.column}}
