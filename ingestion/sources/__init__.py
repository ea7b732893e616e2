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
from ingestion.sources.whole_file import WholeFileSource, whole_file_class

__all__ = [
    "CsvFile",
    "CsvFileParameters",
    "CsvFileSource",
    "FileReader",
    "FileSource",
    "FileSurvey",
    "ParameterInfo",
    "SourceError",
    "parameter_infos",
    "register",
    "source_class",
    "source_from",
    "source_kinds",
    "WholeFileSource",
    "whole_file_class",
]
