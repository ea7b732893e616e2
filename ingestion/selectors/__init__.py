"""Reading what came in. The only door from stored incidents to numbers is ``incident_table``."""

from ingestion.selectors.tables import CALLS, data_hash, incident_table

__all__ = ["CALLS", "data_hash", "incident_table"]
