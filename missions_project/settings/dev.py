"""The embedded default: SQLite, a file broker, a secret key made on first start. For a trial on one machine."""

import os
import secrets
import warnings
from pathlib import Path

from . import environment
from .base import *  # noqa: F403 - settings are layered by star import, Django's own idiom
from .base import VAR_DIR


def local_secret_key(path: Path) -> str:
    """The installation's own key, made once: a key in the repository would sign anybody's sessions."""
    # The database lies beside the key: on a machine with other accounts they must not read it.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    key = secrets.token_urlsafe(50)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


DEBUG = environment.flag("DJANGO_DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY") or local_secret_key(VAR_DIR / "secret_key")
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
# Without collectstatic, WhiteNoise finds files where the apps keep them.
WHITENOISE_USE_FINDERS = True
# The folder that collectstatic fills is no news where nobody runs it.
warnings.filterwarnings("ignore", message="No directory at: ", category=UserWarning)
WHITENOISE_AUTOREFRESH = DEBUG
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
environment.check()
