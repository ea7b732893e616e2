"""Work that a worker does. Tasks take ids and have one statement."""

from celery import shared_task
from django.utils import timezone

from ingestion import services
from ingestion.models import DropFolder, ImportRun, RetentionPolicy

BUSY_RETRY_SECONDS = 10


@shared_task(
    sent_again=True,
    autoretry_for=(services.ImportBusy,),
    default_retry_delay=BUSY_RETRY_SECONDS,
    max_retries=1_000,
)
def import_task(run_id: int) -> None:
    """Import one queued file, or replay a quarantine; waits while another import works, or while it is another agency's turn."""
    services.import_run_in_turn(run=ImportRun.objects.get(pk=run_id))


@shared_task
def drop_folder_task(folder_id: int) -> None:
    """Look into one drop folder and import what is complete in it."""
    services.drop_folder_scan(folder=DropFolder.objects.get(pk=folder_id))


@shared_task
def retention_task(policy_id: int) -> None:
    """Delete or make coarse what a policy says is too old."""
    services.retention_run(policy=RetentionPolicy.objects.select_related("agency").get(pk=policy_id))


@shared_task
def position_months_task() -> None:
    """Make the coming months' pieces of the positions, and tidy the past ones."""
    services.position_months_keep(now=timezone.now())
