"""The reader's language: chosen, kept with the account, and no one's page handed to who reads another."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from agencies.models import User
from patrols.board_cache import kept
from tests.factories import make_agency, make_member
from tools import translations

CHOOSE = "/language/"


@pytest.mark.django_db
def test_a_choice_is_kept_in_the_browser_and_with_the_account(client: Client) -> None:
    person = make_member(make_agency(), "supervisor")
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(CHOOSE, {"language": "es", "next": "/"})
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == "es"
    assert User.objects.get(pk=person.pk).language == "es"
    page = client.get("/", follow=True)
    assert b'<html lang="es"' in page.content
    assert "Cerrar sesión".encode() in page.content


@pytest.mark.django_db
def test_the_accounts_language_comes_with_the_sign_in(client: Client) -> None:
    person = make_member(make_agency(), "supervisor")
    person.language = "es"
    person.set_password("a long pass phrase 71")
    person.save()
    page = client.get(reverse("account_login"), headers={"accept-language": "en"})
    assert b'<html lang="en"' in page.content
    client.post(reverse("account_login"), {"login": person.username, "password": "a long pass phrase 71"})
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == "es"
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME]["httponly"]


def test_who_never_chose_reads_what_the_browser_asks_for(client: Client, db: None) -> None:
    spanish = client.get(reverse("account_login"), headers={"accept-language": "es-MX,es;q=0.9,en;q=0.5"})
    assert "Iniciar sesión".encode() in spanish.content
    assert spanish["Content-Language"] == "es"
    other = client.get(reverse("account_login"), headers={"accept-language": "tlh"})
    assert b"Sign in" in other.content


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["tlh", "", "es'--"])
def test_an_unknown_language_changes_nothing(client: Client, language: str) -> None:
    person = make_member(make_agency(), "supervisor")
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(CHOOSE, {"language": language, "next": "/"}).status_code == 302
    assert settings.LANGUAGE_COOKIE_NAME not in client.cookies
    assert User.objects.get(pk=person.pk).language == ""


@pytest.mark.django_db
def test_the_way_back_leads_to_no_other_site(client: Client) -> None:
    answer = client.post(CHOOSE, {"language": "es", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"


def test_what_is_kept_for_readers_of_one_language_is_not_shown_to_another() -> None:
    from django.utils import translation

    with translation.override("en"):
        english = kept(1, "list", "mark", lambda: "Shift")
    with translation.override("es"):
        spanish = kept(1, "list", "mark", lambda: "Turno")
    assert english != spanish


def test_numbers_keep_their_points_for_charts_are_drawn_with_them() -> None:
    from django.utils import formats, translation

    with translation.override("es"):
        assert formats.localize(1234.5) == "1234.5"


def test_scripts_are_given_their_words(client: Client, db: None) -> None:
    words = client.get("/language/words.js", headers={"accept-language": "es"})
    assert words.status_code == 200
    assert words["Content-Type"].startswith("text/javascript")


def test_the_walk_over_templates_finds_words_and_passes_marked_ones() -> None:
    marked = '{% translate "Shift" %}<b title="{% translate \'Day\' %}">{{ name }} 7 %</b>{% blocktranslate %}All {{ n }}{% endblocktranslate %}'
    assert translations.unmarked(marked) == []
    assert translations.unmarked('<b title="Day {{ on }}">Sent to {{ unit }}</b><code>manage.py</code>') == [
        "Day \x00",
        "Sent to",
    ]
    button = '<input type="submit" value="Look again"><input type="submit" value="{% translate \'Save\' %}">'
    assert translations.unmarked(
        button + '{{ who|default:"nobody" }}{{ label|default:"Starting"|said }}'
    ) == [
        "Look again",
        "nobody",
    ]


def test_every_marked_text_is_translated_and_compiled() -> None:
    if shutil.which("msgfmt") is None:
        pytest.skip("GNU gettext is not installed. To run it: apt-get install gettext")
    run = subprocess.run(
        [sys.executable, "tools/translations.py", "--check"],
        cwd=translations.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
