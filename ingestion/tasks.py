"""Work that a worker does. Tasks take ids and have one statement."""

from celery import shared_task

from ingestion import services
from ingestion.models import ImportRun

BUSY_RETRY_SECONDS = 10


@shared_task(autoretry_for=(services.ImportBusy,), default_retry_delay=BUSY_RETRY_SECONDS, max_retries=1_000)
def import_task(run_id: int) -> None:
    """Import one queued file, or replay a quarantine; waits while another import works."""
    services.import_run_execute(run=ImportRun.objects.get(pk=run_id))
