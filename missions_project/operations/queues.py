"""How many tasks wait in each named queue."""

from pathlib import Path

from celery import current_app
from django.conf import settings

from missions_project.operations.health import BROKER_SECONDS


def queue_names() -> list[str]:
    """The queues that the product sends to."""
    return [queue.name for queue in settings.CELERY_TASK_QUEUES]


def queue_lengths() -> dict[str, int]:
    """Tasks that wait, by queue. Empty where the broker cannot be asked: RabbitMQ tells by its own metrics."""
    options = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    if "data_folder_in" in options:
        folder = Path(options["data_folder_in"])
        return {name: sum(1 for _ in folder.glob(f"*.{name}.msg")) for name in queue_names()}
    if not settings.CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
        return {}
    with current_app.connection_for_read(connect_timeout=BROKER_SECONDS) as link:
        link.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
        # Declared again, which changes nothing: it counts the lists of all priorities of which Redis makes a queue.
        channel = link.default_channel
        return {name: int(channel.queue_declare(queue=name).message_count) for name in queue_names()}
