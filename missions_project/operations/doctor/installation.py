"""What lies on this machine: settings, folders, disk, static files, the machine's clock zone, backups."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

from missions_project.operations.backup.services import MARK, MIN_KEY_LENGTH
from missions_project.operations.doctor.findings import Level, check

Found = Iterator[tuple[Level, str, str]]
MIN_KEY = 32
FULL_SHARE, FULL_BYTES = 0.05, 2 * 1024**3
BACKUP_DAYS = 2
NEW_KEY = "python -c 'import secrets; print(secrets.token_urlsafe(50))'"


@check("profile", "The settings' profile")
def profile() -> Found:
    if not os.environ.get("DJANGO_SETTINGS_MODULE", "").endswith(".production"):
        yield (
            Level.WARNING,
            f"The profile is {os.environ.get('DJANGO_SETTINGS_MODULE')}: made for a trial on one machine, without https.",
            "set DJANGO_SETTINGS_MODULE=missions_project.settings.production in .env.",
        )
    if settings.DEBUG:
        yield (
            Level.ERROR,
            "DEBUG is on: errors show code and settings to everybody.",
            "remove DJANGO_DEBUG from .env.",
        )


@check("secret_key", "SECRET_KEY")
def secret_key() -> Found:
    if len(settings.SECRET_KEY) < MIN_KEY or len(set(settings.SECRET_KEY)) < 10:
        yield (
            Level.ERROR,
            "SECRET_KEY is short or monotonous: sessions signed with it can be forged.",
            f"make one by {NEW_KEY} and set SECRET_KEY to it; everybody signs in anew.",
        )


@check("hosts", "ALLOWED_HOSTS and PUBLIC_URL")
def hosts() -> Found:
    if "*" in settings.ALLOWED_HOSTS:
        yield Level.ERROR, "ALLOWED_HOSTS is “*”.", "name the hosts under which the site answers."
    told = urlsplit(settings.PUBLIC_URL)
    local = told.hostname in ("localhost", "127.0.0.1")
    if told.scheme != "https" and not local:
        yield (
            Level.WARNING,
            f"PUBLIC_URL is {settings.PUBLIC_URL}: mails link to an open connection.",
            "set it to an https address.",
        )
    allowed = [name.removeprefix(".") for name in settings.ALLOWED_HOSTS]
    if "*" not in allowed and not any(
        told.hostname == name or (told.hostname or "").endswith(f".{name}") for name in allowed
    ):
        yield (
            Level.ERROR,
            f"PUBLIC_URL names {told.hostname}, which ALLOWED_HOSTS does not.",
            "make the two agree.",
        )


@check("folders", "Folders that are written to")
def folders() -> Found:
    for folder in (Path(settings.VAR_DIR), Path(settings.SPOOL_DIR), Path(settings.ARTEFACT_DIR)):
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            yield (
                Level.ERROR,
                f"{folder} is not there or cannot be written to.",
                f"mkdir -p {folder} and give it to the account that runs web and workers.",
            )
        elif folder.stat().st_mode & 0o007:
            yield Level.WARNING, f"Every account of this machine can open {folder}.", f"chmod o-rwx {folder}"


@check("disk", "Room on the disk")
def disk() -> Found:
    usage = shutil.disk_usage(settings.VAR_DIR)
    if usage.free < max(FULL_BYTES, FULL_SHARE * usage.total):
        yield (
            Level.ERROR if usage.free < FULL_BYTES / 4 else Level.WARNING,
            f"{usage.free / 1024**3:.1f} GiB are free where MISSIONS_VAR_DIR lies.",
            "make room or a larger disk; old rows go by Admin → Retention policies, old archives by backup --keep.",
        )


@check("static", "Static files")
def static() -> Found:
    if getattr(settings, "WHITENOISE_USE_FINDERS", False):
        return
    try:
        staticfiles_storage.url("missions_project/icon.svg")
        missing = not Path(settings.STATIC_ROOT).is_dir()
    except ValueError:
        missing = True
    if missing:
        yield (
            Level.ERROR,
            "The static files are not collected: pages come without style.",
            "manage.py collectstatic --no-input",
        )


@check("backups", "Backups")
def backups() -> Found:
    if not settings.BACKUP_KEYS:
        yield (
            Level.WARNING,
            "BACKUP_KEY is not set: no backup can be made.",
            f"make one by {NEW_KEY}; keep a copy elsewhere.",
        )
        return
    if any(len(key) < MIN_KEY_LENGTH for key in settings.BACKUP_KEYS):
        yield (
            Level.ERROR,
            f"BACKUP_KEY is shorter than {MIN_KEY_LENGTH} characters.",
            f"make one by {NEW_KEY}.",
        )
    mark = Path(settings.VAR_DIR) / MARK
    age = (time.time() - mark.stat().st_mtime) / 86_400 if mark.exists() else None
    if age is None or age > BACKUP_DAYS:
        yield (
            Level.WARNING,
            "No backup was ever made here." if age is None else f"The last backup is {age:.0f} days old.",
            "manage.py backup --to DIR --keep 14, each night (deploy/systemd/missions-backup.timer).",
        )


@check("sealing", "The key of feeds' secrets")
def sealing() -> Found:
    if not settings.FEED_SECRETS_KEYS:
        yield (
            Level.WARNING,
            "FEED_SECRETS_KEY is not set: feeds' keys are sealed with SECRET_KEY, and lost when that is changed.",
            f"set FEED_SECRETS_KEY to a key of its own, then the present SECRET_KEY behind a comma; make one by {NEW_KEY}.",
        )
