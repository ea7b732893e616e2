"""Addresses of the officer's page and of tactics, under the agency's slug."""

from django.urls import path

from tactics import fragments, hunch_views, phone_views, practice_views, views

app_name = "tactics"
urlpatterns = [
    path("my/", views.officer, name="officer"),
    path("my/<int:mission_id>/arrive/", views.arrive, name="arrive"),
    path("my/<int:mission_id>/leave/", views.leave, name="leave"),
    path("my/<int:mission_id>/tactic/", views.tactic, name="tactic"),
    path("my/<int:mission_id>/note/", views.note, name="note"),
    path("my/<int:mission_id>/place.geojson", views.place, name="place"),
    path("my/sync/", phone_views.sync, name="sync"),
    # In the folder that it serves: a worker reaches no further than its own address.
    path("my/sw.js", phone_views.worker, name="worker"),
    path("my/hunch/", hunch_views.hunch, name="hunch"),
    path("my/hunch/area.geojson", hunch_views.hunch_area, name="hunch_area"),
    path("my/training/", practice_views.practice, name="practice"),
    path("my/training/sync/", phone_views.practice_sync, name="practice_sync"),
    path("my/training/again/", practice_views.practice_again, name="practice_again"),
    path("my/training/<int:number>/place.geojson", practice_views.practice_place, name="practice_place"),
    path(
        "my/training/<int:number>/arrive/",
        practice_views.practice_press,
        {"kind": "arrive"},
        name="practice_arrive",
    ),
    path(
        "my/training/<int:number>/leave/",
        practice_views.practice_press,
        {"kind": "leave"},
        name="practice_leave",
    ),
    path(
        "my/training/<int:number>/tactic/",
        practice_views.practice_press,
        {"kind": "tactic"},
        name="practice_tactic",
    ),
    path(
        "my/training/<int:number>/note/",
        practice_views.practice_press,
        {"kind": "note"},
        name="practice_note",
    ),
    path("officer/guide/", phone_views.guide, name="guide"),
    path("hunches/", hunch_views.hunches, name="hunches"),
    path("hunches/<int:row_id>/", hunch_views.hunch_status, name="hunch_status"),
    path("tactics/choices/", fragments.tactic_choices, name="tactic_choices"),
    path("tactics/sheets/", fragments.sheet_tactics, name="sheet_tactics"),
    path("missions/<int:mission_id>/tactics/", views.mission_tactics, name="mission_tactics"),
]
