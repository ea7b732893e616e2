"""Lines of the log name the request, the task, the agency and the run; as JSON where a collector wants it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery import current_app
from django.test import Client
from django.utils import timezone

from forecasting.models import ForecastRun
from missions_project.lib.log_context import ContextFilter, about, also_working_on, working_on
from missions_project.lib.runs import run_execution
from missions_project.operations import task_log
from missions_project.operations.json_lines import JsonLines
from tests.factories import make_agency


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the product logs from INFO on, as JSON lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(ContextFilter())
    logger = logging.getLogger("missions_project")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def read(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.django_db
def test_a_request_has_an_id_in_its_answer_and_its_line(client: Client, lines: io.StringIO) -> None:
    make_agency()
    answer = client.get("/riverton/data/?token=secret", headers={"x-request-id": "from-the-proxy-1"})
    assert answer.headers["X-Request-ID"] == "from-the-proxy-1"
    (line,) = [line for line in read(lines) if line["logger"] == "missions_project.access"]
    assert line["request"] == "from-the-proxy-1"
    assert line["agency"] == "riverton"
    assert line["status"] == 302
    assert line["route"] == "<slug:agency_slug>/data/"
    assert "secret" not in lines.getvalue()
    assert about() == {}


def test_an_id_that_could_write_lines_of_its_own_is_not_taken(client: Client, lines: io.StringIO) -> None:
    for given in ("short", "x" * 65, 'a"b,{"forged":1}'):
        assert client.get("/nowhere.txt", headers={"x-request-id": given}).headers["X-Request-ID"] != given
    assert "forged" not in lines.getvalue()


@pytest.mark.django_db
def test_a_run_is_named_in_every_line_of_its_work(lines: io.StringIO) -> None:
    agency = make_agency()
    shift = agency.shift_set.order_by("pk")[0]
    now = timezone.now()
    run = ForecastRun.objects.create(
        agency=agency,
        shift=shift,
        on=now.date(),
        period_from=now,
        period_to=now + timedelta(hours=8),
        as_of=now,
    )
    with run_execution(run):
        logging.getLogger("missions_project.somewhere").warning("in the middle")
    named = [(line["message"], line["run"], line["agency"]) for line in read(lines)]
    about_it = (f"forecastrun:{run.pk}", str(agency.pk))
    assert named == [("in the middle", *about_it), ("Run succeeded", *about_it)]


def test_a_task_names_itself_and_the_request_that_asked_for_it(lines: io.StringIO) -> None:
    task = current_app.tasks["missions_project.pipeline.dispatch"]
    headers: dict[str, object] = {}
    with working_on(request="request-1"):
        task_log._published(headers=headers)
    task.push_request(id="task-1", headers=headers)
    try:
        task_log._started(task_id="task-1", task=task)
        logging.getLogger("missions_project.somewhere").info("in the middle")
        task_log._ended(task_id="task-1", task=task, state="SUCCESS")
    finally:
        task.pop_request()
    found = read(lines)
    assert [line["message"] for line in found] == [
        "missions_project.pipeline.dispatch begins", "in the middle", "missions_project.pipeline.dispatch ended: success",
    ]  # fmt: skip
    assert all((line["task"], line["request"]) == ("task-1", "request-1") for line in found)
    assert about() == {}


def test_what_is_known_in_the_middle_ends_with_the_block() -> None:
    with working_on(request="1", agency=""):
        also_working_on(agency="riverton", run=None)
        assert about() == {"request": "1", "agency": "riverton"}
    assert about() == {}


def test_a_stack_trace_is_one_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        logging.getLogger("missions_project.somewhere").exception("It broke")
    (line,) = read(lines)
    assert "ValueError" in str(line["exc_info"])
    assert line["level"] == "ERROR"
