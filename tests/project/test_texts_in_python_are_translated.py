"""What Python writes for people reaches the catalogue: nothing is said in English alone but what is named, with its reason."""

from __future__ import annotations

import pytest

from tools import translations


def test_no_text_in_python_is_out_of_reach_of_translation() -> None:
    left = translations.unmarked_modules(translations.ROOT)
    assert not left, "Mark these with gettext or gettext_lazy:\n" + "\n".join(left)


def test_what_stays_english_exists_and_says_why() -> None:
    for name, reason in translations.STAYS_ENGLISH.items():
        assert (translations.ROOT / name).exists(), f"{name} is gone: take it off STAYS_ENGLISH"
        assert len(reason.split()) > 4, f"{name} needs a reason in words"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('models.CharField(verbose_name="call sign", help_text=_("Marked."))', ["call sign"]),
        ('messages.success(request, f"{n} units changed.")', ["{} units changed."]),
        ('messages.info(request, "Kept" if kept else _("Lost"))', ["Kept"]),
        ('raise MissionsError("No grid.", next_step="build one.")', ["No grid.", "build one."]),
        ('raise ValidationError({"beat": "Choose a beat."})', ["Choose a beat."]),
        ('form.add_error("beat", "Choose a beat.")', ["Choose a beat."]),
        ('raise ValueError("shape of an array")', []),
        ('forms.ChoiceField(choices=[("a", "All"), ("n", _("None"))])', ["All"]),
        ('@admin.display(description="next run")\ndef f(row): ...', ["next run"]),
        ('log.info("a line of the log")', []),
        (
            'class A:\n    fieldsets = (("Times", {"fields": ("a",), "description": "By the clock."}),)',
            ["By the clock.", "Times"],
        ),
        ('class State(models.TextChoices):\n    OLD = "old", "Retired"\n    NEW = "new"', ["Retired", "New"]),
        ('raise MissionsError(_("%(n)s cells.") % {"n": n}, next_step=NEXT)', []),
    ],
)
def test_the_walk_over_python_finds_texts_and_passes_marked_ones(source: str, found: list[str]) -> None:
    assert [text for _, text in translations.unmarked_python(source)] == found


def test_fields_of_the_api_are_described_in_english() -> None:
    source = 'serializers.CharField(help_text="Its slug.", label="Slug of it")'
    assert [text for _, text in translations.unmarked_python(source, translations.DESCRIBING)] == [
        "Slug of it"
    ]
