"""The same small table in every kind of file, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.ingestion.files import COLUMNS, write_rows

REPORT = """
 <lexs:DataItemPackage>
  <lexs:PackageMetadata><lexs:DataItemID>{id}</lexs:DataItemID>
   <lexs:DataOwnerMetadata><lexs:DataOwnerContact><nc:PersonFullName>Contact Cassandra</nc:PersonFullName></lexs:DataOwnerContact>
   </lexs:DataOwnerMetadata></lexs:PackageMetadata>
  <ndexia:IncidentReport>
   <ndexia:Incident>
    <nc:ActivityIdentification><nc:IdentificationID>{id}</nc:IdentificationID></nc:ActivityIdentification>
    <nc:ActivityDescriptionText>Narrated by Narcissa</nc:ActivityDescriptionText>
    <nc:ActivityDateRange><nc:StartDate><nc:DateTime>{occurred_at}</nc:DateTime></nc:StartDate></nc:ActivityDateRange>
    <ndexia:Offense>
     <ndexia:OffenseCode>{nibrs_code}</ndexia:OffenseCode>
    </ndexia:Offense>
    <nc:IncidentLocation s:id="L1">
     <nc:LocationAddress><nc:AddressFullText>1 Addressee Avenue</nc:AddressFullText></nc:LocationAddress>
     <nc:LocationTwoDimensionalGeographicCoordinate>
      <nc:GeographicCoordinateLatitude><nc:LatitudeDegreeValue>{lat}</nc:LatitudeDegreeValue></nc:GeographicCoordinateLatitude>
      <nc:GeographicCoordinateLongitude><nc:LongitudeDegreeValue>{lon}</nc:LongitudeDegreeValue></nc:GeographicCoordinateLongitude>
     </nc:LocationTwoDimensionalGeographicCoordinate>
    </nc:IncidentLocation>
   </ndexia:Incident>
   <ndexia:Person s:id="P1"><nc:PersonName><nc:PersonFullName>Victor Victimson</nc:PersonFullName></nc:PersonName>
    <nc:PersonBirthDate><nc:Date>1999-09-09</nc:Date></nc:PersonBirthDate></ndexia:Person>
   <ndexia:Arrestee><j:ArrestSubject>Arrested Arno</j:ArrestSubject></ndexia:Arrestee>
  </ndexia:IncidentReport>
 </lexs:DataItemPackage>"""
ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<lexs:PublishMessage xmlns:lexs="http://usdoj.gov/leisp/lexs/3.1" xmlns:nc="http://niem.gov/niem/niem-core/2.0"
 xmlns:j="http://niem.gov/niem/domains/jxdm/4.0" xmlns:ndexia="http://fbi.gov/cjis/N-DEx/IncidentArrest/2.1"
 xmlns:s="http://niem.gov/niem/structures/2.0">{}
</lexs:PublishMessage>
"""


def write_excel(
    path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str] = COLUMNS, title: str = ""
) -> Path:
    """A workbook whose times are Excel's own dates."""
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("Incidents")
    if title:
        sheet.append([title])
    sheet.append(list(columns))
    for row in rows:
        cells = [row.get(column, "") for column in columns]
        sheet.append([_as_date(value) for value in cells])
    workbook.save(path)
    return path


def _as_date(value: Any) -> Any:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else value
    except ValueError:
        return value


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str] = COLUMNS) -> Path:
    lines = (json.dumps({c: row[c] for c in columns if row.get(c, "") != ""}) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str] = COLUMNS) -> Path:
    data = {c: [None if (v := row.get(c, "")) == "" else str(v) for row in rows] for c in columns}
    pq.write_table(pa.table({c: pa.array(v, pa.string()) for c, v in data.items()}), path)
    return path


def write_xml(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str] = COLUMNS) -> Path:
    reports = (REPORT.format(**{c: row.get(c, "") for c in COLUMNS}) for row in rows)
    path.write_text(ENVELOPE.format("".join(reports)), encoding="utf-8")
    return path


WRITERS = {
    "csv_file": write_rows,
    "excel_file": write_excel,
    "json_lines_file": write_json_lines,
    "parquet_file": write_parquet,
    "ndex_xml_file": write_xml,
}
SUFFIX = {
    "csv_file": "csv",
    "excel_file": "xlsx",
    "json_lines_file": "jsonl",
    "parquet_file": "parquet",
    "ndex_xml_file": "xml",
}
