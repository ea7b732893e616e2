"""The web server's entry."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
application = get_wsgi_application()
# Every page's code is loaded now, and the collector of rubbish need not look through it ever again: on a page with
# hundreds of rows that is a fifth of its time.
get_resolver().url_patterns  # noqa: B018 - reading it imports the addresses
gc.collect()
gc.freeze()
# Seven hundred new objects are an eighth of one page: it would be stopped for the collector a hundred times.
gc.set_threshold(50_000, 20, 20)
