"""Writing what came in: imports, the quarantine, the spool, code tables and context layers."""

from ingestion.services.code_choices import offence_code_choose, unmapped_replay_queue
from ingestion.services.drafts import (
    draft_codes_save,
    draft_commit,
    draft_discard,
    draft_mapping_save,
    draft_start,
)
from ingestion.services.drop_files import folder_address
from ingestion.services.drops import drop_folder_scan, drop_folders_due
from ingestion.services.facts import CrimeTypeKeys, UpsertCounts, incidents_upsert
from ingestion.services.feeds import CodesImported, codes_import, feed_ensure
from ingestion.services.imports import import_run_execute, import_run_queue
from ingestion.services.layers import context_layer_import, layer_geojson, layer_slug
from ingestion.services.locks import ImportBusy
from ingestion.services.quality import feed_quality, quality_of
from ingestion.services.quarantine import (
    quarantine_replay,
    quarantine_replay_execute,
    quarantine_replay_queue,
)
from ingestion.services.retention import (
    RetentionPlan,
    retention_claim_due,
    retention_plan,
    retention_run,
)
from ingestion.services.retention_kinds import (
    RetentionKind,
    retention_kind,
    retention_kind_register,
    retention_kinds,
    retention_notice_register,
    retention_notices,
)
from ingestion.services.spool import spool_delete, spool_expire, spool_path, spool_store

__all__ = [
    "CodesImported",
    "CrimeTypeKeys",
    "ImportBusy",
    "RetentionKind",
    "RetentionPlan",
    "UpsertCounts",
    "codes_import",
    "context_layer_import",
    "draft_codes_save",
    "draft_commit",
    "draft_discard",
    "draft_mapping_save",
    "draft_start",
    "drop_folder_scan",
    "drop_folders_due",
    "feed_ensure",
    "folder_address",
    "feed_quality",
    "import_run_execute",
    "import_run_queue",
    "incidents_upsert",
    "layer_geojson",
    "layer_slug",
    "offence_code_choose",
    "quality_of",
    "quarantine_replay",
    "quarantine_replay_execute",
    "quarantine_replay_queue",
    "retention_claim_due",
    "retention_kind",
    "retention_kind_register",
    "retention_kinds",
    "retention_notice_register",
    "retention_notices",
    "retention_plan",
    "retention_run",
    "spool_delete",
    "spool_expire",
    "spool_path",
    "spool_store",
    "unmapped_replay_queue",
]
