"""Kinds of feed. Importing this package registers them all."""

from ingestion.sources.base import (
    FileReader,
    FileSource,
    FileSurvey,
    ParameterInfo,
    SourceError,
    parameter_infos,
    register,
    source_class,
    source_from,
    source_kinds,
)
from ingestion.sources.csv_file import CsvFile, CsvFileParameters, CsvFileSource
from ingestion.sources.excel_file import ExcelFile, ExcelFileSource
from ingestion.sources.json_file import JsonFile, JsonLinesFileSource
from ingestion.sources.ndex_file import NdexFile, NdexFileSource
from ingestion.sources.parquet_file import ParquetFile, ParquetFileSource
from ingestion.sources.recognise import recognised_kind

__all__ = [
    "CsvFile",
    "CsvFileParameters",
    "CsvFileSource",
    "ExcelFile",
    "ExcelFileSource",
    "FileReader",
    "FileSource",
    "FileSurvey",
    "JsonFile",
    "JsonLinesFileSource",
    "NdexFile",
    "NdexFileSource",
    "ParameterInfo",
    "ParquetFile",
    "ParquetFileSource",
    "SourceError",
    "parameter_infos",
    "recognised_kind",
    "register",
    "source_class",
    "source_from",
    "source_kinds",
]
