"""What a look into a table found, on its way between two processes: plain JSON, believed only as far as it is of the right make."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ingestion.engine.rejections import REJECTION_CODES, Rejection
from ingestion.engine.rows import RowChunk, RowRejection
from ingestion.tables.codes import CountedCode


@dataclass(frozen=True)
class TableLook:
    """The file's kind and header, and what was asked for: first rows as column → text, codes counted, first rows as an import reads them."""

    kind: str
    header: tuple[str, ...]
    sample: list[dict[str, str]] = field(default_factory=list)
    codes: list[CountedCode] = field(default_factory=list)
    first: RowChunk | None = None


def packed(look: TableLook) -> dict[str, Any]:
    """The look as JSON. Each row of the sample has the header's columns in its order."""
    return {
        "kind": look.kind,
        "header": list(look.header),
        "sample": [[row[column] for column in look.header] for row in look.sample],
        "codes": [asdict(code) for code in look.codes],
        "first": None if look.first is None else _packed_rows(look.first),
    }


def _packed_rows(chunk: RowChunk) -> dict[str, Any]:
    return {
        "numbers": chunk.row_numbers.tolist(),
        "superseded": chunk.superseded_row_numbers.tolist(),
        "columns": {name: list(texts) for name, texts in chunk.columns.items()},
        "rejections": [[row.row_number, asdict(row.rejection)] for row in chunk.rejections],
    }


def unpacked(answer: dict[str, Any]) -> TableLook:
    """The look again. Raises ``ValueError``, ``TypeError`` or ``LookupError`` for what no reader of ours has packed."""
    header = tuple(_texts(answer["header"]))
    return TableLook(
        kind=_texts([answer["kind"]])[0],
        header=header,
        sample=[dict(zip(header, _texts(row), strict=True)) for row in answer["sample"]],
        codes=[_code(code) for code in answer["codes"]],
        first=None if answer["first"] is None else _rows(answer["first"]),
    )


def _code(told: dict[str, Any]) -> CountedCode:
    rows = int(told["rows"])
    code, nibrs, ucr, description = _texts([told[name] for name in ("code", "nibrs", "ucr", "description")])
    return CountedCode(code, rows, nibrs, ucr, description)


def _rows(told: dict[str, Any]) -> RowChunk:
    numbers = np.array(told["numbers"], dtype=np.int64)
    columns = {str(name): _texts(texts) for name, texts in told["columns"].items()}
    if any(len(texts) != len(numbers) for texts in columns.values()):
        raise ValueError("a column of another length")
    rejections = tuple(RowRejection(int(number), _rejection(why)) for number, why in told["rejections"])
    return RowChunk(numbers, columns, rejections, np.array(told["superseded"], dtype=np.int64))


def _rejection(told: dict[str, Any]) -> Rejection:
    code, name, value = _texts([told["code"], told["field"], told["value_excerpt"]])
    if code not in REJECTION_CODES:
        raise ValueError("a reason that there is not")
    return Rejection(code, name, value)


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("something else than texts")
    return values
