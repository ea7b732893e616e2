"""The examples on the pages of the feeds are read as the pages say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from ingestion.sources import recognised_kind, source_from


def example(page: str, language: str) -> str:
    """The page's first block in this language."""
    text = (Path(settings.BASE_DIR) / "docs" / "feeds" / page).read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found, f"{page} shows no {language}"
    return found[1]


@pytest.mark.parametrize(
    ("page", "language", "kind", "wanted"),
    [
        ("csv.md", "csv", "csv_file", {"id": "25-001", "lat": "41.8801", "nibrs_code": "220"}),
        ("json-lines.md", "json", "json_lines_file", {"id": "25-001", "lon": "-87.6298", "code": "B-1"}),
        (
            "ndex-xml.md",
            "xml",
            "ndex_xml_file",
            {
                "OffenseID": "25-001-220",
                "IncidentID": "25-001",
                "NIBRSCode": "220",
                "OccurredFrom": "2025-03-10T02:15:00",
                "Latitude": "41.8801",
                "Longitude": "-87.6298",
            },
        ),
    ],
)
def test_the_example_is_read_as_the_page_says(page, language, kind, wanted, tmp_path):
    path = tmp_path / "example"
    path.write_text(example(page, language), encoding="utf-8")
    if kind != "csv_file":
        assert recognised_kind(path) == kind
    row = source_from(kind, {}).open(path).sample()[0]
    assert wanted.items() <= row.items()


def test_the_python_example_writes_a_file_that_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(example("parquet.md", "python"), "parquet.md", "exec"), {})
    (row,) = source_from("parquet_file", {}).open(tmp_path / "incidents.parquet").sample()
    assert (row["id"], row["occurred_at"], row["lat"]) == ("25-001", "2025-03-10T07:15:00Z", "41.8801")
