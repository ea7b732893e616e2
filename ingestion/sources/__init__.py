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
from ingestion.sources.excel_file import ExcelFile, ExcelFileSource
from ingestion.sources.json_file import JsonFile, JsonLinesFileSource
from ingestion.sources.ndex_file import NdexFile, NdexFileSource
from ingestion.sources.parquet_file import ParquetFile, ParquetFileSource
from ingestion.sources.push import PushSource
from ingestion.sources.recognise import recognised_kind
from ingestion.sources.socrata import Socrata
from ingestion.sources.url import CsvUrl, JsonUrl
from ingestion.sources.whole_file import WholeFileSource, whole_file_class
from ingestion.sources.whole_url import WholeAnswer, WholeUrlSource

__all__ = [
    "ArcGis",
    "CsvFile",
    "CsvFileParameters",
    "CsvFileSource",
    "CsvUrl",
    "Database",
    "ExcelFile",
    "ExcelFileSource",
    "FileReader",
    "FileSource",
    "FileSurvey",
    "JsonFile",
    "JsonLinesFileSource",
    "JsonUrl",
    "NdexFile",
    "NdexFileSource",
    "Page",
    "ParameterInfo",
    "ParquetFile",
    "ParquetFileSource",
    "PullSource",
    "PushSource",
    "Socrata",
    "SourceError",
    "WholeAnswer",
    "WholeFileSource",
    "WholeUrlSource",
    "is_pull",
    "parameter_infos",
    "pull_source",
    "reader_source",
    "recognised_kind",
    "register",
    "source_class",
    "source_from",
    "source_kinds",
    "whole_file_class",
]
