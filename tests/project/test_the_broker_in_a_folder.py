"""Processes that start at once on a new folder find each other's queues, and no message is read half written."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

import missions_project.celery  # noqa: F401 - it registers the transport
from missions_project.lib import folder_broker

PROCESSES = 6


def link_to(folder: Path) -> Connection:
    for name in ("queue", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Connection(
        "filesystem://localhost",
        transport_options={
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
        },
    )


def queue_of(name: str) -> Queue:
    return Queue(name, exchange=Exchange("work", type="direct"), routing_key=name)


def enter(folder: Path, name: str, together: Any, troubles: Any) -> None:
    try:
        with link_to(folder) as link:
            together.wait(30)
            queue_of(name)(link.channel()).declare()
    except Exception as error:  # noqa: BLE001 - told to the process that asks
        troubles.put(repr(error))


def test_queues_entered_at_once_are_all_in_the_table(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for turn in range(5):
        folder = tmp_path / str(turn)
        together, troubles = context.Barrier(PROCESSES), context.Queue()
        processes = [
            context.Process(target=enter, args=(folder, f"queue-{number}", together, troubles))
            for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
        assert troubles.empty(), troubles.get()
        table = json.loads((folder / "control" / "work.exchange").read_text())
        assert sorted(queue for _, _, queue in table) == [f"queue-{number}" for number in range(PROCESSES)]


@pytest.mark.parametrize(
    ("name", "left"), [("empty", ""), ("cut", '[["a", "", "a"'), ("long", '[["a", "", "a"]]]]')]
)
def test_a_damaged_table_is_begun_anew(name: str, left: str, tmp_path: Path) -> None:
    with link_to(tmp_path) as link:
        file = tmp_path / "control" / "work.exchange"
        file.write_text(left)
        queue_of(name)(link.channel()).declare()
        assert json.loads(file.read_text()) == [[name, "", name]]


def test_a_message_is_not_seen_before_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader looks at the moment at which the message's text is being written."""
    with link_to(tmp_path) as link:
        channel = link.channel()
        looks: list[str] = []
        write = Path.write_text

        def looked_at(file: Path, text: str, **kwargs: Any) -> int:
            file.touch()
            try:
                looks.append(channel._get("plan"))
            except Empty:
                looks.append("nothing yet")
            return write(file, text, **kwargs)

        monkeypatch.setattr(folder_broker.Path, "write_text", looked_at)
        channel._put("plan", {"body": "é"})
        assert looks == ["nothing yet"]
        assert channel._get("plan") == {"body": "é"}
        assert list((tmp_path / "queue").iterdir()) == []


def test_a_message_that_finds_no_room_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, text: str, **kwargs: Any) -> int:
        file.touch()
        raise OSError(28, "No space left on device")

    with link_to(tmp_path) as link:
        channel = link.channel()
        monkeypatch.setattr(folder_broker.Path, "write_text", full)
        with pytest.raises(Exception, match="No space left"):
            channel._put("plan", {"body": "x"})
    assert list((tmp_path / "queue").iterdir()) == []
