"""Production: everything that differs between installations comes from the environment and is checked at start."""

import os

from . import environment
from .base import *  # noqa: F403 - settings are layered by star import, Django's own idiom
from .base import CACHES, DATABASES, LOG_LEVEL, logging_config
from .environment import required

DEBUG = False
SECRET_KEY = required("SECRET_KEY", "$(python -c 'import secrets; print(secrets.token_urlsafe(50))')")
if SECRET_KEY and len(SECRET_KEY) < 32:
    environment.problems.append(
        "SECRET_KEY is shorter than 32 characters and can be guessed. Next step: make one by "
        "python -c 'import secrets; print(secrets.token_urlsafe(50))'."
    )
ALLOWED_HOSTS = [
    host.strip() for host in required("ALLOWED_HOSTS", "missions.example.org").split(",") if host.strip()
]
if "*" in ALLOWED_HOSTS:
    environment.problems.append(
        "ALLOWED_HOSTS is “*”: links in mails could then be made to lead anywhere. Next step: name the hosts."
    )
required("DATABASE_URL", "postgres://missions:PASSWORD@localhost/missions")
environment.address("DATABASE_URL", "", ("postgres", "postgresql", "sqlite"))
most_connections = environment.whole("DATABASE_POOL", 8, least=0)
if most_connections and DATABASES["default"]["ENGINE"] == "missions_project.lib.postgres":
    # A process keeps no connection that nothing asks by. Away for a moment, the database is asked anew within seconds: with the pool's own
    # patience a page would wait for half a minute, and the pool for up to five once it is back.
    pool = {"min_size": 0, "max_size": most_connections, "timeout": 5, "reconnect_timeout": 3}
    options = {**DATABASES["default"].get("OPTIONS", {}), "pool": pool}
    DATABASES["default"] |= {"CONN_MAX_AGE": 0, "OPTIONS": options}
broker_url = required("CELERY_BROKER_URL", "redis://localhost:6379/0")
environment.address("CELERY_BROKER_URL", "", ("redis", "rediss", "amqp", "amqps", "filesystem"))
local_http = environment.flag("INSECURE_LOCAL_HTTP")
if local_http and not set(ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]"}:
    environment.problems.append(
        "INSECURE_LOCAL_HTTP is on although ALLOWED_HOSTS names other machines: passwords would travel in the open. Next step: "
        "remove it, and put a server with a certificate before the product (deploy/nginx.conf)."
    )
# Attempts to sign in are counted by address: behind a proxy everybody has the proxy's, and it alone says whose the request is.
ALLAUTH_TRUSTED_PROXY_COUNT = environment.whole("TRUSTED_PROXIES", 0 if local_http else 1, least=0)
SESSION_IDLE_MINUTES = environment.whole("SESSION_IDLE_MINUTES", 30, least=0)
# Everything that is wrong in one message: found one by one, each costs a restart.
environment.check()
LOGGING = logging_config(environment.choice("LOG_FORMAT", "json", ("plain", "json")), LOG_LEVEL)
if broker_url.startswith(("redis://", "rediss://")):
    # Sign-in attempts are counted in the cache: a cache per process would give each server process its own count.
    shared = {"BACKEND": "missions_project.lib.redis_cache.KeptRedisCache", "LOCATION": broker_url}
    CACHES = CACHES | {"default": shared, "reports": shared}
    # Processes that share a cache hear of a push at once; this bounds what an import of a file may take to show.
    LIVE_CACHE_SECONDS = 2.0
    # Of all boards that ask a process within a quarter of a second, one has it look.
    LIVE_TOLD_SECONDS = 0.25
    # They also hear at once that a session or a role has ended: who may still look need not be asked each minute.
    GRANT_SECONDS = 240
PUBLIC_URL = os.environ.get("PUBLIC_URL") or f"https://{ALLOWED_HOSTS[0].removeprefix('.')}"
CSRF_TRUSTED_ORIGINS = (
    [PUBLIC_URL] if local_http else [f"https://{host.removeprefix('.')}" for host in ALLOWED_HOSTS]
)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = not local_http
SECURE_HSTS_SECONDS = 0 if local_http else 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = (
    not local_http and os.environ.get("HSTS_SUBDOMAINS", "1") == "1"
)
# Administrators reach everything of an agency, and a password is stolen more easily than a phone.
MFA_REQUIRED_ROLES = tuple(
    filter(None, os.environ.get("MFA_REQUIRED_ROLES", "admin").replace(" ", "").split(","))
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
