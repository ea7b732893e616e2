"""The web server's entry."""

import os

from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from missions_project.lib import collector
from missions_project.settings.environment import load_env_file

load_env_file()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
_application = get_wsgi_application()
from missions_project.operations.refused import readable  # noqa: E402 - it reads the settings that are set up above

application = readable(_application)
# Every page's code is loaded now, and the collector of rubbish need not look through it ever again: on a page with
# hundreds of rows that is a fifth of its time.
get_resolver().url_patterns  # noqa: B018 - reading it imports the addresses
collector.settle()
request_finished.connect(collector.collect)
