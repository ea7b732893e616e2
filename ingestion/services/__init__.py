"""Writing what came in: imports, the quarantine, the spool, code tables and context layers."""

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
from ingestion.services.open_data import feed_pull_all, open_data_feeds
from ingestion.services.pulls import pull_params_save, pull_queue, pulls_queue, unfinished_pull
from ingestion.services.quarantine import (
    quarantine_replay,
    quarantine_replay_execute,
    quarantine_replay_queue,
)
from ingestion.services.samples import draft_fetch
from ingestion.services.secrets import feed_secrets, feed_secrets_seal, secrets_known
from ingestion.services.spool import spool_delete, spool_expire, spool_path, spool_store

__all__ = [
    "CodesImported",
    "CrimeTypeKeys",
    "ImportBusy",
    "UpsertCounts",
    "codes_import",
    "context_layer_import",
    "draft_codes_save",
    "draft_commit",
    "draft_discard",
    "draft_fetch",
    "draft_mapping_save",
    "draft_start",
    "feed_ensure",
    "feed_pull_all",
    "feed_secrets",
    "feed_secrets_seal",
    "import_run_execute",
    "import_run_queue",
    "incidents_upsert",
    "layer_geojson",
    "layer_slug",
    "open_data_feeds",
    "pull_params_save",
    "pull_queue",
    "pulls_queue",
    "quarantine_replay",
    "quarantine_replay_execute",
    "quarantine_replay_queue",
    "secrets_known",
    "spool_delete",
    "spool_expire",
    "spool_path",
    "spool_store",
    "unfinished_pull",
]
