"""Work that a worker does. Tasks take ids and have one statement."""

from celery import shared_task

from ingestion import services
from ingestion.models import DropFolder, ImportRun

BUSY_RETRY_SECONDS = 10


@shared_task(autoretry_for=(services.ImportBusy,), default_retry_delay=BUSY_RETRY_SECONDS, max_retries=1_000)
def import_task(run_id: int) -> None:
    """Import one queued file, or replay a quarantine; waits while another import works."""
    services.import_run_execute(run=ImportRun.objects.get(pk=run_id))


@shared_task
def drop_folder_task(folder_id: int) -> None:
    """Look into one drop folder and import what is complete in it."""
    services.drop_folder_scan(folder=DropFolder.objects.get(pk=folder_id))
