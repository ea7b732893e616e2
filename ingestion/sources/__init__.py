"""Kinds of feed. Importing this package registers them all."""

from ingestion.sources.arcgis import ArcGis
from ingestion.sources.base import (
    FileReader,
    FileSource,
    FileSurvey,
    Page,
    ParameterInfo,
    PullSource,
    SourceError,
    is_pull,
    parameter_infos,
    pull_source,
    reader_source,
    register,
    source_class,
    source_from,
    source_kinds,
)
from ingestion.sources.csv_file import CsvFile, CsvFileParameters, CsvFileSource
from ingestion.sources.database import Database
from ingestion.sources.socrata import Socrata
from ingestion.sources.url import CsvUrl, JsonUrl

__all__ = [
    "ArcGis",
    "CsvFile",
    "CsvFileParameters",
    "CsvFileSource",
    "CsvUrl",
    "Database",
    "FileReader",
    "FileSource",
    "FileSurvey",
    "JsonUrl",
    "Page",
    "ParameterInfo",
    "PullSource",
    "Socrata",
    "SourceError",
    "is_pull",
    "parameter_infos",
    "pull_source",
    "reader_source",
    "register",
    "source_class",
    "source_from",
    "source_kinds",
]
