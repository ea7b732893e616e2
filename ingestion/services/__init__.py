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
from ingestion.services.positions import positions_store
from ingestion.services.push import PushResult, push_mapped, push_mapping, push_store
from ingestion.services.push_account import push_day_fold, push_days_fold
from ingestion.services.quarantine import (
    quarantine_replay,
    quarantine_replay_execute,
    quarantine_replay_queue,
)
from ingestion.services.refresh import refresh_ask, refresh_begin, refresh_end
from ingestion.services.spool import spool_delete, spool_expire, spool_path, spool_store
from ingestion.services.uploads import upload_queue

__all__ = [
    "CodesImported",
    "CrimeTypeKeys",
    "PushResult",
    "ImportBusy",
    "UpsertCounts",
    "codes_import",
    "context_layer_import",
    "draft_codes_save",
    "draft_commit",
    "draft_discard",
    "draft_mapping_save",
    "draft_start",
    "feed_ensure",
    "import_run_execute",
    "import_run_queue",
    "incidents_upsert",
    "layer_geojson",
    "layer_slug",
    "positions_store",
    "push_day_fold",
    "push_days_fold",
    "push_mapped",
    "push_mapping",
    "push_store",
    "quarantine_replay",
    "quarantine_replay_execute",
    "quarantine_replay_queue",
    "refresh_ask",
    "refresh_begin",
    "refresh_end",
    "spool_delete",
    "spool_expire",
    "spool_path",
    "spool_store",
    "upload_queue",
]
