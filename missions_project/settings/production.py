"""Production: everything that differs between installations comes from the environment and is checked at start."""

import os

from django.core.exceptions import ImproperlyConfigured

from .base import *  # noqa: F403 - settings are layered by star import, Django's own idiom


def required(name: str, example: str) -> str:
    """The variable's value, or an error that says what to set."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Next step: add a line like {name}={example} to .env.")
    return value


DEBUG = False
SECRET_KEY = required("SECRET_KEY", "$(python -c 'import secrets; print(secrets.token_urlsafe(50))')")
ALLOWED_HOSTS = required("ALLOWED_HOSTS", "missions.example.org").split(",")
required("DATABASE_URL", "postgres://missions:PASSWORD@localhost/missions")
broker_url = required("CELERY_BROKER_URL", "redis://localhost:6379/0")
if broker_url.startswith(("redis://", "rediss://")):
    # Sign-in attempts are counted in the cache: a cache per process would give each server process its own count.
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": broker_url}}
    # Processes that share a cache hear of a push at once; this bounds what an import of a file may take to show.
    LIVE_CACHE_SECONDS = 2.0
PUBLIC_URL = os.environ.get("PUBLIC_URL", f"https://{ALLOWED_HOSTS[0].strip().removeprefix('.')}")
CSRF_TRUSTED_ORIGINS = [f"https://{host.strip().removeprefix('.')}" for host in ALLOWED_HOSTS]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = os.environ.get("HSTS_SUBDOMAINS", "1") == "1"
SECURE_HSTS_PRELOAD = SECURE_HSTS_INCLUDE_SUBDOMAINS
# Administrators reach everything of an agency, and a password is stolen more easily than a phone.
MFA_REQUIRED_ROLES = tuple(
    filter(None, os.environ.get("MFA_REQUIRED_ROLES", "admin").replace(" ", "").split(","))
)
SESSION_IDLE_MINUTES = int(os.environ.get("SESSION_IDLE_MINUTES", "30"))
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
