"""The product as it runs, with a clock that a test can turn and a housekeeping that looks each second instead of each minute."""

import datetime as dt
import os
from pathlib import Path

from django.utils import timezone

# One machine's clock may be wrong: a process may have a file of its own.
CLOCK = Path(os.environ["FAULTS_FOLDER"]) / os.environ.get("FAULTS_CLOCK", "clock")
_really_now = timezone.now


def turned_now() -> dt.datetime:
    """The wall clock, turned by as many seconds as the file says."""
    try:
        return _really_now() + dt.timedelta(seconds=float(CLOCK.read_text() or 0))
    except (OSError, ValueError):
        return _really_now()


# Before the models are imported: their fields keep the function itself as a default.
timezone.now = turned_now

if os.environ.get("FAULTS_PROFILE") == "production":
    from missions_project.settings.production import *  # noqa: F403 - the clock must be turned first
else:
    from missions_project.settings.dev import *  # noqa: F403 - as above
from missions_project.settings import base  # noqa: E402 - as above

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
EVERY_SECONDS = float(os.environ.get("FAULTS_EVERY", "1"))
CELERY_BEAT_SCHEDULE = {
    name: {**entry, "schedule": EVERY_SECONDS, "options": {"expire_seconds": 10 * EVERY_SECONDS}}
    for name, entry in base.CELERY_BEAT_SCHEDULE.items()
}
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_IMPORTS = (*base.CELERY_IMPORTS, "tests.faults.worker")  # type: ignore[assignment]
if seconds := os.environ.get("FAULTS_VISIBILITY"):
    # The product's four hours, and kombu's hundred seconds between two looks for what nobody acknowledged.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": float(seconds),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
# Malformed requests come faster than any person presses: refused for their number alone, they would show nothing.
API_PERSON_REQUESTS_PER_SECOND = 100_000
ACCOUNT_RATE_LIMITS = False  # type: ignore[assignment]
# The checkout's own is what its `make up` serves.
STATIC_ROOT = Path(os.environ["FAULTS_FOLDER"]) / "staticfiles"
