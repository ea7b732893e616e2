"""The web server's entry."""

import gc
import os

from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from missions_project.settings.environment import load_env_file

load_env_file()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
_application = get_wsgi_application()
from missions_project.operations.refused import readable  # noqa: E402 - it reads the settings that are set up above

application = readable(_application)
# Every page's code is loaded now, and the collector of rubbish need not look through it ever again: on a page with
# hundreds of rows that is a fifth of its time.
get_resolver().url_patterns  # noqa: B018 - reading it imports the addresses
gc.collect()
gc.freeze()
# Seven hundred new objects are an eighth of one page, which would be stopped for the collector a hundred times: it works
# after each answer instead, on what that one left, and in between only when there is very much.
gc.set_threshold(200_000, 20, 20)


def _collect(**_: object) -> None:
    gc.collect(0)


request_finished.connect(_collect)
