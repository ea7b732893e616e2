"""The people of bench_load, as locust has them: boards that ask every two seconds, officers' phones every fifteen.

What they ask, and when they ask for more, is what the pages' scripts do (static/patrols/board.js, static/ingestion/alerts.js,
static/tactics/queue.js). Run by bench_load in a process of its own; no Django here.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant_pacing, events, task

FOLDER = Path(os.environ["LOAD_FOLDER"])
MADE: dict[str, Any] = json.loads((FOLDER / "made.json").read_text())
BOARD, AGENCY = MADE["board"], MADE["agency"]
LIST_WITHIN_S = 2.0
_boards, _phones = itertools.count(), itertools.count()
_rng = random.Random(16)


class Person(FastHttpUser):
    """Somebody with a session, and the marks that were heard last."""

    abstract = True
    network_timeout = connection_timeout = 30.0

    def prepare(self, session: str) -> None:
        self.cookie, self.marks = session, {"etag": "", "alerts": "", "plan": "", "notes": ""}

    def ask(self, name: str, address: str, **headers: str) -> Any:
        told = {"Cookie": f"sessionid={self.cookie}", "Accept-Encoding": "gzip", **headers}
        with self.client.get(
            address, name=name, headers=told, allow_redirects=False, catch_response=True
        ) as answer:
            # A session that is refused leads to the sign-in page, which would count as a fast answer.
            if answer.status_code in (200, 204, 304):
                answer.success()
            else:
                answer.failure(f"{answer.status_code}")
        return answer

    def look(self, name: str, address: str) -> dict[str, str]:
        """Ask what is new; the marks that have changed, none on 304."""
        known = {"If-None-Match": self.marks["etag"]} if self.marks["etag"] else {}
        answer = self.ask(name, address, **known)
        if answer.status_code != 200:
            return {}
        told = json.loads(answer.text)
        changed = {key: value for key, value in told.items() if value != self.marks[key]}
        self.marks |= {"etag": answer.headers.get("ETag", ""), **told}
        return changed


def shown_mark(page: str | None) -> str:
    """The mark that a board's list says it is of."""
    found = re.search(r'data-mark="([^"]*)"', page or "")
    return found[1] if found else ""


class Board(Person):
    """A supervisor's wide screen."""

    fixed_count = int(MADE["boards"])
    wait_time = constant_pacing(2.0)

    def on_start(self) -> None:
        self.prepare(MADE["board_sessions"][next(_boards) % len(MADE["board_sessions"])])
        self.asking = False
        self.shown = shown_mark(self.ask("board: page", BOARD).text)
        self.boxes()
        self.look("board: asks", f"{BOARD}version.json")
        self.ask("board: alerts", MADE["alerts"])
        time.sleep(_rng.random() * 2)

    def boxes(self) -> None:
        while self.ask("board: boxes", f"{BOARD}plan.geojson").status_code == 204:
            time.sleep(0.4 + _rng.random() * 0.6)

    def is_behind(self) -> bool:
        return bool(self.shown) and self.marks["plan"] != self.shown

    def list(self) -> None:
        self.asking = False
        answer = self.ask("board: list", f"{BOARD}list/", **{"HX-Request": "true"})
        # None while another board's is being worked out: asked for again at the next turn.
        if answer.status_code == 200:
            # It brings its boxes.
            self.shown = shown_mark(answer.text)

    @task
    def poll(self) -> None:
        changed = self.look("board: asks", f"{BOARD}version.json")
        if "alerts" in changed:
            self.ask("board: alerts", MADE["alerts"])
        if self.is_behind() and not self.asking:
            # Not all boards in the same moment: the page waits, too, and goes on asking what is new.
            self.asking = True
            threading.Timer(_rng.random() * LIST_WITHIN_S, self.list).start()
        self.shown = self.shown or self.marks["plan"]
        if "notes" in changed:
            self.ask("board: notes", f"{BOARD}notes/", **{"HX-Request": "true"})


class Phone(Person):
    """An officer's phone: asks for alerts every fifteen seconds, and now and then the officer presses."""

    fixed_count = int(MADE["phones"])
    wait_time = constant_pacing(15.0)

    def on_start(self) -> None:
        self.own = MADE["phone_people"][next(_phones) % len(MADE["phone_people"])]
        self.prepare(self.own["session"])
        self.arrived, self.token = False, ""
        self.ask("phone: page", f"/{AGENCY}/my/")
        self.look("phone: asks", MADE["alerts_version"])
        time.sleep(_rng.random() * 15)

    @task
    def poll(self) -> None:
        if "alerts" in self.look("phone: asks", MADE["alerts_version"]):
            self.ask("phone: alerts", MADE["alerts"])
        if _rng.random() < MADE["press_chance"]:
            self.press()

    def press(self) -> None:
        """Arrived, or left if it had; the page is loaded anew afterwards, as the script does."""
        if not self.token:
            answer = self.ask("phone: token", MADE["sync"])
            self.token = json.loads(answer.text)["token"]
            # One header or several: now and then the session's cookie is set anew, too.
            found = re.search(r"csrftoken=([^;', ]+)", str(answer.headers["Set-Cookie"]))
            self.cookie += f"; csrftoken={found[1] if found else ''}"
        now = int(time.time() * 1000)
        action = {
            "uuid": str(uuid.uuid4()), "kind": "left" if self.arrived else "arrived", "mission": self.own["mission"],
            "device_at": now, "skew_ms": 0,
        }  # fmt: skip
        body = {
            "person": self.own["person"],
            "unit": self.own["unit"],
            "device_now": now,
            "actions": [action],
        }
        told = {
            "Cookie": f"sessionid={self.cookie}",
            "X-CSRFToken": self.token,
            "Content-Type": "application/json",
        }
        with self.client.post(
            MADE["sync"], data=json.dumps(body), name="phone: presses", headers=told, allow_redirects=False, catch_response=True
        ) as answer:  # fmt: skip
            if answer.status_code == 200:
                answer.success()
            else:
                answer.failure(f"{answer.status_code} {answer.text[:100]}")
        self.arrived = not self.arrived
        self.ask("phone: page", f"/{AGENCY}/my/")


@events.init.add_listener
def known(environment: Any, **_: Any) -> None:
    @events.spawning_complete.add_listener
    def all_there(user_count: int, **_: Any) -> None:
        threading.Timer(float(MADE["settle"]), begin, (environment, user_count)).start()


def begin(environment: Any, user_count: int) -> None:
    """Count from here: what a thousand people who opened their pages within two minutes left waiting is done with."""
    environment.stats.reset_all()
    (FOLDER / "there").write_text(str(user_count))


@events.quitting.add_listener
def told(environment: Any, **_: Any) -> None:
    """What was measured since everybody was there."""
    total = environment.stats.total

    def row(entry: Any) -> dict[str, Any]:
        return {
            "answers": entry.num_requests,
            "errors": entry.num_failures,
            "a_second": round(entry.total_rps, 1),
            "median_ms": entry.get_response_time_percentile(0.5),
            "p95_ms": entry.get_response_time_percentile(0.95),
            "p99_ms": entry.get_response_time_percentile(0.99),
            "largest_ms": round(entry.max_response_time or 0),
        }

    found = {"all": row(total)}
    found |= {name: row(entry) for (name, _), entry in sorted(environment.stats.entries.items())}
    errors = [
        f"{error.name}: {error.error} × {error.occurrences}" for error in environment.stats.errors.values()
    ]
    # What ended in this file's own code has no answer to count.
    errors += [f"{one['msg']} × {one['count']}" for one in environment.runner.exceptions.values()]
    (FOLDER / "told.json").write_text(json.dumps({"asked": found, "errors": errors[:10]}))
