"""A drop folder takes complete files only, each once, and says in words what became of them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from ingestion.models import DropFile, DropFolder, Feed, ImportRun, Incident
from ingestion.services import drops
from missions_project import pipeline
from tests import factories
from tests.ingestion.files import good_row, plain_feed, write_rows


def test_a_file_is_imported_at_the_second_look_and_moved_to_done(box):
    box.put("a.csv")
    assert box.look() == []
    assert box.look(59) == []
    assert [file.state for file in box.look(1)] == ["done"]
    assert Incident.objects.count() == 5
    assert box.tree() == [f"{box.today}/a.csv"]
    assert ImportRun.objects.get().file_name == "a.csv"


def test_a_file_that_still_grows_is_left_alone_until_it_has_been_still(box):
    path = box.put("a.csv", range(3))
    box.look()
    with path.open("a") as file:
        file.write("R9,2025-01")
    assert box.look(60) == []
    box.put("a.csv", range(4))
    assert box.look(60) == []
    assert [f.state for f in box.look(60)] == ["done"]
    assert Incident.objects.count() == 4


@pytest.mark.parametrize("name", ["a.csv.part", "a.tmp", "a.csv.FILEPART", ".a.csv", "a.csv.done", "a.ok"])
def test_names_of_unfinished_files_and_markers_are_no_data(name, box):
    box.put(name)
    box.look()
    assert box.look(3_600) == []
    assert box.tree() == [name]


@pytest.mark.parametrize("marker", ["a.csv.done", "a.csv.ok", "a.done", "a.ok"])
def test_where_markers_are_asked_for_a_file_waits_for_its_own_and_the_marker_goes(marker, box):
    DropFolder.objects.update(needs_marker=True)
    box.folder.refresh_from_db()
    box.put("a.csv")
    box.look()
    assert box.look(3_600) == []
    (box.path / marker).touch()
    assert len(box.look()) == 1
    assert box.tree() == [f"{box.today}/a.csv"]
    box.put("a.csv")
    assert box.look(3_600) == [], "the former marker must not speak for the next file"


def test_a_file_that_cannot_be_read_goes_to_failed_with_the_reason_and_next_step(box):
    (box.path / "a.csv").write_bytes(b"\x89PNG\r\n" + bytes(100))
    box.look()
    (file,) = box.look(60)
    assert file.state == "failed"
    assert box.tree() == ["failed/a.csv", "failed/a.csv.txt"]
    words = (box.path / "failed/a.csv.txt").read_text()
    assert "picture" in words
    assert "Next step" in words
    assert "same name is fine" in words


def test_a_failed_file_does_not_stop_those_behind_it_and_the_oldest_comes_first(box):
    for age, name in enumerate(["c.csv", "b.csv", "a.csv"]):
        path = box.put(name, code=name)
        if name == "b.csv":
            path.write_text("")
        os.utime(path, (1_700_000_000 + age, 1_700_000_000 + age))
    box.look()
    assert [file.name for file in box.look(60)] == ["c.csv", "b.csv", "a.csv"]
    assert set(Incident.objects.values_list("code", flat=True)) == {"a.csv"}, "the latest export wins"


def test_the_same_name_may_come_again_on_the_same_day(box):
    for numbers in (range(3), range(3, 6)):
        box.put("a.csv", numbers)
        box.look()
        box.look(60)
    for _ in range(2):
        (box.path / "a.csv").write_text("")
        box.look()
        box.look(60)
    assert Incident.objects.count() == 6
    failed = ["failed/a-2.csv", "failed/a-2.csv.txt", "failed/a.csv", "failed/a.csv.txt"]
    assert box.tree() == [f"{box.today}/a-2.csv", f"{box.today}/a.csv", *failed]


def test_a_file_that_is_replaced_while_it_is_claimed_settles_anew(box, monkeypatch):
    path = box.put("a.csv", range(3))
    box.look()

    def replace(here: str) -> None:
        if here == "claimed":
            write_rows(path, [good_row(n) for n in range(9)])

    monkeypatch.setattr(drops, "_step", replace)
    assert box.look(60) == []
    monkeypatch.setattr(drops, "_step", lambda here: None)
    box.look()
    assert [f.state for f in box.look(60)] == ["done"]
    assert Incident.objects.count() == 9


def test_links_and_folders_and_pipes_are_not_picked_up(box, tmp_path):
    secret = write_rows(tmp_path / "secret.csv", [good_row(1)])
    (box.path / "link.csv").symlink_to(secret)
    (box.path / "folder.csv").mkdir()
    os.mkfifo(box.path / "pipe.csv")
    box.look()
    assert box.look(3_600) == []
    assert secret.exists()
    assert not Incident.objects.exists()


def test_a_link_in_the_place_of_a_room_is_refused_in_words(box, tmp_path):
    (box.path / "failed").rmdir()
    (box.path / "failed").symlink_to(tmp_path)
    box.put("a.csv")
    box.look()
    box.look(60)
    assert "is a link or no folder" in box.folder.message
    assert "Next step" in box.folder.message
    assert not Incident.objects.exists()


def test_the_work_room_is_this_accounts_alone_and_the_folder_is_sticky(box):
    assert (box.path / "work").stat().st_mode & 0o777 == 0o700
    assert box.path.stat().st_mode & 0o1000


@pytest.mark.parametrize("name", ["..", "../other", "a/b", "/etc", "", ".hidden", "a b", "ä", "x" * 61])
def test_a_folder_name_cannot_climb(name, agency):
    with pytest.raises(ValidationError):
        DropFolder(agency=agency, feed=plain_feed(agency), name=name).full_clean()


def test_a_name_that_cannot_be_shown_is_left_with_words(box):
    os.rename(box.put("a.csv"), os.fsencode(box.path) + b"/b\xff\n.csv")
    box.look()
    assert "cannot be shown" in box.folder.message
    assert "rename it" in box.folder.message


def test_a_feed_without_a_mapping_or_inactive_leaves_its_files_and_says_why(box):
    box.put("a.csv")
    for changes, words in (({"mapping": {}}, "no mapping yet"), ({"is_active": False}, "inactive")):
        Feed.objects.update(**changes)
        box.folder = DropFolder.objects.get()
        box.look(60)
        box.look(60)
        assert words in box.folder.message
        assert box.tree() == ["a.csv"]


def test_a_file_larger_than_uploads_may_be_is_failed(box, settings):
    settings.UPLOAD_MAX_BYTES = 100
    box.put("a.csv")
    box.look()
    assert "larger than 100 bytes" in box.look(60)[0].reason


def test_done_files_are_deleted_after_their_days_and_failed_ones_after_thirty(box):
    box.put("a.csv")
    (box.path / "b.csv").write_text("")
    box.look()
    box.look(60)
    box.look(86_400 * 6)
    assert len(box.tree()) == 3
    box.look(86_400 * 2)
    assert box.tree() == ["failed/b.csv", "failed/b.csv.txt"]
    assert not list((box.path / "done").iterdir())
    box.look(86_400 * 30)
    assert box.tree() == []


def test_with_no_days_to_keep_an_imported_file_is_deleted_at_once(box):
    DropFolder.objects.update(keep_days=0)
    box.folder.refresh_from_db()
    box.put("a.csv")
    box.look()
    box.look(60)
    assert box.tree() == []
    assert Incident.objects.count() == 5


def test_a_file_in_work_that_the_journal_does_not_know_is_seen_again(box):
    os.rename(box.put("a.csv"), box.path / "work/99-a.csv")
    box.look()
    box.look(60)
    assert box.tree() == [f"{box.today}/a.csv"]


def test_two_that_look_at_once_do_not_both_work(box):
    box.put("a.csv")
    box.look()
    with drops._alone(box.path) as mine:
        assert mine
        assert box.look(60) == []
    assert len(box.look()) == 1


def test_another_import_in_the_way_leaves_the_file_queued(box, monkeypatch):
    from ingestion.services.locks import ImportBusy

    def busy(**_: Any) -> None:
        raise ImportBusy("Another import is running.", next_step="wait")

    box.put("a.csv")
    box.look()
    with monkeypatch.context() as patch:
        patch.setattr(drops, "import_run_execute", busy)
        assert box.look(60) == []
        assert "waiting for another import" in box.folder.message
    assert len(box.look()) == 1
    assert box.folder.message == ""


def test_the_dispatcher_and_the_command_look_into_the_folder(box, capsys):
    box.put("a.csv")
    pipeline.housekeeping()
    DropFile.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    call_command("drop_scan", "--agency", "riverton", "--feed", "rms")
    said = capsys.readouterr().out
    assert "1 finished, 0 waiting" in said
    assert "a.csv: imported" in said
    assert Incident.objects.count() == 5


def test_the_admin_shows_address_and_state_to_the_owner_and_nothing_to_strangers(
    box, owner, stranger, sign_in
):
    (box.path / "a.csv").write_text("")
    box.look()
    box.look(60)
    address = reverse("admin:ingestion_dropfolder_change", args=[box.folder.pk])
    page = sign_in(owner).get(address).content.decode()
    assert str(box.path) in page
    assert "The file is empty" in page
    assert (
        str(box.path) in sign_in(owner).get(reverse("admin:ingestion_dropfolder_changelist")).content.decode()
    )
    assert sign_in(stranger).get(address).status_code == 302
    assert (
        "rms" not in sign_in(stranger).get(reverse("admin:ingestion_dropfolder_changelist")).content.decode()
    )


def test_a_folder_cannot_feed_another_agency(box):
    other = plain_feed(factories.make_agency("lakeside"), "theirs")
    with pytest.raises(ValidationError, match="another agency"):
        DropFolder(agency=box.folder.agency, feed=other, name="x").full_clean()


def test_the_last_look_is_on_record(box):
    box.look(5)
    assert isinstance(box.folder.looked_at, datetime)
    assert box.folder.looked_at == box.now
