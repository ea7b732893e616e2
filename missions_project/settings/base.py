"""Settings that hold everywhere. Secrets and places come from the environment; docs/settings.md lists each."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from kombu import Queue

from missions_project.settings import environment, saml

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(os.environ.get("MISSIONS_VAR_DIR", BASE_DIR / "var"))
"""Everything that the installation writes: database, spool, model artefacts, broker. Never served."""


def wheel_library(package: str, pattern: str) -> str | None:
    """The shared library that a wheel carries, or None where a system package must provide it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent.parent / f"{package}.libs"
    return next((str(path) for path in sorted(folder.glob(pattern))), None)


# Django's GIS widgets load GEOS and GDAL at import: without these a bare Python fails at start.
GEOS_LIBRARY_PATH = os.environ.get("GEOS_LIBRARY_PATH") or wheel_library("shapely", "libgeos_c*.so*")
GDAL_LIBRARY_PATH = os.environ.get("GDAL_LIBRARY_PATH") or wheel_library("pyogrio", "libgdal*.so*")

INSTALLED_APPS = [
    "missions_project.apps.MissionsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "csp",
    "leaflet",
    "djgeojson",
    "django_htmx",
    "django_celery_beat",
    "missions_project.apps.MissionsProjectConfig",
    "missions_project.operations.apps.OperationsConfig",
    "agencies",
    "ingestion",
    "ingestion.audit",
    "forecasting",
    "patrols",
    "tactics",
    "missions_project.demo.apps.DemoConfig",
]

MIDDLEWARE = [
    "missions_project.operations.middleware.ProbeMiddleware",
    "missions_project.operations.middleware.RequestLogMiddleware",
    "missions_project.operations.refused.RefusedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "agencies.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "agencies.walls.WallMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "agencies.sessions.SessionLimitsMiddleware",
    "agencies.sessions.SecondFactorMiddleware",
    "agencies.exported.ExportedFilesMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "agencies.middleware.ContentSecurityPolicyMiddleware",
    "agencies.middleware.DeviceMiddleware",
]

ROOT_URLCONF = "missions_project.urls"
WSGI_APPLICATION = "missions_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
            ],
            # Every template's "date" and "now": nobody must remember which clock the agency reads.
            "builtins": ["agencies.templatetags.agency_clock", "agencies.templatetags.engine_words"],
        },
    }
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SQLITE_OPTIONS: dict[str, Any] = {
    # IMMEDIATE takes the write lock at BEGIN: a deferred upgrade fails at once instead of waiting.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;",
}


def database_config(url: str) -> dict[str, Any]:
    """The Django database entry for a DATABASE_URL, with what SQLite needs to serve readers beside a writer."""
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    if config["ENGINE"].endswith("sqlite3"):
        config["OPTIONS"] = {**SQLITE_OPTIONS, **config.get("OPTIONS", {})}
    else:
        # A new connection for each request costs more than storing an alert.
        config |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
        if config["ENGINE"] == "django.db.backends.postgresql":
            # The same, told before each statement whose rows are within reach.
            config["ENGINE"] = "missions_project.lib.postgres"
        if role := os.environ.get("DATABASE_ROLE", "").strip():
            # A superuser walks through every wall: work as somebody else, whoever signed in.
            config["OPTIONS"] = {**config.get("OPTIONS", {}), "assume_role": role}
    return config


DATABASES = {
    "default": database_config(os.environ.get("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'missions.sqlite3'}")
}

AUTH_USER_MODEL = "agencies.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    # Length and a list of known passwords, no rules of composition: NIST SP 800-63B-4.
    {"NAME": "agencies.sessions.LengthBySecondFactor"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "agencies.accounts.ClosedAccountAdapter"
USERSESSIONS_ADAPTER = "agencies.sign_in_log.LoggedUserSessions"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Missions] "
# Five wrong passwords lock an account for a quarter of an hour; one address may try twenty a minute, whoever's they are.
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    "login_failed": "20/m/ip,5/900s/key",
    "reauthenticate": "10/m/user",
    "sign_on_refused": "20/m/ip",
}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Missions"
# Addresses are given by administrators, not claimed by strangers: an address nobody confirmed must not keep a role that has to
# have a second factor from setting one up.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_REQUIRED_ROLES = tuple(filter(None, os.environ.get("MFA_REQUIRED_ROLES", "").replace(" ", "").split(",")))
"""Roles whose people are let in with a second factor only."""

# Single sign-on by OpenID Connect and SAML. A provider's keys stand in the environment alone, and nobody's tokens are kept.
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": environment.sign_on_providers()}}
if saml_apps := saml.saml_providers():
    # Only then: without a provider nothing of SAML is loaded, and its package need not be there.
    INSTALLED_APPS.append("agencies.saml")
    SOCIALACCOUNT_PROVIDERS["saml"] = {"APPS": saml_apps}
SOCIALACCOUNT_ADAPTER = "agencies.sign_on.SignOnAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
# A form may be sent to our own host only (form-action), and a redirect after it counts: the way out is a link.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10

KNOX_TOKEN_MODEL = "ingestion.ApiToken"
# knox's migrations make its own token table although ours replaces it. Django does not know that table, so on
# PostgreSQL every flush (each test with real transactions) fails on its foreign key to the users.
MIGRATION_MODULES = {"knox": None}
REST_FRAMEWORK = {
    # For machines only: a person's session opens nothing by default, so no page can be made to push in their name.
    # Addresses below /api/v1/<agency>/ let people in too, by ingestion.api.access, with their CSRF token.
    "DEFAULT_AUTHENTICATION_CLASSES": ["ingestion.api.tokens.FeedTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    # The browsable pages carry inline scripts that our policy blocks.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "missions_project.lib.rest.parsers.BoundedJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "missions_project.lib.rest.schema.Described",
    "EXCEPTION_HANDLER": "missions_project.lib.rest.problems.problem_handler",
    # HunchLab's clients send format=csv as a parameter of their own.
    "URL_FORMAT_OVERRIDE": None,
}
API_REQUESTS_PER_SECOND = environment.whole("API_REQUESTS_PER_SECOND", 500)
API_PERSON_REQUESTS_PER_SECOND = 20
"""A person's own use of the API: a page that polls, not a machine."""
PUSH_MAX_BYTES = 16 * 1024**2
PUSH_CONTEXT_SECONDS = 2.0
"""How long a server process goes on with the boundary, codes and mapping that it has read."""
GRANT_SECONDS = 60
"""How long a page that polls is let in unasked; where processes share no cache, so long after a role was taken away, too."""
LIVE_CACHE_SECONDS = 0.5
"""How long a board may be told an old version where processes share no cache."""
LIVE_TOLD_SECONDS = 0.0
"""How long a process tells all who ask the version that it has found for one of them."""
CACHES = {
    # In production the processes share Redis instead.
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # What a process need not ask the shared one for again: small things, and the lists and boxes of boards.
    "process": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "process",
        "OPTIONS": {"MAX_ENTRIES": 5_000},
    },
    # Web server and workers share it, with or without Redis: a report is counted by the one and shown by the other.
    "reports": {
        "BACKEND": "missions_project.lib.file_cache.SealedFileCache",
        "LOCATION": VAR_DIR / "reports",
        "OPTIONS": {"MAX_ENTRIES": 500},
    },
    "texts": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "texts",
        "OPTIONS": {"MAX_ENTRIES": 64},
    },
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Missions API",
    "DESCRIPTION": "What machines and people send to and fetch from the product. Rows are pushed with a feed's key; an agency's "
    "shifts, forecasts, plans and missions are read and changed with one of its API keys, or by a signed-in person. Every error "
    "is a problem (RFC 9457) that ends with the next step; a method that an address does not have is 405.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "missions_project.lib.rest.schema.InEnglish",
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "MissionState": "patrols.board.STATES",
        "MissionSource": "patrols.models.Mission.Source",
        "PlanState": "patrols.models.MissionPlan.State",
        "VisitSource": "patrols.models.Engagement.Source",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "PREPROCESSING_HOOKS": ["missions_project.api.one_of_each"],
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["missions_project.formats"]
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
SPOOL_DIR = VAR_DIR / "spool"
"""Uploads wait here, outside anything that is served, until imported or expired."""
SPOOL_HOURS = environment.whole("SPOOL_HOURS", 72)
DROP_DIR = Path(os.environ.get("DROP_DIR", VAR_DIR / "drop"))
"""Drop folders: DROP_DIR/<agency>/<folder>/. An SFTP server writes there; nothing in it is ever served."""
# Where pulls may go although the address is not public: host names, addresses or networks, separated by commas.
PULL_PRIVATE_HOSTS = environment.listed("PULL_PRIVATE_HOSTS")
PULL_ALLOW_SQLITE = environment.flag("PULL_ALLOW_SQLITE")
PULL_MAX_BYTES = environment.whole("PULL_MAX_BYTES", 512 * 1024**2)
"""Largest answer to one request; a run that has fetched as much stores it and goes on later."""
PULL_REQUEST_SECONDS = environment.whole("PULL_REQUEST_SECONDS", 300)
PULL_RUN_SECONDS = environment.whole("PULL_RUN_SECONDS", 3600)
PULL_WAIT_SECONDS = 120
# Where web-hooks of notices may go although the address is not public; the only hosts that may be plain http.
NOTICE_PRIVATE_HOSTS = environment.listed("NOTICE_PRIVATE_HOSTS")
PUBLIC_URL = environment.address("PUBLIC_URL", "http://localhost:8000", ("https", "http"))
"""The address under which people open the product: notices link to it."""
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = environment.whole("EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = environment.flag("EMAIL_USE_TLS")
# A mail server that does not answer must not hold a worker for ever.
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "missions@localhost")
FEED_SECRETS_KEYS = environment.listed("FEED_SECRETS_KEY")
"""The first seals the feeds' keys and passwords, the others can still open them. Empty: derived from SECRET_KEY."""
ARTEFACT_DIR = VAR_DIR / "models"
BACKUP_KEYS = environment.listed("BACKUP_KEY")
"""The first seals backups, all of them open backups."""
UPLOAD_MAX_BYTES = environment.whole("UPLOAD_MAX_BYTES", 2 * 1024**3)

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "filesystem://")
if CELERY_BROKER_URL in ("filesystem://", "filesystem://localhost"):
    # Without a host, kombu warns at every connection that it takes this one.
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(VAR_DIR / "broker" / "queue"),
        "data_folder_out": str(VAR_DIR / "broker" / "queue"),
        "control_folder": str(VAR_DIR / "broker" / "control"),
        "store_processed": False,
    }
elif CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
    # Longer than the longest task may take: Redis would hand a training that is still running to a second worker.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 4 * 3600}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SOFT_TIME_LIMIT = 3 * 3600
CELERY_TASK_TIME_LIMIT = 3 * 3600 + 300
CELERY_BEAT_SCHEDULER = "missions_project.operations.scheduler:SingleScheduler"
# A worker may serve one queue or several: a million rows that are imported hold up no shift's forecast.
CELERY_TASK_QUEUES = tuple(
    Queue(name, routing_key=name) for name in ("ingest", "forecast", "plan", "reports")
)
CELERY_TASK_DEFAULT_QUEUE = CELERY_TASK_DEFAULT_ROUTING_KEY = "plan"
# Within a queue on Redis 0 is first, and the default: what a person waits for and the minute's dispatch go before a zone's shifts,
# and those before what nobody waits for. Other brokers take no notice: first come, first served.
BY_SCHEDULE, IN_SPARE_TIME = {"priority": 6}, {"priority": 9}
CELERY_TASK_ROUTES: dict[str, dict[str, Any]] = {
    "ingestion.tasks.*": {"queue": "ingest"},
    "forecasting.tasks.training_run_task": {"queue": "forecast", **BY_SCHEDULE},
    "forecasting.tasks.drift_measure_task": {"queue": "forecast", **IN_SPARE_TIME},
    "forecasting.tasks.live_score_task": {"queue": "forecast", **IN_SPARE_TIME},
    "forecasting.tasks.*": {"queue": "forecast"},
    # Somebody else's slow server must not hold up a plan.
    "patrols.tasks.notice_task": {"queue": "reports"},
    "patrols.tasks.shift_planning_task": {"queue": "plan", **BY_SCHEDULE},
    "patrols.tasks.plan_reasons_task": {"queue": "plan", **IN_SPARE_TIME},
    "patrols.tasks.presence_task": {"queue": "plan", **IN_SPARE_TIME},
    "patrols.tasks.*": {"queue": "plan"},
    "tactics.tasks.*": {"queue": "reports"},
    "missions_project.operations.tasks.*": {"queue": "reports"},
}
# A worker that took more than it does holds what another could do; with late acknowledgement one at a time is fair.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Not a "tasks" module: autodiscovery would miss it and the scheduler would send to nobody.
CELERY_IMPORTS = ("missions_project.pipeline",)
# Here and not in a set-up command: an installation that never ran the demo would keep every upload for ever.
CELERY_BEAT_SCHEDULE = {
    "missions: dispatch": {
        "task": "missions_project.pipeline.dispatch",
        "schedule": 60.0,
        # Each does all that is due: behind a long training they would pile up and hold up a plan. Ten minutes, so that
        # machines whose clocks differ a little still believe each other.
        "options": {"expire_seconds": 600},
    },
}

# 'unsafe-inline' is absent on purpose: an injected script or style must not run.
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
# A shift's length and a half: a car's tablet left behind is signed out by the next day.
SESSION_COOKIE_AGE = environment.whole("SESSION_HOURS", 12) * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_IDLE_MINUTES = environment.whole("SESSION_IDLE_MINUTES", 0, least=0)
"""After so long without a request a person is signed out; 0 is never. A page that polls keeps its session."""

LEAFLET_CONFIG = {
    "DEFAULT_CENTER": (39.5, -98.35),
    "DEFAULT_ZOOM": 4,
    "MIN_ZOOM": 3,
    "MAX_ZOOM": 19,
    "TILES": [],
    "ATTRIBUTION_PREFIX": "",
    "SCALE": "both",
    "RESET_VIEW": False,
    "NO_GLOBALS": False,
    "FORCE_IMAGE_PATH": True,
}

LOG_FORMAT = environment.choice("LOG_FORMAT", "plain", ("plain", "json"))
LOG_LEVEL = environment.choice("LOG_LEVEL", "WARNING", ("DEBUG", "INFO", "WARNING", "ERROR"))


def logging_config(form: str, level: str) -> dict[str, Any]:
    """Logs to standard error, each line with the request, agency and run that it is about."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "missions_project.lib.log_context.ContextFilter"}},
        "formatters": {
            "plain": {"format": "{asctime} {levelname} {name}:{about} {message}", "style": "{"},
            "json": {"()": "missions_project.operations.json_lines.JsonLines"},
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["context"]},
        },
        "root": {"handlers": ["console"], "level": level},
    }


LOGGING = logging_config(LOG_FORMAT, LOG_LEVEL)
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")
"""Opens /metrics. Empty: to this machine alone, and to nobody through a proxy."""
OPERATOR_EMAILS = environment.listed("OPERATOR_EMAILS")
"""Who is told when a forecast or plan is late, a feed falls silent or a model drifts, whatever the agency."""
OPERATOR_WEBHOOK_URL = environment.address("OPERATOR_WEBHOOK_URL", "", ("https", "http"))
OPERATOR_WEBHOOK_SECRET = os.environ.get("OPERATOR_WEBHOOK_SECRET", "")
