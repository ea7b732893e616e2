"""A real city's export through reader and engine: every row accounted for, the offences sorted as its FBI codes say."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
import shapely

from ingestion.engine.codes import CodeTable
from ingestion.engine.context import NormaliseContext
from ingestion.engine.normalise import normalise_chunk
from ingestion.engine.places import Boundary
from ingestion.engine.profiles import SOCRATA_CITY, match_profile
from ingestion.sources import CsvFileSource

CHICAGO = Path(__file__).resolve().parents[3] / "shared" / "data" / "chicago"
ROWS = 30_000


@pytest.fixture
def beginning(tmp_path: Path) -> Path:
    """The first rows of the city's file; the whole of it is the benchmark's."""
    if not (CHICAGO / "portal_2017.csv.gz").exists():
        pytest.skip("the public data are not beside this checkout (../shared/data)")
    path = tmp_path / "portal.csv.gz"
    with (
        gzip.open(CHICAGO / "portal_2017.csv.gz", "rb") as whole,
        gzip.open(path, "wb", compresslevel=1) as part,
    ):
        part.writelines(islice(whole, ROWS + 1))
    return path


def test_every_row_of_a_real_export_is_accounted_for(beginning: Path) -> None:
    features = json.loads((CHICAGO / "districts.geojson").read_text())["features"]
    area = shapely.union_all([shapely.geometry.shape(feature["geometry"]) for feature in features])
    codes = CodeTable(
        {"burglary": "220", "robbery": "120", "assault": "13A", "homicide": "09A", "vehicle-theft": "240"}
    )
    context = NormaliseContext(
        "America/Chicago", datetime(2019, 1, 1, tzinfo=UTC), codes, Boundary.from_geometry(area)
    )
    file = CsvFileSource().open(beginning)
    assert match_profile(file.header) is SOCRATA_CITY
    mapping = SOCRATA_CITY.mapping_for(file.header)
    mapping.validate(file.header)
    received = accepted = refused = 0
    quarantined: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for chunk in file.chunks(mapping):
        result = normalise_chunk(chunk, mapping, context)
        received += result.received
        accepted += len(result)
        refused += sum(result.refused.values())
        quarantined.update(kept.rejection.code for kept in result.quarantined)
        waiting.update(
            kept.values["FBI Code"] for kept in result.quarantined if kept.rejection.code == "unmapped_code"
        )
        assert not {code for _, code in result.refused} & {"01A", "03", "04A", "04B", "05", "06", "07"}
    assert received == file.survey(mapping).row_count == ROWS
    assert received == accepted + refused + sum(quarantined.values())
    assert set(waiting) == {"06"}
    assert set(quarantined) == {"unmapped_code", "missing_coordinates"}
    assert accepted > 4_000
