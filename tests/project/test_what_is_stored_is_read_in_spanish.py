"""What was stored in English while nobody read it, or written by an English reader, is read in Spanish on every page that shows it."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation

from agencies.audit_words import ABOUT, OWN_WORDS, subject_words
from agencies.models import Agency, AuditEvent, CrimeType, Membership, Role, Shift, Unit
from agencies.services import audit_record
from ingestion.models import Feed, ImportRun, QuarantinedRow
from ingestion.services import import_run_execute, import_run_queue
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from missions_project.lib.sentences import Sentences, said_again
from patrols.models import Mission, NoticeDelivery
from patrols.services import mission_assign, mission_withdraw, notice_choice_set, notice_send
from patrols.words import CHANGES, NOT_PLANNED
from tactics.defaults import agency_defaults_create
from tactics.models import Tactic
from tactics.services import starter_catalogue_create
from tactics.starter import STARTER_TACTICS
from tests.factories import make_member
from tests.ingestion.files import good_row, plain_feed, write_rows
from tests.patrols.scenes import Scene, make_scene
from tests.project.test_main_pages_have_no_english_in_spanish import english_in
from tools import translations

ROOMS = ("agencies", "forecasting", "ingestion", "patrols", "tactics")
# Rows of these tables are in no audit event; what they are called would fit texts that people write.
NEVER_AUDITED = frozenset({
    "%(event)s by %(channel)s", "%(tactic)s at %(engagement)s", "%(tactic)s for %(mission)s", "%(unit)s at %(mission)s",
    "%(kind)s, %(unit)s at %(mission)s", "%(saved)s to %(user)s, %(on)s", "%(day)s, part %(slot)s", "%(status)s for %(key)s",
    "%(unit_code)s at %(at)s", "%(minutes)s minutes in cell %(cell_id)s (%(source)s)", "  and %(count)s more",
    "%(inserted)s added, %(updated)s changed, %(unchanged)s as before", "; %(count)s not in the file kept",
})  # fmt: skip


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def spanish(scene: Scene) -> Client:
    """The agency's administrator, who reads Spanish."""
    client = Client(headers={"accept-language": "es"})
    client.force_login(
        make_member(scene.agency, "admin", username="jefa"), backend=settings.AUTHENTICATION_BACKENDS[0]
    )
    return client


def own_names(agency: Agency) -> tuple[str, ...]:
    """What the agency called its things itself, the longer names first: those stay."""
    names = [agency.name, agency.time_zone]
    for model in (CrimeType, Shift, Feed, Unit):
        names += [str(row) for row in model.objects.filter(agency=agency)]
    return tuple(sorted(names, key=len, reverse=True))


def left_in(client: Client, agency: Agency, address: str, *own: str) -> list[str]:
    answer = client.get(address, follow=True)
    assert answer.status_code == 200, address
    return english_in(answer.content.decode(), (*own, *own_names(agency)))


def names_of_rows() -> Iterator[str]:
    """The patterns that rows' names are made with."""
    for room in ROOMS:
        for path in sorted((translations.ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and node.name == "__str__":
                    for call in ast.walk(node):
                        if isinstance(call, ast.Call) and translations._name(call.func) in translations.MARKS:
                            yield str(ast.literal_eval(call.args[0]))


def test_every_name_that_is_made_of_words_is_known_to_the_audit_log() -> None:
    listed = set(ABOUT._patterns)
    made = set(names_of_rows())
    assert len(made) > 30
    assert made - listed - NEVER_AUDITED == set()
    assert {str(label) for label in Role.labels} <= listed


def test_an_event_is_kept_in_english_whoever_changes_and_read_in_spanish(
    scene: Scene, spanish: Client, translated: None
) -> None:
    robbery = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    unit = Unit.objects.filter(agency=scene.agency).first()
    assert unit is not None
    beat = unit.beat
    page = reverse("admin:agencies_unit_change", args=[unit.pk])
    asked = {"call_sign": unit.call_sign, "missions_per_shift": 3, "is_active": "on", "change_reason": ""}
    assert spanish.post(page, asked).status_code == 302
    event = AuditEvent.objects.get(action="unit.changed")
    # The beat was taken off in Spanish; what it was is kept in English.
    assert event.detail["changed"]["beat"] == [f"Beat {beat.code if beat else ''}", None]
    plan = scene.plan(publish=True, actor=make_member(scene.agency, "supervisor"))
    mission = Mission.objects.filter(plan=plan).first()
    assert mission is not None
    with translation.override("es"):
        mission_withdraw(mission=mission, reason="Street fair", actor=make_member(scene.agency, "supervisor"))
    assert (
        AuditEvent.objects.get(action="mission withdrawn").subject
        == f"Mission {mission.number} ({mission.crime_type})"
    )
    for subject in (
        f"jane, {Role.SUPERVISOR.label}", "2 beats", "Transparency pack 3",
        f"{unit}, Evening 2026-03-14: off duty", "Retention of incidents",
    ):  # fmt: skip
        audit_record(agency=scene.agency, actor=None, action="x.changed", subject=subject)
    audit_record(agency=scene.agency, actor=None, action="area suppressed", subject="Beats of the band")
    listing = reverse("admin:agencies_auditevent_changelist")
    text = spanish.get(listing).content.decode()
    assert left_in(spanish, scene.agency, listing, "Beats of the band", robbery.name) == []
    for said in (
        "jane, Supervisor",
        "2 sectores",
        "Sector ",
        f"Misión {mission.number}",
        "Beats of the band",
    ):
        assert said in text, said
    history = reverse("admin:agencies_unit_history", args=[unit.pk])
    assert left_in(spanish, scene.agency, history) == []
    one = reverse("admin:agencies_auditevent_change", args=[event.pk])
    assert left_in(spanish, scene.agency, one) == []


def test_what_a_person_wrote_stays_as_it_was_written(translated: None) -> None:
    with translation.override("es"):
        for action in OWN_WORDS:
            assert subject_words(action, "Beat 12") == "Beat 12"
        assert subject_words("personal report seen", "units, 2026-01-01 to 2026-01-31").startswith("units, ")
        assert " to " not in subject_words("personal report seen", "units, 2026-01-01 to 2026-01-31")
    assert subject_words("unit.changed", "Beat 12") == "Beat 12"


def test_a_notice_is_read_in_the_persons_language_title_and_lines(scene: Scene, translated: None) -> None:
    person = make_member(scene.agency, "supervisor")
    person.language, person.email = "es", "jefe@riverton.example"
    person.save()
    notice_choice_set(
        membership=Membership.objects.get(user=person), when_published=True, when_changed=True, when_failed=True,
        by_email=True, webhook_url="",
    )  # fmt: skip
    boss = make_member(scene.agency, "supervisor")
    plan = scene.plan(publish=True, actor=boss)
    first, second = Mission.objects.filter(plan=plan)[:2]
    mission_withdraw(mission=first, reason="Street fair", actor=boss)
    mission_assign(mission=second, unit=None, actor=boss)
    for row in NoticeDelivery.objects.filter(event="changed"):
        NoticeDelivery.objects.filter(pk=row.pk).update(attempts=1)
        assert notice_send(pk=row.pk, attempt=1)
    (message,) = mail.outbox
    assert message.subject.endswith(": plan modificado")
    assert f"Misión {first.number} retirada." in message.body
    assert english_in(message.body.replace("\n", " "), own_names(scene.agency)) == []
    NoticeDelivery.objects.update(error="No worker finished sending it. Next step: see the worker's log.")
    client = Client(headers={"accept-language": "es"})
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert left_in(client, scene.agency, reverse("patrols:notices", args=[scene.agency.slug])) == []


def test_every_line_of_a_changed_plan_is_listed() -> None:
    known = Sentences(CHANGES)
    for path in sorted((translations.ROOT / "patrols" / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and translations._name(node.func) == "tell_change":
                how = ast.literal_eval(node.args[1])
                assert known.pattern_of(f"Mission 7 {how}.") is not None, how


def test_why_a_beat_is_not_planned_is_listed_and_several_reasons_are_said_one_by_one(
    translated: None,
) -> None:
    known = Sentences(NOT_PLANNED)
    source = ast.parse((translations.ROOT / "patrols/engine/design.py").read_text())
    made = 0
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and translations._name(node.func) == "Infeasible":
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.args[3].values
            )
            # What stands behind "K is fixed" is a sentence of its own, in some of them made by another function.
            first, fixed, rest = text.removesuffix(" 7").partition(" K is fixed")
            assert known.pattern_of(first) is not None, text
            assert not fixed or known.pattern_of(f"K is fixed{rest}") is not None, text
            made += 1
    assert made > 5
    with translation.override("en"):
        stored = str(
            MissionsError(
                "No beat can be planned. Beat 11: all 4 cell(s) are suppressed. End a suppression, or set the beat's capacity "
                "to 0. Beat 12: all 3 cell(s) are suppressed. End a suppression, or set the beat's capacity to 0.",
                next_step="change the setting named, then plan again.",
            )
        )
    with translation.override("es"):
        told = said_again(stored)
    assert english_in(f"<p>{told}</p>") == []
    assert "Sector 11: las 4 celdas" in told
    assert "Sector 12: las 3 celdas" in told


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_columns(path: Path) -> None:
    path.write_text("number,day\n1,2\n")


def _a_picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


def _a_workbook(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")


@pytest.mark.parametrize("spoil", [_empty, _other_columns, _a_picture, _a_workbook])
def test_a_file_that_cannot_be_read_says_so_in_spanish_wherever_it_is_told(
    scene: Scene, spanish: Client, tmp_path: Path, spoil: Callable[[Path], None], translated: None
) -> None:
    feed = plain_feed(scene.agency)
    path = tmp_path / "export.csv"
    spoil(path)
    with pytest.raises(MissionsError):
        import_run_execute(run=import_run_queue(feed=feed, path=path))
    run = ImportRun.objects.get()
    assert run.status == RunStatus.FAILED
    with translation.override("es"):
        assert said_again(run.error) != run.error
    # The file's own path.
    own = (str(tmp_path),)
    agency = scene.agency
    for address in (
        reverse("ingestion:data", args=[agency.slug]),
        reverse("admin:ingestion_feed_changelist"),
        reverse("admin:ingestion_importrun_changelist"),
        reverse("admin:ingestion_importrun_change", args=[run.pk]),
        reverse("admin:agencies_agency_dashboard", args=[agency.pk]),
    ):
        assert left_in(spanish, agency, address, *own) == [], address


def test_rows_kept_aside_say_why_in_spanish(
    scene: Scene, spanish: Client, tmp_path: Path, translated: None
) -> None:
    feed = plain_feed(scene.agency)
    rows = [good_row(number) for number in range(30)]
    rows += [good_row(30, code="ODD", nibrs_code=""), good_row(31, lat="", lon=""), good_row(32, lat="north")]
    rows += [
        good_row(33, occurred_at="2091-01-01T00:00:00"),
        good_row(34, occurred_at="yesterday"),
        good_row(35, id=""),
    ]
    rows += [good_row(36, lat=0, lon=0), good_row(37, nibrs_code="35A"), good_row(38, code="", nibrs_code="")]
    import_run_execute(run=import_run_queue(feed=feed, path=write_rows(tmp_path / "rows.csv", rows)))
    kept = QuarantinedRow.objects.filter(agency=scene.agency)
    assert kept.count() > 5
    agency = scene.agency
    pages = [
        reverse("admin:ingestion_quarantinedrow_changelist"),
        reverse("ingestion:quality", args=[agency.slug, feed.slug]),
        reverse("ingestion:data", args=[agency.slug]),
        reverse("admin:ingestion_importrun_change", args=[ImportRun.objects.get().pk]),
        *(reverse("admin:ingestion_quarantinedrow_change", args=[row.pk]) for row in kept),
    ]
    for address in pages:
        # In a row's own table the values stand under our short names for columns.
        assert left_in(spanish, agency, address, str(tmp_path), "occurred_from") == [], address


def test_a_starter_set_is_written_in_the_language_of_whoever_adds_it_and_stays_so(
    scene: Scene, spanish: Client, translated: None
) -> None:
    answer = spanish.post(reverse("admin:tactics_tactic_starter"), {"agency": scene.agency.pk})
    assert answer.status_code == 302
    rows = {row.slug: row for row in Tactic.objects.filter(agency=scene.agency)}
    assert rows["foot-patrol"].name == "Patrullaje a pie"
    for tactic in STARTER_TACTICS:
        row = rows[tactic.slug]
        told = (row.name, row.steps, row.community_note, row.evidence_note, row.evidence_effect)
        assert [english_in(f"<p>{text}</p>") for text in told if english_in(f"<p>{text}</p>")] == []
    assert left_in(spanish, scene.agency, reverse("tactics:catalogue", args=[scene.agency.slug])) == []
    # The agency's own from then on: whoever reads English reads what is stored, and a second call adds nothing in English.
    with translation.override("en"):
        assert starter_catalogue_create(agency=scene.agency).tactics_added == 0
    english = Client(headers={"accept-language": "en"})
    english.force_login(make_member(scene.agency, "admin"), backend=settings.AUTHENTICATION_BACKENDS[0])
    page = english.get(reverse("tactics:catalogue", args=[scene.agency.slug])).content.decode()
    assert "Patrullaje a pie" in page


@pytest.mark.django_db
def test_a_new_agency_is_named_in_the_language_of_its_set_up(translated: None) -> None:
    agency = Agency.objects.create(slug="nueva", name="Nueva", time_zone="America/Chicago")
    with translation.override("es"):
        agency_defaults_create(agency=agency)
    assert set(Shift.objects.filter(agency=agency).values_list("slug", flat=True)) == {
        "night",
        "day",
        "evening",
    }
    names = set(Shift.objects.filter(agency=agency).values_list("name", flat=True))
    names |= set(CrimeType.objects.filter(agency=agency).values_list("name", flat=True))
    assert names.isdisjoint({"Night", "Day", "Evening", "Burglary", "Robbery"})
