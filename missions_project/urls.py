"""Every address. An agency's pages live under its slug."""

from django.contrib import admin
from django.urls import include, path

from missions_project.views import home

urlpatterns = [
    path("", home, name="home"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("<slug:agency_slug>/", include("patrols.urls")),
    path("<slug:agency_slug>/", include("forecasting.urls")),
    path("<slug:agency_slug>/", include("tactics.urls")),
    path("<slug:agency_slug>/", include("ingestion.urls")),
]
