"""What an officer's phone talks to: what it kept is sent here, its service worker and the guide come from here."""

import datetime as dt
import hashlib
import json
from functools import lru_cache

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from agencies.access import CARRIES_OUT, EVERYONE, Access, agency_page
from agencies.models import Unit
from missions_project.lib.errors import MissionsError
from tactics import phone
from tactics.services import actions_apply, practice_apply, practice_start

WORKER = "tactics/officer_sw.js"


def token(request: HttpRequest, access: Access) -> JsonResponse:
    """A fresh CSRF token, our clock, and who is signed in: a page kept since yesterday knows none of them."""
    told = {"token": get_token(request), "person": access.user.pk, "server_now": timezone.now().isoformat()}
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


@require_http_methods(["GET", "POST"])
@agency_page(CARRIES_OUT)
def sync(request: HttpRequest, access: Access) -> HttpResponse:
    """Take what a phone kept while it was out of reach, and say what became of each press."""
    return _sync(request, access, is_practice=False)


@require_http_methods(["GET", "POST"])
@agency_page(CARRIES_OUT)
def practice_sync(request: HttpRequest, access: Access) -> HttpResponse:
    """The same for the made-up shift, which leads nowhere."""
    return _sync(request, access, is_practice=True)


def _sync(request: HttpRequest, access: Access, *, is_practice: bool) -> HttpResponse:
    if request.method == "GET":
        return token(request, access)
    now = timezone.now()
    try:
        batch = phone.batch_from(request.body, now=now)
    except MissionsError as exc:
        return JsonResponse({"error": str(exc)}, status=400)
    if batch.person != access.user.pk:
        # Somebody else signed in on this phone: what the first one pressed is not theirs to send.
        return JsonResponse({"error": _("Somebody else is signed in now.")}, status=409)
    who = phone.acting(request, access, batch.unit)
    if who.unit is None:
        error = _("You belong to no unit. Ask your administrator; nothing is lost.")
        return JsonResponse({"error": error}, status=409)
    results = _results(access, who.unit, batch, now, is_practice=is_practice) + batch.unreadable
    told = {"results": results, "server_now": now.isoformat()}
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


def _results(
    access: Access, unit: Unit, batch: phone.Batch, now: dt.datetime, *, is_practice: bool
) -> list[dict[str, str]]:
    agency, officer = access.agency, access.user
    if is_practice:
        shift = practice_start(agency=agency, officer=officer, unit=unit, at=now)
        outcomes = practice_apply(practice=shift, presses=batch.presses, now=now)
    else:
        outcomes = actions_apply(agency=agency, unit=unit, officer=officer, presses=batch.presses, now=now)
    return [{"uuid": row.uuid, "status": row.status, "message": row.message} for row in outcomes]


@lru_cache(maxsize=1)
def _kept_script() -> str:
    return _script()


def _script() -> str:
    found = finders.find(WORKER)
    if found:
        with open(found, encoding="utf-8") as file:
            return file.read()
    with staticfiles_storage.open(WORKER) as file:
        return str(file.read().decode())


@require_GET
@agency_page(CARRIES_OUT)
def worker(request: HttpRequest, access: Access) -> HttpResponse:
    """The service worker of the officer's pages, at their own address: its reach is /<agency>/my/ and nothing else."""
    text = _script() if settings.DEBUG else _kept_script()
    told = {
        "home": reverse("tactics:officer", args=[access.agency.slug]),
        "slug": access.agency.slug,
        # Other bytes make the browser take the new worker; the old one's files go with it.
        "version": hashlib.sha256(text.encode()).hexdigest()[:12],
    }
    body = f"const CONFIG = {json.dumps(told)};\n{text}"
    return HttpResponse(
        body,
        content_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": "no-cache", "Service-Worker-Allowed": told["home"]},
    )


@require_GET
@agency_page(EVERYONE)
def guide(request: HttpRequest, access: Access) -> HttpResponse:
    """Two pages to read, or to print, before the first shift. No query of its own."""
    return render(request, "tactics/guide.html", {"access": access, "tab": "officer"})
