"""How far a web request reaches: nobody's rows, then those of the person's agencies, as soon as the person is known."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from agencies.models import User
from missions_project.lib import walls


class WallMiddleware:
    """Keep a request behind the wall of its person's agencies. Right behind the middleware that knows the person.

    Costs one short message to the database where the reach changes, and no query: the person is asked for when somebody else does.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with walls.within(walls.NOTHING):
            request.has_walls = True  # type: ignore[attr-defined]
            request.user = SimpleLazyObject(lambda: _recognised(request))  # type: ignore[assignment]
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
                response.streaming_content = walls.handed_on(response)  # type: ignore[assignment]
            return response


def reach_of(person: AbstractBaseUser | AnonymousUser) -> walls.Scope:
    """Everything for the operator, the own agencies for who has an account, nothing for everybody else."""
    if not isinstance(person, User) or not person.is_active:
        return walls.NOTHING
    return walls.EVERYTHING if person.is_superuser else walls.of_person(person.pk)


def _recognised(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    if not hasattr(request, "_cached_user"):
        request._cached_user = get_user(request)  # type: ignore[attr-defined]  # where Django's own middleware keeps it
    person: AbstractBaseUser | AnonymousUser = request._cached_user  # type: ignore[attr-defined]
    if walls.scope() == walls.NOTHING:
        # Only upwards from nothing: a page that has narrowed itself to one agency and asks late who reads stays there.
        walls.now_within(reach_of(person))
    return person


def _signed_in(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    if getattr(request, "has_walls", False):
        walls.now_within(reach_of(user))


def _signed_out(sender: Any, request: HttpRequest | None, **kwargs: Any) -> None:
    if getattr(request, "has_walls", False):
        walls.now_within(walls.NOTHING)


user_logged_in.connect(_signed_in, dispatch_uid="agencies.walls_open")
user_logged_out.connect(_signed_out, dispatch_uid="agencies.walls_close")
