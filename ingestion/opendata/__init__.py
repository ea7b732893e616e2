"""Cities whose portals publish crime, calls for service or gunfire: where, which columns, what their codes mean."""

from ingestion.opendata.base import KINDS, City, OpenDataset
from ingestion.opendata.cities import CITIES

__all__ = ["CITIES", "KINDS", "City", "OpenDataset"]
