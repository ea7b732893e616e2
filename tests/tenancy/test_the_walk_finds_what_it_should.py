"""The walk over all rows finds a planted row that names another agency's, by each kind of key; otherwise its silence would say nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models

from agencies.models import Agency, Beat, Membership, Shift, Unit, User
from ingestion.models import ApiToken
from tactics.models import SavedReport
from tests.tenancy.towns import KEY, NAME, Town, two_towns
from tests.tenancy.walk import Owners, all_models, crossings, keys_of, rows_of, words_of

pytestmark = [pytest.mark.slow, pytest.mark.both_databases, pytest.mark.django_db]


@pytest.fixture
def towns() -> tuple[Town, Town]:
    return two_towns()


def planted(found: list[str]) -> set[str]:
    return {line.split(": ")[1].split(" → ")[0] for line in found}


def test_two_agencies_at_work_name_nothing_of_each_other(towns: tuple[Town, Town]) -> None:
    ours, theirs = towns
    assert crossings() == []
    kept = words_of(ours.agency)
    assert NAME not in kept
    assert KEY not in kept
    assert words_of(theirs.agency).count(NAME) > 100


def test_a_row_that_names_another_agencys_is_found(towns: tuple[Town, Town]) -> None:
    ours, theirs = towns
    Unit.objects.filter(pk=ours.unit.pk).update(beat=theirs.first(Beat))
    assert planted(crossings()) == {"beat"}
    ours.unit.shifts.add(theirs.first(Shift))
    assert "agencies.unit_shifts" in " ".join(crossings())
    saved = SavedReport.objects.filter(agency=ours.agency)[0]
    saved.recipients.add(Membership.objects.filter(agency=theirs.agency)[0])
    assert "tactics.savedreport_recipients" in " ".join(crossings())


def test_a_person_of_another_agency_is_found(towns: tuple[Town, Town]) -> None:
    ours, theirs = towns
    SavedReport.objects.filter(agency=ours.agency).update(owner=theirs.people["officer"])
    assert planted(crossings()) == {"owner"}
    # Who belongs to both may stand with both; who belongs nowhere, the operator, too.
    Membership.objects.create(agency=ours.agency, user=theirs.people["officer"], role="officer")
    assert crossings() == []
    SavedReport.objects.filter(agency=ours.agency).update(owner=User.objects.create_user("operates"))
    assert crossings() == []


def test_a_row_without_an_agency_of_its_own_belongs_where_its_keys_lead(towns: tuple[Town, Town]) -> None:
    ours, theirs = towns
    token = ApiToken.objects.filter(feed=ours.feed)[0]
    ApiToken.objects.filter(pk=token.pk).update(agency=None)
    assert Owners().of(ApiToken)[token.pk] == ours.agency.pk
    ApiToken.objects.filter(pk=token.pk).update(user=theirs.people["admin"])
    assert planted(crossings()) == {"user"}


def test_every_model_of_ours_that_names_a_row_has_an_owner_for_each_of_its_rows(
    towns: tuple[Town, Town],
) -> None:
    owners = Owners()
    rooms = {"agencies", "ingestion", "forecasting", "patrols", "tactics", "ingestion_audit"}
    lost: list[Any] = []
    for model in all_models():
        if (
            model._meta.app_label in rooms
            and model is not User
            and any(names(field) for field in keys_of(model))
        ):
            lost += [
                (model, pk)
                for pk in set(model._base_manager.values_list("pk", flat=True)) - owners.of(model).keys()
            ]
    assert not lost


def names(field: models.ForeignKey[Any, Any]) -> bool:
    """Whether the key is one of an agency's rows: a person belongs to several, a group to none."""
    target = field.related_model
    return target is Agency or any(one.related_model is Agency for one in keys_of(target))


def test_a_digest_tells_of_each_change(towns: tuple[Town, Town]) -> None:
    ours, theirs = towns
    before = rows_of(theirs.agency)
    Unit.objects.filter(agency=ours.agency).update(missions_per_shift=5)
    assert rows_of(theirs.agency) == before
    theirs.unit.shifts.add(theirs.first(Shift))
    Unit.objects.filter(pk=theirs.unit.pk).update(missions_per_shift=5)
    after = rows_of(theirs.agency)
    assert {table for table in before if after[table] != before[table]} == {
        "agencies.unit",
        "agencies.unit_shifts",
    }
