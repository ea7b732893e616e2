"""What is written in Python is read in the reader's language: models' names, engines' words, and what is stored stays English."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.test import Client
from django.utils import translation
from django.utils.functional import Promise

import agencies.words
import ingestion.words
from agencies.engine.free_text import _ABOUT_PERSONS
from agencies.engine.offence_policy import OFFENCE_CLASSES
from agencies.models import Agency
from ingestion.engine.mapping import FIELDS
from ingestion.engine.osm import OSM_CHOICES
from ingestion.engine.position_mapping import LABELS
from ingestion.engine.quality import LAG_BINS, PLACE_BINS
from ingestion.engine.rejections import REJECTION_CODES, Rejection
from missions_project.lib.model_names import OURS, automatic_names
from missions_project.model_words import NAMES
from tests.factories import make_agency, make_member


def _ours() -> list[type]:
    return [model for model in apps.get_models() if model._meta.app_label in OURS]


def test_every_automatic_name_of_a_model_or_field_is_there_for_the_translators() -> None:
    found = {name for model in _ours() for name in automatic_names(model)}
    assert sorted(found - set(NAMES)) == [], "add these to missions_project/model_words/"
    assert sorted(set(NAMES) - found) == [], "these are no model's and no field's name any more"


def test_names_of_models_and_fields_are_looked_up_when_they_are_shown() -> None:
    assert isinstance(Agency._meta.get_field("cell_size_m").verbose_name, Promise)
    assert isinstance(Agency._meta.verbose_name, Promise)
    assert str(Agency._meta.get_field("time_zone").verbose_name) == "time zone"


def test_a_code_word_is_shown_as_a_reader_says_it() -> None:
    # Of every field of that name, and of one field alone; migrations know neither.
    assert str(Agency._meta.get_field("cell_size_m").verbose_name) == "cell size (metres)"
    assert str(apps.get_model("ingestion", "feed")._meta.get_field("kind").verbose_name) == "how rows arrive"
    assert str(apps.get_model("tactics", "placelayer")._meta.get_field("kind").verbose_name) == "kind"
    assert "verbose_name" not in Agency._meta.get_field("cell_size_m").deconstruct()[3]


def test_what_engines_say_is_there_for_the_translators() -> None:
    classes = [one.label for one in OFFENCE_CLASSES]
    assert set(classes) <= set(agencies.words.OFFENCE_CLASSES)
    assert {what for what, _pattern in _ABOUT_PERSONS} <= set(agencies.words.ABOUT_PERSONS)
    assert {text for one in FIELDS.values() for text in (one.label, one.help) if text} <= set(
        ingestion.words.FIELDS
    )
    assert {text for one in REJECTION_CODES.values() for text in (one.meaning, one.remedy)} <= set(
        ingestion.words.REJECTIONS
    )
    assert {name for name, _limit in (*LAG_BINS, *PLACE_BINS)} <= set(ingestion.words.QUALITY)
    assert set(LABELS.values()) <= set(ingestion.words.POSITION_COLUMNS)
    assert {one.label for one in OSM_CHOICES.values()} <= set(ingestion.words.PLACES)


@pytest.mark.parametrize(
    "rejection",
    [
        Rejection(c, f, v)
        for c, f, v in [
            ("missing_id", "", ""),
            ("bad_number", "lat", ""),
            ("bad_number", "", "x"),
            ("bad_number", "lat", "x"),
        ]
    ],
)
def test_a_rejection_says_in_english_what_the_engine_says(rejection: Rejection) -> None:
    with translation.override("en"):
        assert ingestion.words.rejection_message(rejection) == rejection.message


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["unit", "crimetype", "shift", "membership"])
def test_a_form_of_the_administration_has_no_english_help(
    client: Client, page: str, translated: None
) -> None:
    person = make_member(make_agency(), "admin")
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(f"/admin/agencies/{page}/add/", headers={"accept-language": "es"})
    assert answer.status_code == 200
    text = answer.content.decode()
    model = apps.get_model("agencies", page)
    with translation.override("en"):
        english = [
            str(field.help_text)
            for field in model._meta.get_fields()
            if len(getattr(field, "help_text", "")) > 20
        ]
    assert english
    assert [words for words in english if words in text] == []
