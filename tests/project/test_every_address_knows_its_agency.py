"""Every address under an agency's slug: strangers find nothing, nobody is sent to sign in, in whatever room it is added."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from agencies.models import User
from ingestion.models import Feed, ImportRun
from tactics.services import inquiry_ask, rolling_study_ensure
from tests.factories import make_agency, make_member, make_user
from tests.ingestion.files import plain_feed
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


def agency_addresses() -> Iterator[tuple[str, list[str]]]:
    """Each named address below <agency_slug>/, with the names of its further arguments."""
    for resolver in get_resolver().url_patterns:
        if not isinstance(resolver, URLResolver) or "agency_slug" not in str(resolver.pattern):
            continue
        for entry in resolver.url_patterns:
            assert isinstance(entry, URLPattern), "an include within an app: walk it here too"
            yield f"{resolver.app_name}:{entry.name}", list(entry.pattern.converters)


ADDRESSES = sorted(agency_addresses())


def address(scene: Scene, name: str, arguments: list[str], slug: str = "riverton") -> str:
    plan = scene.agency.missionplan_set.first() or scene.plan(publish=True)
    mission = plan.missions.all()[0]
    study = scene.agency.impactstudy_set.first() or rolling_study_ensure(agency=scene.agency)
    inquiry = scene.agency.inquiry_set.first() or inquiry_ask(agency=scene.agency, kind="curves", choices={})
    known = {
        "inquiry_id": inquiry.pk, "proposal_id": 1, "which": "fair", "study_id": study.pk, "on": ON.isoformat(), "shift_slug": scene.shift.slug, "plan_id": plan.pk, "mission_id": mission.pk,
        "run_id": scene.run.pk, "slug": "burglary", "number": 1, "beside": 1, "row_id": 1, "feed_slug": "rms",
        "saved_id": 1, "chart": "weeks", "layer": "beats", "table": "cells", "document": "use-policy", "ending": "html",
    }  # fmt: skip
    return reverse(name, kwargs={"agency_slug": slug} | {argument: known[argument] for argument in arguments})


def test_a_stranger_finds_nothing_and_nobody_signs_in(sign_in: SignIn) -> None:
    scene = make_scene()
    stranger = make_member(make_agency("lakeside"), "admin")
    for person in (stranger, make_user("belongs-nowhere")):
        client = sign_in(person)
        for name, arguments in ADDRESSES:
            here = address(scene, name, arguments)
            answers = {client.get(here).status_code, client.post(here).status_code}
            # 405: the address takes another method, which says nothing about the agency.
            assert 404 in answers, (name, answers)
            assert answers <= {404, 405}, name
    client = sign_in(stranger)
    for name, arguments in ADDRESSES:
        # The other agency's rows under one's own slug.
        if set(arguments) & {"plan_id", "mission_id", "run_id", "study_id", "inquiry_id"}:
            there = address(scene, name, arguments, "lakeside")
            assert {client.get(there).status_code, client.post(there).status_code} <= {404, 405}, name
    client = sign_in(None)
    for name, arguments in ADDRESSES:
        here = address(scene, name, arguments)
        for answer in (client.get(here), client.post(here)):
            assert answer.status_code in (302, 405), name
            assert answer.status_code == 405 or answer.url.startswith("/accounts/login/"), name


def test_a_post_without_its_token_is_refused() -> None:
    scene = make_scene()
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_member(scene.agency, "admin"), backend=settings.AUTHENTICATION_BACKENDS[0])
    for name, arguments in ADDRESSES:
        assert client.post(address(scene, name, arguments)).status_code in (403, 405), name


def own_admin_addresses() -> Iterator[tuple[str, list[str]]]:
    """The admin's addresses that are ours (wizard, uploads, progress, buttons), with the names of their arguments."""
    admin.autodiscover()
    plain = {"changelist", "add", "history", "delete", "change", "password_change"}
    rooms = {"agencies", "ingestion", "forecasting", "patrols", "tactics"}
    for model, model_admin in admin.site._registry.items():
        for entry in model_admin.get_urls() if model._meta.app_label in rooms else []:
            if entry.name and not any(entry.name.endswith(f"_{page}") for page in plain):
                yield f"admin:{entry.name}", list(entry.pattern.converters)


def test_the_admins_own_pages_know_another_agencys_rows_no_better(sign_in: SignIn) -> None:
    scene = make_scene()
    plan = scene.plan(publish=True)
    feed = plain_feed(scene.agency)
    run = ImportRun.objects.create(agency=scene.agency, feed=feed)
    objects = {"missionplan": plan.pk, "importrun": run.pk, "forecastrun": scene.run.pk,
               "trainingrun": scene.agency.trainingrun_set.get().pk,
               "modelversion": scene.agency.modelversion_set.all()[0].pk}  # fmt: skip
    stranger = make_member(make_agency("lakeside"), "admin")
    supervisor = make_member(scene.agency, "supervisor")
    walked = 0
    for name, arguments in sorted(own_admin_addresses()):
        model = name.split("_")[1]
        known = {"pk": scene.agency.pk, "agency_id": scene.agency.pk, "shift_id": scene.shift.pk, "on": ON.isoformat(),
                 "feed_id": feed.pk, "plan_id": plan.pk, "layer": "beats", "object_id": objects.get(model, 0),
                 "id": objects.get(model, 0)}  # fmt: skip
        here = reverse(name, kwargs={argument: known[argument] for argument in arguments})
        data = {"agency": scene.agency.pk}
        walked += 1
        client = sign_in(supervisor)
        assert {client.get(here).status_code, client.post(here, data).status_code} <= {302, 403}, name
        client = sign_in(stranger)
        answers = [client.get(here), client.post(here, data)]
        if arguments and arguments != ["layer"]:
            # 302: the buttons without a row of their own go back to their list.
            assert {answer.status_code for answer in answers} <= {404, 405}, name
        for answer in answers:
            assert b"Riverton" not in answer.content, name
    assert walked >= 15
    assert not ImportRun.objects.exclude(pk=run.pk).exists()
    assert not Feed.objects.exclude(draft={}).exists()
