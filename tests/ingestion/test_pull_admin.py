"""Pull feeds in the admin: parameters as fields, secrets that never come back, a sample to map, and Pull now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from agencies.models import Agency, AuditEvent
from ingestion.models import Feed, ImportRun, Incident
from ingestion.services import feed_secrets, feed_secrets_seal
from missions_project.lib.errors import MissionsError
from tests.ingestion.portals import DATASET, Portal, crime
from tests.ingestion.pulled import pull, pulled_feed

pytestmark = pytest.mark.django_db
TOKEN = "s3cret-token-of-the-portal"


@pytest.fixture
def feed(agency: Agency, portal: Portal) -> Feed:
    return pulled_feed(agency, "socrata", {"domain": portal.url, "dataset": DATASET})


def address(feed: Feed, name: str) -> str:
    return reverse(f"admin:ingestion_feed_{name}", args=[feed.pk])


def sent(feed: Feed, **changes: str) -> dict[str, str]:
    """What the browser posts for the feed's page."""
    return {
        "name": feed.name,
        "slug": feed.slug,
        "record_kind": feed.record_kind,
        "kind": feed.kind,
        "is_active": "on",
        "param_domain": feed.params["domain"],
        "param_dataset": feed.params["dataset"],
        "param_page_rows": "10",
        "param_overlap_minutes": "60",
        **changes,
    }


def test_a_new_feed_is_made_told_where_its_rows_are_sampled_mapped_and_pulled(
    owner: Any, agency: Agency, portal: Portal, sign_in: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client = sign_in(owner)
    made = client.post(
        reverse("admin:ingestion_feed_add"),
        {
            "agency": agency.pk,
            "name": "Portal",
            "slug": "portal",
            "record_kind": "incidents",
            "kind": "socrata",
            "is_active": "on",
        },
    )
    feed = Feed.objects.get()
    assert made.url == address(feed, "change")
    assert "fetch a sample" in client.get(made.url).content.decode()
    feed.params = {"domain": portal.url, "dataset": DATASET}
    assert client.post(made.url, sent(feed)).status_code == 302
    assert client.post(address(feed, "upload")).url == address(feed, "columns")
    page = client.get(address(feed, "columns"))
    text = page.content.decode()
    assert "victim_name" in text
    assert "Jane" not in text
    inputs = {
        n: "" if (v := page.context["form"][n].value()) is None else v for n in page.context["form"].fields
    }
    assert client.post(address(feed, "columns"), inputs).url == address(feed, "codes")
    assert client.post(address(feed, "codes"), {"go": "on"}).url == address(feed, "review")
    assert "Save the mapping and pull" in client.get(address(feed, "review")).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address(feed, "review"))
    run = ImportRun.objects.get()
    assert run.status == "succeeded", run.error
    assert Incident.objects.count() == 25


def test_a_secret_is_kept_sealed_and_shown_nowhere(
    owner: Any, feed: Feed, portal: Portal, sign_in: Any, settings: Any, caplog: Any
) -> None:
    client = sign_in(owner)
    page = address(feed, "change")
    assert client.post(page, sent(feed, param_app_token=TOKEN, every_minutes="60")).status_code == 302
    feed.refresh_from_db()
    assert feed_secrets(feed) == {"app_token": TOKEN}
    assert TOKEN not in feed.sealed_secrets
    text = client.get(page).content.decode()
    assert 'type="password"' in text
    assert "A value is stored" in text
    assert client.post(page, sent(feed)).status_code == 302, "left empty, it stays"
    feed.refresh_from_db()
    assert feed_secrets(feed) == {"app_token": TOKEN}
    pull(feed)
    assert portal.asked[-1].headers["x-app-token"] == TOKEN
    run = ImportRun.objects.get()
    pages = [
        text,
        client.get(page).content.decode(),
        client.get(reverse("admin:ingestion_feed_changelist")).content.decode(),
        client.get(reverse("admin:ingestion_importrun_change", args=[run.pk])).content.decode(),
        repr(list(ImportRun.objects.values())),
        repr(list(Feed.objects.values())),
        repr(list(AuditEvent.objects.values())),
        caplog.text,
    ]
    assert not any(TOKEN in shown for shown in pages)


def test_a_key_does_not_go_along_to_another_server(owner: Any, feed: Feed, sign_in: Any) -> None:
    feed_secrets_seal(feed=feed, values={"app_token": TOKEN}).save()
    sign_in(owner).post(address(feed, "change"), sent(feed, param_domain="https://elsewhere.example.org"))
    feed.refresh_from_db()
    assert feed.params["domain"] == "https://elsewhere.example.org"
    assert feed_secrets(feed) == {}


def test_a_key_can_be_forgotten_and_another_kind_takes_none_along(
    owner: Any, feed: Feed, sign_in: Any
) -> None:
    client = sign_in(owner)
    feed_secrets_seal(feed=feed, values={"app_token": TOKEN}).save()
    client.post(address(feed, "change"), sent(feed, param_forget_secrets="on"))
    feed.refresh_from_db()
    assert feed_secrets(feed) == {}
    feed_secrets_seal(feed=feed, values={"app_token": TOKEN}).save()
    client.post(address(feed, "change"), sent(feed, kind="csv_url", param_domain="", param_dataset=""))
    feed.refresh_from_db()
    assert (feed.kind, feed.params, feed.sealed_secrets) == ("csv_url", {}, "")


def test_after_the_key_of_the_seal_is_lost_the_page_asks_anew(
    owner: Any, feed: Feed, sign_in: Any, settings: Any
) -> None:
    feed_secrets_seal(feed=feed, values={"app_token": TOKEN}).save()
    settings.FEED_SECRETS_KEYS = ("a new key", "only-for-tests")
    assert feed_secrets(feed) == {"app_token": TOKEN}, "an older key still opens"
    settings.FEED_SECRETS_KEYS = ("quite another key",)
    with pytest.raises(MissionsError, match="enter the feed's keys"):
        pull(feed)
    assert "Nothing is stored" in sign_in(owner).get(address(feed, "change")).content.decode()


def test_other_parameters_begin_anew_and_other_page_sizes_do_not(
    owner: Any, feed: Feed, sign_in: Any
) -> None:
    client = sign_in(owner)
    Feed.objects.update(cursor={"since": "2025-01-01T00:00:00.000Z"})
    client.post(address(feed, "change"), sent(feed, param_page_rows="500"))
    feed.refresh_from_db()
    assert feed.cursor == {"since": "2025-01-01T00:00:00.000Z"}
    client.post(address(feed, "change"), sent(feed, param_page_rows="500", param_where="beat = '1'"))
    feed.refresh_from_db()
    assert feed.cursor == {}


def test_parameters_that_do_not_fit_are_shown_on_the_form(owner: Any, feed: Feed, sign_in: Any) -> None:
    page = sign_in(owner).post(address(feed, "change"), sent(feed, param_dataset="crimes"))
    assert "no data set identifier" in page.content.decode()
    page = sign_in(owner).post(address(feed, "change"), sent(feed, param_domain=""))
    assert "This field is required" in page.content.decode()


def test_pull_now_queues_one_run_and_a_second_click_says_that_it_runs(
    owner: Any, feed: Feed, sign_in: Any, django_capture_on_commit_callbacks: Any
) -> None:
    client = sign_in(owner)
    assert "Pull now" in client.get(address(feed, "change")).content.decode()
    first = client.post(address(feed, "pull"))
    run = ImportRun.objects.get()
    assert first.url == reverse("admin:ingestion_importrun_change", args=[run.pk])
    assert (
        client.post(address(feed, "pull"), follow=True).content.decode().count("waiting or running already")
        == 1
    )
    assert ImportRun.objects.count() == 1
    ImportRun.objects.update(status="failed")
    listed = reverse("admin:ingestion_feed_changelist")
    with django_capture_on_commit_callbacks(execute=True):
        client.post(listed, {"action": "pull_now", "_selected_action": [feed.pk]})
    assert Incident.objects.count() == 25
    assert client.get(address(feed, "pull")).status_code == 404


def test_a_source_that_cannot_be_reached_says_so_on_the_sample_page(
    owner: Any, feed: Feed, sign_in: Any, settings: Any
) -> None:
    settings.PULL_PRIVATE_HOSTS = ()
    page = sign_in(owner).post(address(feed, "upload"))
    assert "PULL_PRIVATE_HOSTS" in page.content.decode()
    assert not Path(settings.SPOOL_DIR).exists() or not list(Path(settings.SPOOL_DIR).iterdir())


def test_strangers_colleagues_and_nobody_cannot_pull(
    feed: Feed, colleague: Any, stranger: Any, nobody: None, sign_in: Any
) -> None:
    for person in (colleague, stranger, nobody):
        answer = sign_in(person).post(address(feed, "pull"))
        assert answer.status_code in (302, 403, 404)
    assert not ImportRun.objects.exists()


def test_the_list_says_when_each_feed_is_pulled_next(owner: Any, feed: Feed, sign_in: Any) -> None:
    client = sign_in(owner)
    listed = reverse("admin:ingestion_feed_changelist")
    assert "by hand" in client.get(listed).content.decode()
    Feed.objects.update(every_minutes=60, next_due_at="2025-07-01T12:00:00Z")
    assert "1 Jul 2025 07:00" in client.get(listed).content.decode(), "in the agency's own time"


def test_a_new_feed_is_a_csv_file_unless_another_kind_is_chosen(owner: Any, sign_in: Any) -> None:
    page = sign_in(owner).get(reverse("admin:ingestion_feed_add")).content.decode()
    assert '<option value="csv_file" selected>' in page


def test_a_mended_mapping_reads_everything_again(
    owner: Any, feed: Feed, portal: Portal, sign_in: Any
) -> None:
    client = sign_in(owner)
    pull(feed)
    feed.refresh_from_db()
    assert feed.cursor
    portal.rows.append(crime(40))
    client.post(address(feed, "upload"))
    page = client.get(address(feed, "columns"))
    inputs = {
        n: "" if (v := page.context["form"][n].value()) is None else v for n in page.context["form"].fields
    }
    client.post(address(feed, "columns"), {**inputs, "time_zone": "America/New_York"})
    client.post(address(feed, "codes"), {"go": "on"})
    client.post(address(feed, "review"))
    feed.refresh_from_db()
    assert feed.cursor == {}
