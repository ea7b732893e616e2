"""Writing what came in: imports, the quarantine, the spool, code tables and context layers."""

from ingestion.services.census_areas import CensusDraft, census_import, census_read, census_store
from ingestion.services.context_facts import events_upsert, weather_store
from ingestion.services.drafts import (
    draft_codes_save,
    draft_commit,
    draft_discard,
    draft_mapping_save,
    draft_start,
)
from ingestion.services.facts import CrimeTypeKeys, UpsertCounts, incidents_upsert
from ingestion.services.feeds import CodesImported, codes_import, feed_ensure
from ingestion.services.imports import import_run_execute, import_run_queue
from ingestion.services.layers import context_layer_import, layer_geojson, layer_slug
from ingestion.services.locks import ImportBusy
from ingestion.services.quarantine import (
    quarantine_replay,
    quarantine_replay_execute,
    quarantine_replay_queue,
)
from ingestion.services.spool import spool_delete, spool_expire, spool_path, spool_store
from ingestion.services.whole_files import context_feed_ensure, feed_is_whole_file

__all__ = [
    "CensusDraft",
    "CodesImported",
    "CrimeTypeKeys",
    "ImportBusy",
    "UpsertCounts",
    "census_import",
    "census_read",
    "census_store",
    "codes_import",
    "context_feed_ensure",
    "context_layer_import",
    "draft_codes_save",
    "draft_commit",
    "draft_discard",
    "draft_mapping_save",
    "draft_start",
    "events_upsert",
    "feed_ensure",
    "feed_is_whole_file",
    "import_run_execute",
    "import_run_queue",
    "incidents_upsert",
    "layer_geojson",
    "layer_slug",
    "quarantine_replay",
    "quarantine_replay_execute",
    "quarantine_replay_queue",
    "spool_delete",
    "spool_expire",
    "spool_path",
    "spool_store",
    "weather_store",
]
