"""Packs: made from what happened, hashed, published by a person, and never changed after that."""

from __future__ import annotations

import copy
import datetime as dt
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, User
from agencies.services import audit_record
from ingestion.audit.models import AuditArea, AuditTable
from ingestion.models import CensusArea
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import Mission
from tactics.models import (
    DemographicMeasure,
    ExposureFinding,
    ImpactStudy,
    TransparencyPack,
    TransparencyPolicy,
)
from tactics.tasks import transparency_pack_task
from tactics.transparency.services import (
    finding_answer,
    pack_discard,
    pack_make,
    pack_publish,
    pack_queue,
)
from tactics.transparency.shapes import content_hash
from tactics.transparency.site import pack_json
from tests.auditing import without_guards
from tests.factories import make_agency, make_member, rectangle
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
ANSWER = "More burglaries were expected there; the agency lowers the weight and looks again in a month."


@pytest.fixture
def past(db: None) -> PastWeeks:
    """Ten days of one shift; residents and a demographic table in sixteen areas, far from where crime is."""
    made = make_past(days=10, shifts=1)
    table = AuditTable.objects.create(
        agency=made.agency, name="ACS", source="made up", valid_from=dt.date(2025, 1, 1), columns=["all", "some"]
    )  # fmt: skip
    for column in range(4):
        for row in range(4):
            box = rectangle(column * 1000, row * 1000, column * 1000 + 1000, row * 1000 + 1000)
            people = 3000.0 if row < 2 else 300.0
            CensusArea.objects.create(
                agency=made.agency, geometry=box, population=people, valid_from=dt.date(2025, 1, 1), source="ACS"
            )  # fmt: skip
            AuditArea.objects.create(
                agency=made.agency, table=table, geometry=box, values={"all": people, "some": people * 0.1 * (row + 1)}
            )  # fmt: skip
    DemographicMeasure.objects.create(
        agency=made.agency, name="share of some group", table="ACS", column="some", total_column="all"
    )
    return made


def make_pack(past: PastWeeks) -> TransparencyPack:
    return pack_make(pack=pack_queue(agency=past.agency, first=past.first, last=past.last))


def section(pack: TransparencyPack, slug: str) -> dict:
    return next(one for one in pack.content["sections"] if one["slug"] == slug)


def rows(pack: TransparencyPack, slug: str, table: str) -> list[dict]:
    found = next(one for one in section(pack, slug)["tables"] if one["slug"] == table)
    keys = [column["key"] for column in found["columns"]]
    return [dict(zip(keys, row, strict=True)) for row in found["rows"]]


def test_a_pack_answers_what_a_council_asks_and_counts_as_the_database_does(past: PastWeeks) -> None:
    ImpactStudy.objects.create(
        agency=past.agency, name="Cancelled one", question="?", crime_types=[past.types[0].pk],
        first=past.first, last=past.last, state="cancelled", cancelled_reason="No officers left for it.",
    )  # fmt: skip
    pack = make_pack(past)
    assert pack.status == RunStatus.SUCCEEDED, pack.error
    assert [one["slug"] for one in pack.content["sections"]] == [
        "forecast", "data", "accuracy", "randomised", "where", "exposure", "overrides", "complaints", "impact", "changes",
    ]  # fmt: skip
    assert all(one["sentences"] for one in pack.content["sections"])
    beats = rows(pack, "where", "where-1")
    assert sum(row["missions"] for row in beats) == Mission.objects.filter(withdrawn_at=None).count()
    assert sum(row["residents"] for row in beats) == pytest.approx(8 * 3300, rel=0.01)
    assert sum(row["minutes_share"] for row in beats) == pytest.approx(1.0, abs=1e-4)
    sure = rows(pack, "where", "where-sure-1")
    assert [row["area"] for row in sure] == [row["area"] for row in beats]
    for row, told in zip(sure, beats, strict=True):
        for key in ("mission_share", "minutes_share", "per_thousand"):
            assert row[key] == told[key]
            assert row[f"{key}_low"] <= row[key] <= row[f"{key}_high"]
    # What came to nothing is told too.
    assert rows(pack, "impact", "studies")[0]["result"] == "No officers left for it."


def test_demographic_tenths_come_from_the_audit_store_and_only_from_there(past: PastWeeks) -> None:
    told = section(make_pack(past), "where")["tables"][-2]
    assert told["title"] == "By tenth of share of some group"
    assert "audit store" in told["note"]
    AuditTable.objects.all().delete()
    pack = make_pack(past)
    assert "group" not in json.dumps(section(pack, "where"))
    assert any("share of some group" in words for words in section(pack, "exposure")["sentences"])


def test_a_pack_holds_no_square_no_unit_no_person_and_no_plan_to_come(past: PastWeeks) -> None:
    make_member(past.agency, "supervisor", username="jane.roe")
    audit_record(agency=past.agency, actor=None, action="membership.added", subject="jane.roe, Supervisor")
    audit_record(
        agency=past.agency, actor=None, action="patrolpolicy.changed", subject="Standard",
        detail={"changed": {"exploration": [0.15, 0.2], "name": ["Jane's", "Mine"]}},
    )  # fmt: skip
    with without_guards():
        AuditEvent.objects.update(at=timezone.now() - dt.timedelta(hours=1))
    pack = make_pack(past)
    text = json.dumps(pack.content)
    units = past.agency.unit_set.values_list("call_sign", flat=True)
    assert not [sign for sign in units if re.search(rf"\b{sign}\b", text)]
    assert "jane" not in text.lower()
    assert "cell_id" not in text
    assert "lon" not in set(re.findall(r'"(\w+)":', text))
    assert rows(pack, "changes", "changes")[-1]["fields"] == "exploration: 0.15 → 0.2, name"
    with pytest.raises(MissionsError, match="days that are over"):
        pack_queue(agency=past.agency, first=past.first, last=timezone.localdate() + dt.timedelta(days=1))


def test_the_hash_fits_the_content_after_a_round_trip_and_any_change_of_it_shows(
    past: PastWeeks, tmp_path: Path
) -> None:
    pack = TransparencyPack.objects.get(pk=make_pack(past).pk)
    assert content_hash(pack.content) == pack.content_hash
    file = tmp_path / "pack.json"
    file.write_text(pack_json(pack), encoding="utf-8")
    out = io.StringIO()
    call_command("transparency_pack", "riverton", verify=file.open(), stdout=out)
    assert f"Unchanged: pack 1 of Riverton PD, SHA-256 {pack.content_hash}" in out.getvalue()
    stored = json.loads(file.read_text())
    changed = copy.deepcopy(stored)
    changed["content"]["sections"][4]["tables"][0]["rows"][0][1] += 1
    file.write_text(json.dumps(changed))
    with pytest.raises(CommandError, match="was changed"):
        call_command("transparency_pack", verify=file.open())
    # Changed with its hash: whole, but not the one that the agency keeps.
    changed["hash"] = content_hash(changed["content"])
    file.write_text(json.dumps(changed))
    with pytest.raises(CommandError, match="not Transparency pack 1 as it is stored"):
        call_command("transparency_pack", "riverton", verify=file.open())


def test_the_same_data_give_the_same_figures(past: PastWeeks) -> None:
    first, second = make_pack(past), make_pack(past)
    same = {"forecast", "data", "accuracy", "randomised", "where", "overrides", "complaints", "impact"}
    for slug in same:
        assert section(first, slug) == section(second, slug)
    assert section(first, "exposure")["tables"][1:] == section(second, "exposure")["tables"][1:]


def test_a_disparity_raises_a_finding_that_must_be_answered_before_the_next_pack(
    past: PastWeeks, sign_in: SignIn
) -> None:
    admin = make_member(past.agency, "admin")
    first = make_pack(past)
    found = list(ExposureFinding.objects.all())
    # Few live in the north, and units are shared out by beat: it gets far more than its part of residents.
    assert ("District", "residents") in {(one.kind, one.basis) for one in found}
    assert len({(one.kind, one.basis) for one in found}) == len(found)
    one = next(one for one in found if one.kind == "District" and one.basis == "residents")
    assert one.ratio >= 1.25 or one.ratio <= 0.8
    assert one.threshold == 1.25
    assert one.low < one.ratio < one.high
    pack_publish(pack=first, actor=admin)
    second = make_pack(past)
    assert ExposureFinding.objects.count() == len(found)
    with pytest.raises(MissionsError, match="wait for an answer"):
        pack_publish(pack=second, actor=admin)
    client = sign_in(admin)
    for row in found:
        page = reverse("admin:tactics_exposurefinding_change", args=[row.pk])
        assert client.get(page).status_code == 200
        assert client.post(page, {"answer": "Too short."}).status_code == 200
        assert client.post(page, {"answer": ANSWER}).status_code == 302
    assert not ExposureFinding.objects.filter(answered_by=None).exists()
    assert AuditEvent.objects.filter(action="exposure finding answered").count() == len(found)
    assert pack_publish(pack=second, actor=admin).state == "published"
    third = make_pack(past)
    assert third.content["previous"] == {"number": 2, "hash": second.content_hash}
    # Answered, and found again: asked again.
    assert ExposureFinding.objects.filter(pack=third, kind="District", basis="residents").exists()


def test_a_higher_threshold_raises_nothing(past: PastWeeks) -> None:
    TransparencyPolicy.objects.create(agency=past.agency, disparity_threshold=10.0)
    pack = make_pack(past)
    assert not ExposureFinding.objects.exists()
    assert "None was found" in " ".join(section(pack, "exposure")["sentences"])


def test_an_answer_is_written_once_about_places_and_kept(past: PastWeeks) -> None:
    admin = make_member(past.agency, "admin")
    make_pack(past)
    finding = ExposureFinding.objects.all()[0]
    with pytest.raises(MissionsError, match="write about the place only"):
        finding_answer(finding=finding, actor=admin, answer=f"{ANSWER} Call 312-555-0142 for the suspect.")
    finding_answer(finding=finding, actor=admin, answer=ANSWER)
    with pytest.raises(MissionsError, match="answered already"):
        finding_answer(finding=finding, actor=admin, answer="Something else that reads better in public.")
    for change in ({"answer": "Rewritten."}, {"ratio": 1.0}, {"answered_at": None, "answer": ""}):
        with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
            ExposureFinding.objects.filter(pk=finding.pk).update(**change)
    with pytest.raises(Exception, match="kept for good"):
        finding.delete()


def test_a_published_pack_stays_as_it_is_whoever_writes(past: PastWeeks) -> None:
    admin = make_member(past.agency, "admin")
    pack = pack_publish(pack=make_pack(past), actor=admin)
    for change in ({"content": {}}, {"state": "draft"}, {"content_hash": "0" * 64}, {"number": 9}):
        with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
            TransparencyPack.objects.filter(pk=pack.pk).update(**change)
    with pytest.raises(MissionsError, match="can be set aside"):
        pack_discard(pack=pack, actor=admin)
    with pytest.raises(MissionsError, match="no draft"):
        pack_publish(pack=pack, actor=admin)
    with pytest.raises(Exception, match="it stays"):
        pack.delete()


def test_a_tampered_draft_and_an_overtaken_one_are_not_published(past: PastWeeks) -> None:
    admin = make_member(past.agency, "admin")
    TransparencyPolicy.objects.create(agency=past.agency, disparity_threshold=10.0)
    first, second = make_pack(past), make_pack(past)
    TransparencyPack.objects.filter(pk=first.pk).update(content={"sections": []})
    with pytest.raises(MissionsError, match="hash differs"):
        pack_publish(pack=first, actor=admin)
    pack_publish(pack=second, actor=admin)
    pack_discard(pack=first, actor=admin)
    third = make_pack(past)
    fourth = make_pack(past)
    pack_publish(pack=third, actor=admin)
    with pytest.raises(MissionsError, match="Another pack was published"):
        pack_publish(pack=fourth, actor=admin)


def test_a_period_without_plans_fails_with_the_next_step_on_its_row(past: PastWeeks) -> None:
    pack = pack_queue(agency=past.agency, first=dt.date(2025, 1, 1), last=dt.date(2025, 1, 31))
    with pytest.raises(MissionsError, match="being made already"):
        pack_queue(agency=past.agency, first=past.first, last=past.last)
    with pytest.raises(MissionsError, match="nothing to tell"):
        transparency_pack_task(pack.pk)
    pack.refresh_from_db()
    assert pack.status == RunStatus.FAILED
    assert "choose a period" in pack.error


def test_the_folder_is_readable_from_a_disk_and_holds_no_script(past: PastWeeks, tmp_path: Path) -> None:
    call_command("transparency_pack", "riverton", first=str(past.first), last=str(past.last), out=tmp_path)
    page = (tmp_path / "public/index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "://" not in page
    assert "style=" not in page
    for address in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert (tmp_path / "public" / address).stat().st_size > 0, address
    assert not (tmp_path / "public/documents").exists()
    call_command("transparency_pack", "riverton", number=1, out=tmp_path / "again")
    assert (tmp_path / "again/public/index.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("slug", ["impact-report", "use-policy", "annual-report"])
def test_documents_are_filled_in_and_mark_what_only_people_can_write(
    past: PastWeeks, tmp_path: Path, slug: str
) -> None:
    docx = pytest.importorskip("docx", reason="python-docx of requirements.txt is not installed here")
    call_command("transparency_pack", "riverton", first=str(past.first), last=str(past.last), out=tmp_path)
    html = (tmp_path / f"documents/{slug}.html").read_text(encoding="utf-8")
    assert html.count("<mark>") >= 3
    made = docx.Document(str(tmp_path / f"documents/{slug}.docx"))
    texts = [paragraph.text for paragraph in made.paragraphs]
    blanks = [run for paragraph in made.paragraphs for run in paragraph.runs if run.font.highlight_color]
    assert len(blanks) == html.count("<mark>")
    assert any("Riverton PD" in text for text in texts)
    assert len(made.tables) == html.count("<table")


def test_who_sees_makes_and_publishes_packs(past: PastWeeks, sign_in: SignIn) -> None:
    TransparencyPolicy.objects.create(agency=past.agency, disparity_threshold=10.0)
    make_pack(past)
    listing, page = reverse("tactics:packs", args=["riverton"]), reverse("tactics:pack", args=["riverton", 1])
    new, decide = (
        reverse("tactics:pack_new", args=["riverton"]),
        reverse("tactics:pack_decide", args=["riverton", 1]),
    )
    stranger = make_member(make_agency("lakeside"), "admin")
    people = {
        role: make_member(past.agency, role)
        for role in ("officer", "auditor", "supervisor", "analyst", "admin")
    }
    sees = {"officer": 403, "auditor": 200, "supervisor": 200, "analyst": 200, "admin": 200}
    for role, person in people.items():
        client = sign_in(person)
        assert client.get(listing).status_code == client.get(page).status_code == sees[role], role
        assert client.post(decide, {"decision": "discard"}).status_code == (302 if role == "admin" else 403)
    client = sign_in(stranger)
    assert {client.get(listing).status_code, client.get(page).status_code, client.post(new).status_code} == {
        404
    }
    asked = {"first": str(past.first), "last": str(past.last)}
    assert sign_in(people["auditor"]).post(new, asked).status_code == 403
    assert sign_in(people["supervisor"]).post(new, asked).status_code == 302
    assert TransparencyPack.objects.get(number=2).requested_by == people["supervisor"]
    assert TransparencyPack.objects.get(number=1).state == "discarded"


def test_packs_are_public_only_when_published_and_the_agency_says_so(
    past: PastWeeks, sign_in: SignIn
) -> None:
    admin = make_member(past.agency, "admin")
    policy = TransparencyPolicy.objects.create(agency=past.agency, disparity_threshold=10.0)
    pack = make_pack(past)
    nobody = Client()
    addresses = [
        reverse("tactics:public_packs", args=["riverton"]), reverse("tactics:public_style", args=["riverton"]),
        reverse("tactics:public_pack", args=["riverton", 1]), reverse("tactics:public_json", args=["riverton", 1]),
        reverse("tactics:public_chart", args=["riverton", 1, "where-1"]),
    ]  # fmt: skip
    for address in addresses:
        assert nobody.get(address).url.startswith("/accounts/login/")
    policy.is_public = True
    policy.save()
    assert [nobody.get(address).status_code for address in addresses] == [200, 200, 404, 404, 404]
    pack_publish(pack=pack, actor=admin)
    for address in addresses:
        answer = nobody.get(address)
        assert answer.status_code == 200, address
        assert answer["Cache-Control"] == "public, max-age=300"
        assert not answer.cookies
    # What is published is anybody's: strangers who take it, again and again, write nothing into a log that nobody may shorten.
    for name in ("public_json", "public_pdf"):
        assert nobody.get(reverse(f"tactics:{name}", args=["riverton", 1])).status_code == 200
    assert not AuditEvent.objects.filter(action="file exported").exists()
    page = nobody.get(addresses[2]).content.decode()
    assert "Draft" not in page
    assert pack.content_hash in page
    assert nobody.get(reverse("tactics:public_chart", args=["riverton", 1, "nothing"])).status_code == 404
    # Drafts and documents stay inside.
    assert nobody.get(reverse("tactics:packs", args=["riverton"])).status_code == 302


def test_the_pages_ask_the_database_a_fixed_number_of_questions(
    past: PastWeeks, sign_in: SignIn, django_assert_num_queries: Callable
) -> None:
    TransparencyPolicy.objects.create(agency=past.agency, disparity_threshold=1.25, is_public=True)
    admin = make_member(past.agency, "admin")
    pack_publish(pack=make_pack(past), actor=admin)
    client, nobody = sign_in(admin), Client()
    with django_assert_num_queries(7):
        client.get(reverse("tactics:packs", args=["riverton"]))
    with django_assert_num_queries(6):
        client.get(reverse("tactics:pack", args=["riverton", 1]))
    for name, arguments in (("public_packs", ["riverton"]), ("public_pack", ["riverton", 1])):
        with django_assert_num_queries(2):
            nobody.get(reverse(f"tactics:{name}", args=arguments))


def test_the_folder_comes_as_one_file_from_the_page(past: PastWeeks, sign_in: SignIn) -> None:
    make_pack(past)
    client = sign_in(make_member(past.agency, "analyst"))
    answer = client.get(reverse("tactics:pack_site", args=["riverton", 1]))
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert {"transparency-pack-1/index.html", "transparency-pack-1/pack.json"} <= set(names)
    wrong = reverse("tactics:pack_document", args=["riverton", 1, "nothing", "docx"])
    assert client.get(wrong).status_code == 404


def test_a_measure_that_the_audit_store_lacks_is_refused_in_the_admin(
    past: PastWeeks, sign_in: SignIn
) -> None:
    client = sign_in(make_member(past.agency, "admin"))
    page = reverse("admin:tactics_demographicmeasure_add")
    given = {
        "agency": past.agency.pk,
        "name": "income",
        "table": "ACS",
        "column": "income",
        "total_column": "",
    }
    assert b"has no column income" in client.post(page, given).content
    assert client.post(page, given | {"column": "some"}).status_code == 302
