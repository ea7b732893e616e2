"""The operator says which providers speak SAML: mistakes are told at start, and without one nothing of it is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

pytest.importorskip("onelogin", reason="python3-saml of requirements.txt is not installed here")

from missions_project.settings import environment, saml
from tests.agencies.saml_provider import ENTITY, NAME, SLO, SSO, SamlProvider, certificate_of, new_key


@pytest.fixture(scope="module")
def provider() -> SamlProvider:
    return SamlProvider()


class TestTheEnvironment:
    @pytest.fixture
    def pem(self, tmp_path: Path, provider: SamlProvider) -> Path:
        path = tmp_path / "county.pem"
        path.write_text(provider.certificate + certificate_of(new_key()))
        return path

    def test_names_providers(
        self, monkeypatch: pytest.MonkeyPatch, pem: Path, provider: SamlProvider
    ) -> None:
        for name, value in {
            "SAML_PROVIDERS": NAME,
            "SAML_COUNTY_ID_ENTITY_ID": ENTITY,
            "SAML_COUNTY_ID_SSO_URL": SSO,
            "SAML_COUNTY_ID_SLO_URL": SLO,
            "SAML_COUNTY_ID_NAME": "County ID",
            "SAML_COUNTY_ID_CERTIFICATE": str(pem),
        }.items():
            monkeypatch.setenv(name, value)
        (found,) = saml.saml_providers()
        environment.check()
        # A provider that changes its key has two certificates for a while.
        assert found["settings"].pop("certificates")[0] == provider.certificate
        ours = provider.app()
        ours["settings"].pop("certificates")
        assert found == ours

    def test_tells_every_mistake(
        self, monkeypatch: pytest.MonkeyPatch, pem: Path, tmp_path: Path, provider: SamlProvider
    ) -> None:
        junk = tmp_path / "junk.pem"
        junk.write_text("no certificate")
        for name, value in {
            "OIDC_PROVIDERS": "both",
            "SAML_PROVIDERS": "County,both,open,odd",
            "SAML_OPEN_SSO_URL": "http://login.example.org/sso",
            "SAML_OPEN_SLO_URL": "login.example.org",
            "SAML_OPEN_CERTIFICATE": str(tmp_path / "nowhere.pem"),
            "SAML_ODD_ENTITY_ID": ENTITY,
            "SAML_ODD_SSO_URL": SSO,
            "SAML_ODD_CERTIFICATE": str(junk),
            "SAML_ODD_SIGNING_KEY": str(junk),
            "SAML_ODD_IDP_INITIATED": "perhaps",
        }.items():
            monkeypatch.setenv(name, value)
        saml.saml_providers()
        with pytest.raises(ImproperlyConfigured) as caught:
            environment.check()
        for words in (
            "“County”",
            "both name “both”",
            "SAML_OPEN_ENTITY_ID is not set",
            "SAML_OPEN_SSO_URL is “http://login.example.org/sso”: sign-ins would travel in the open",
            "SAML_OPEN_SLO_URL is “login.example.org”",
            "SAML_OPEN_CERTIFICATE names",
            "SAML_ODD_CERTIFICATE holds no certificates",
            "SAML_ODD_SIGNING_KEY holds no private key",
            "SAML_ODD_SIGNING_CERTIFICATE is not set",
            "SAML_ODD_IDP_INITIATED is “perhaps”",
        ):
            assert words in str(caught.value), words

    @pytest.mark.parametrize(
        ("module", "words"),
        [
            ("raise ImportError('no')", "python3-saml is not installed"),
            ("raise RuntimeError('mismatch')", "cannot be used (mismatch)"),
        ],
    )
    def test_tells_that_the_package_is_missing_or_does_not_fit(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, words: str
    ) -> None:
        (tmp_path / "xmlsec.py").write_text(module)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "xmlsec")
        monkeypatch.setenv("SAML_PROVIDERS", "City")
        saml.saml_providers()
        with pytest.raises(ImproperlyConfigured, match=r"SAML_PROVIDERS is set") as caught:
            environment.check()
        assert words in str(caught.value)


def test_an_installation_without_saml_loads_nothing_of_it(tmp_path: Path) -> None:
    """Its package need not even be there: here a folder before all others breaks it."""
    for name in ("xmlsec", "onelogin"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('loaded')")
    (nothing := tmp_path / "env").touch()
    script = (
        "import django, sys; django.setup(); from django.urls import get_resolver, reverse, NoReverseMatch\n"
        "assert get_resolver().url_patterns and reverse('account_login')\n"
        "try:\n    reverse('saml_login', kwargs={'provider_id': 'x'}); raise SystemExit('there')\n"
        "except NoReverseMatch: pass\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('xmlsec', 'onelogin') or name.startswith('agencies.saml')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=django_settings.BASE_DIR,
        env={"DJANGO_SETTINGS_MODULE": "missions_project.settings.dev", "PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin",
             "MISSIONS_VAR_DIR": str(tmp_path / "var"), "MISSIONS_ENV_FILE": str(nothing)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
