"""Every address. An agency's pages live under its slug."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

from agencies.languages import language_choose
from agencies.sign_on import closed, signed_on
from missions_project.operations.views import operator
from missions_project.views import home

urlpatterns = [
    path("", home, name="home"),
    # Browsers ask for it on the admin's pages too, which name no icon of their own.
    path(
        "favicon.ico",
        RedirectView.as_view(url=f"/{settings.STATIC_URL.strip('/')}/missions_project/icon.svg"),
    ),
    # The scripts' texts in the reader's language; pages in English load none.
    path(
        "language/words.js",
        cache_control(private=True, max_age=3600)(JavaScriptCatalog.as_view()),
        name="words",
    ),
    path("language/", language_choose, name="language_choose"),
    path("operator/", operator, name="operator"),
    path("admin/", admin.site.urls),
    # Before allauth's own: an identity token is never read without its signature, and nobody signs up or ties accounts together.
    path("accounts/oidc/<slug:provider_id>/login/callback/", signed_on, name="openid_connect_callback"),
    path("accounts/3rdparty/", closed),
    path("accounts/3rdparty/signup/", closed),
    path("accounts/", include("allauth.urls")),
    # Before the agencies' addresses: no agency can be called "api" (its slug would hide these).
    path("api/", include("missions_project.api")),
    path("<slug:agency_slug>/", include("agencies.urls")),
    path("<slug:agency_slug>/", include("patrols.urls")),
    path("<slug:agency_slug>/", include("forecasting.urls")),
    path("<slug:agency_slug>/", include("tactics.urls")),
    path("<slug:agency_slug>/", include("ingestion.urls")),
]
handler500 = "missions_project.views.server_error"
