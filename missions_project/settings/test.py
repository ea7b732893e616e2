"""Tests: a fast hasher, tasks run in place, everything written to a throwaway folder."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("MISSIONS_VAR_DIR", tempfile.mkdtemp(prefix="missions-test-"))

from .base import *  # noqa: E402, F403 - the folder must be chosen before base reads it

DEBUG = False
SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = False
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
Path(os.environ["MISSIONS_VAR_DIR"]).mkdir(parents=True, exist_ok=True)
