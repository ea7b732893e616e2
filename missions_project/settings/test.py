"""Tests: a fast hasher, tasks run in place, everything written to a throwaway folder."""

import atexit
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

if "MISSIONS_TEST_DIR" not in os.environ:
    os.environ["MISSIONS_TEST_DIR"] = tempfile.mkdtemp(prefix="missions-test-")
    atexit.register(shutil.rmtree, os.environ["MISSIONS_TEST_DIR"], ignore_errors=True)
# Two workers both have a row number 1: in one folder, the model file of the one would replace the other's.
WORKER_DIR = Path(os.environ["MISSIONS_TEST_DIR"]) / os.environ.get("PYTEST_XDIST_WORKER", "main")
WORKER_DIR.mkdir(parents=True, exist_ok=True)
os.environ["MISSIONS_VAR_DIR"] = str(WORKER_DIR)

from .base import *  # noqa: E402, F403 - the folder must be chosen before base reads it
from .base import DATABASES, INSTALLED_APPS  # noqa: E402 - as above

# SAML's addresses are there, and lead nowhere until a test names a provider.
if importlib.util.find_spec("onelogin"):
    INSTALLED_APPS.append("agencies.saml")
DEBUG = False
SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = False
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in the product: in memory, a browser's parallel requests would share one connection.
    DATABASES["default"]["TEST"] = {"NAME": str(WORKER_DIR / "test.sqlite3")}
# A test's rows are gone after it, and the next test's may have their numbers.
PUSH_CONTEXT_SECONDS = 0.0
