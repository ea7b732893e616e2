"""Writing what came in: imports, the quarantine, the spool, code tables and context layers."""

from ingestion.services.census_areas import CensusDraft, census_import, census_read, census_store
from ingestion.services.code_choices import offence_code_choose, unmapped_replay_queue
from ingestion.services.context_facts import events_upsert, weather_store
from ingestion.services.drafts import (
    draft_codes_save,
    draft_commit,
    draft_discard,
    draft_mapping_save,
    draft_start,
)
from ingestion.services.drop_files import folder_address
from ingestion.services.drops import drop_folder_scan, drop_folders_due
from ingestion.services.fact_rows import CrimeTypeKeys
from ingestion.services.facts import UpsertCounts, incidents_upsert
from ingestion.services.feeds import CodesImported, codes_import, feed_ensure
from ingestion.services.import_turns import import_run_in_turn
from ingestion.services.imports import import_run_execute, import_run_queue
from ingestion.services.layers import context_layer_import, layer_geojson, layer_slug
from ingestion.services.locks import ImportBusy
from ingestion.services.open_data import feed_pull_all, open_data_feeds
from ingestion.services.position_months import (
    position_months_drop,
    position_months_keep,
    position_months_state,
)
from ingestion.services.positions import positions_mapping, positions_store
from ingestion.services.pulls import pull_params_save, pull_queue, pulls_queue, unfinished_pull
from ingestion.services.push import PushResult, push_mapped, push_mapping, push_store
from ingestion.services.push_account import push_day_fold, push_days_fold
from ingestion.services.quality import feed_quality, quality_of
from ingestion.services.quarantine import (
    quarantine_replay,
    quarantine_replay_execute,
    quarantine_replay_queue,
)
from ingestion.services.refresh import refresh_ask, refresh_begin, refresh_end
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
from ingestion.services.samples import draft_fetch
from ingestion.services.secrets import feed_secrets, feed_secrets_seal, secrets_known
from ingestion.services.spool import spool_delete, spool_expire, spool_path, spool_store
from ingestion.services.uploads import upload_queue
from ingestion.services.whole_files import context_feed_ensure, feed_is_whole_file

__all__ = [
    "CensusDraft",
    "CodesImported",
    "CrimeTypeKeys",
    "ImportBusy",
    "PushResult",
    "RetentionKind",
    "RetentionPlan",
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
    "draft_fetch",
    "draft_mapping_save",
    "draft_start",
    "drop_folder_scan",
    "drop_folders_due",
    "events_upsert",
    "feed_ensure",
    "feed_is_whole_file",
    "feed_pull_all",
    "feed_quality",
    "feed_secrets",
    "feed_secrets_seal",
    "folder_address",
    "import_run_execute",
    "import_run_in_turn",
    "import_run_queue",
    "incidents_upsert",
    "layer_geojson",
    "layer_slug",
    "offence_code_choose",
    "open_data_feeds",
    "position_months_drop",
    "position_months_keep",
    "position_months_state",
    "positions_mapping",
    "positions_store",
    "pull_params_save",
    "pull_queue",
    "pulls_queue",
    "push_day_fold",
    "push_days_fold",
    "push_mapped",
    "push_mapping",
    "push_store",
    "quality_of",
    "quarantine_replay",
    "quarantine_replay_execute",
    "quarantine_replay_queue",
    "refresh_ask",
    "refresh_begin",
    "refresh_end",
    "retention_claim_due",
    "retention_kind",
    "retention_kind_register",
    "retention_kinds",
    "retention_notice_register",
    "retention_notices",
    "retention_plan",
    "retention_run",
    "secrets_known",
    "spool_delete",
    "spool_expire",
    "spool_path",
    "spool_store",
    "unfinished_pull",
    "unmapped_replay_queue",
    "upload_queue",
    "weather_store",
]
