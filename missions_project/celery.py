"""The worker's entry: Celery, configured from Django's settings."""

import os

from celery import Celery

from missions_project.lib import folder_broker
from missions_project.settings.environment import load_env_file

load_env_file()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")

folder_broker.register()
app = Celery("missions_project", task_cls="missions_project.lib.sending:RowTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
