"""Identity providers that speak SAML, from the environment: read like all settings, only where ``SAML_PROVIDERS`` names one."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

from missions_project.settings import environment


def saml_providers() -> list[dict[str, Any]]:
    """The providers that SAML_PROVIDERS names, each from its own variables, as django-allauth wants them."""
    names = environment.listed("SAML_PROVIDERS")
    if names:
        _check_package()
    return [_provider(name) for name in names if _is_name(name)]


def _is_name(name: str) -> bool:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
        environment.problems.append(
            f"SAML_PROVIDERS names “{name}”. Next step: use small letters, digits and hyphens only, e.g. city-id."
        )
        return False
    if name in environment.listed("OIDC_PROVIDERS"):
        # Groups and people are kept under the short name: one provider's would be the other's.
        environment.problems.append(
            f"SAML_PROVIDERS and OIDC_PROVIDERS both name “{name}”. Next step: give one of them another name."
        )
        return False
    return True


def _provider(name: str) -> dict[str, Any]:
    own = f"SAML_{name.upper().replace('-', '_')}_"
    key = _file(f"{own}SIGNING_KEY", "")
    certificate = _certificates(f"{own}SIGNING_CERTIFICATE", "") if key else [""]
    if key:
        _check_key(f"{own}SIGNING_KEY", key)
    return {
        "provider_id": name,
        "name": os.environ.get(f"{own}NAME", "").strip() or name,
        "client_id": name,
        "settings": {
            "entity_id": environment.required(f"{own}ENTITY_ID", "https://login.example.org/saml/metadata"),
            "sso_url": _address(f"{own}SSO_URL", "https://login.example.org/saml/sso"),
            "slo_url": _address(f"{own}SLO_URL", ""),
            "certificates": _certificates(f"{own}CERTIFICATE", "/etc/missions/city-id.pem"),
            "signing_key": key,
            "signing_certificate": certificate[0] if certificate else "",
            "groups_attribute": os.environ.get(f"{own}GROUPS_ATTRIBUTE", "").strip() or "groups",
            # What the assertion says is told on in the words of OpenID Connect.
            "groups_claim": "groups",
            "subject_attribute": os.environ.get(f"{own}SUBJECT_ATTRIBUTE", "").strip(),
            "may_begin": environment.flag(f"{own}IDP_INITIATED"),
            "trusts_email": environment.flag(f"{own}TRUSTS_EMAIL"),
            "trusts_second_factor": environment.flag(f"{own}TRUSTS_SECOND_FACTOR"),
        },
    }


def _address(name: str, example: str) -> str:
    text = environment.required(name, example) if example else os.environ.get(name, "").strip()
    if text and not text.startswith("https://"):
        environment.problems.append(
            f"{name} is “{text}”: sign-ins would travel in the open. Next step: begin it with https://."
        )
    return text


def _file(name: str, example: str) -> str:
    path = environment.required(name, example) if example else os.environ.get(name, "").strip()
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError):
        environment.problems.append(
            f"{name} names {path}, which cannot be read. Next step: name a PEM file that this account may read."
        )
        return ""


def _certificates(name: str, example: str) -> list[str]:
    """The certificates of a PEM file: a provider that changes its key has two for a while."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    if not (text := _file(name, example)):
        if not example and not os.environ.get(name, "").strip():
            environment.problems.append(
                f"{name} is not set. Next step: name the PEM file of the certificate that belongs to the signing key."
            )
        return []
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        found = []
    good = [
        one
        for one in found
        if isinstance(key := one.public_key(), rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
        and key.key_size >= (2048 if isinstance(key, rsa.RSAPublicKey) else 256)
    ]
    if not good or len(good) != len(found):
        environment.problems.append(
            f"{name} holds no certificates that can be used. Next step: save the provider's signing certificate as PEM (Base64), "
            "with an RSA key of 2048 bits at least or an EC key of 256."
        )
    return [one.public_bytes(Encoding.PEM).decode() for one in good]


def _check_key(name: str, text: str) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        environment.problems.append(
            f"{name} holds no private key. Next step: name a PEM file with a key that has no pass phrase."
        )


def _check_package() -> None:
    """python3-saml is there, and its xmlsec was built with the libxml2 that lxml carries."""
    try:
        importlib.import_module("xmlsec")
        importlib.import_module("onelogin.saml2.auth")
    except ImportError:
        environment.problems.append(
            "SAML_PROVIDERS is set, but python3-saml is not installed here. Next step: pip install python3-saml, or remove SAML_PROVIDERS."
        )
    except Exception as exc:  # noqa: BLE001 - xmlsec raises an error of its own class, which cannot be imported then
        environment.problems.append(
            f"SAML_PROVIDERS is set, but xmlsec cannot be used ({exc}). Next step: install lxml and xmlsec as requirements.txt pins them; "
            "both have to carry the same libxml2."
        )
