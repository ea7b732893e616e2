"""Reading what differs between installations from the environment: every value is checked at start, all mistakes told at once.

A value that makes no sense is an error with its name and the next step, never a stack trace of ``int()`` and never a guess.
"""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values

BASE_DIR = Path(__file__).resolve().parent.parent.parent
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
problems: list[str] = []


def load_env_file() -> None:
    """Read the file that MISSIONS_ENV_FILE names (default: .env in the checkout). What the environment holds already goes before it.

    Tests read none: they would run against the database that it names.
    """
    if os.environ.get("DJANGO_SETTINGS_MODULE", "").endswith(".test"):
        return
    path = Path(os.environ.get("MISSIONS_ENV_FILE") or BASE_DIR / ".env")
    if "MISSIONS_ENV_FILE" in os.environ and not path.is_file():
        raise SystemExit(
            f"MISSIONS_ENV_FILE names {path}, which is not there. Next step: name a file, or unset it."
        )
    for name, value in dotenv_values(path).items():
        if value is not None:
            os.environ.setdefault(name, value)


def whole(name: str, default: int, *, least: int = 1) -> int:
    """A whole number; one below ``least`` is a mistake."""
    text = os.environ.get(name, "").strip()
    try:
        number = int(text) if text else default
    except ValueError:
        number = least - 1
    if number < least:
        problems.append(
            f"{name} is “{text}”. Next step: set it to a whole number from {least} on, e.g. {name}={default}."
        )
        return default
    return number


def flag(name: str, default: bool = False) -> bool:
    """1 or 0 (also true/false, yes/no, on/off)."""
    text = os.environ.get(name, "1" if default else "0").strip().lower()
    if text not in _TRUE + _FALSE:
        problems.append(f"{name} is “{text}”. Next step: set it to 1 or 0.")
    return text in _TRUE


def listed(name: str) -> tuple[str, ...]:
    """Values separated by commas, without spaces and empty ones."""
    return tuple(filter(None, (part.strip() for part in os.environ.get(name, "").split(","))))


def address(name: str, default: str, schemes: tuple[str, ...]) -> str:
    """An address with one of these schemes."""
    text = os.environ.get(name, "").strip() or default
    if text and urlsplit(text).scheme not in schemes:
        problems.append(
            f"{name} is “{text}”. Next step: begin it with {' or '.join(s + '://' for s in schemes)}."
        )
    return text


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of these words."""
    text = os.environ.get(name, "").strip() or default
    if text not in choices:
        problems.append(f"{name} is “{text}”. Next step: set it to one of {', '.join(choices)}.")
        return default
    return text


def required(name: str, example: str) -> str:
    """The variable's value; where there is none, a mistake that says what to set."""
    value = os.environ.get(name, "").strip()
    if not value:
        problems.append(f"{name} is not set. Next step: add a line like {name}={example} to .env.")
    return value


def sign_on_providers() -> list[dict[str, Any]]:
    """The identity providers that OIDC_PROVIDERS names, each from its own variables, as django-allauth wants them."""
    found = []
    for name in listed("OIDC_PROVIDERS"):
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
            problems.append(
                f"OIDC_PROVIDERS names “{name}”. Next step: use small letters, digits and hyphens only, e.g. city-id."
            )
            continue
        own = f"OIDC_{name.upper().replace('-', '_')}_"
        server = required(f"{own}SERVER_URL", "https://login.example.org/realms/city")
        parts = urlsplit(server)
        if server and parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
            problems.append(
                f"{own}SERVER_URL is “{server}”: sign-ins would travel in the open. Next step: begin it with https://."
            )
        found.append(
            {
                "provider_id": name,
                "name": os.environ.get(f"{own}NAME", "").strip() or name,
                "client_id": required(f"{own}CLIENT_ID", "missions"),
                "secret": os.environ.get(f"{own}CLIENT_SECRET", ""),
                "settings": {
                    "server_url": server,
                    "oauth_pkce_enabled": True,
                    "scope": ["openid", "profile", "email", *listed(f"{own}SCOPES")],
                    "fetch_userinfo": flag(f"{own}USERINFO"),
                    "groups_claim": os.environ.get(f"{own}GROUPS_CLAIM", "").strip() or "groups",
                    "trusts_email": flag(f"{own}TRUSTS_EMAIL"),
                    "trusts_second_factor": flag(f"{own}TRUSTS_SECOND_FACTOR"),
                },
            }
        )
    return found


def check() -> None:
    """Raise ``ImproperlyConfigured`` with every mistake that was found, one a line; called at each profile's end."""
    found = problems[:]
    problems.clear()
    if found:
        raise ImproperlyConfigured(
            "\n".join(["The settings cannot be used:", *(f"- {line}" for line in found)])
        )
