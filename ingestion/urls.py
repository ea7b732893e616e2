"""Addresses of this room, under the agency's slug."""

from django.urls import path

from ingestion import exports, live_views, quality_views, views
from ingestion.audit import views as audit_views
from ingestion.charts import CHARTS

app_name = "ingestion"
FEED = "data/<slug:feed_slug>"
urlpatterns = [
    path("data/", views.data, name="data"),
    path("incidents.csv", exports.incidents_csv, name="incidents_csv"),
    # Before the feeds: a feed may be called audit-store.
    path("data/audit-store/", audit_views.tables, name="audit_tables"),
    path(f"{FEED}/", quality_views.quality, name="quality"),
    path(f"{FEED}/codes/", quality_views.code_choose, name="code_choose"),
    path(f"{FEED}/replay/", quality_views.replay, name="replay"),
    path(f"{FEED}/kept/", quality_views.kept, name="kept"),
    path(f"{FEED}/kept.csv", quality_views.kept_csv, name="kept_csv"),
    *(
        path(f"{FEED}/{chart}.svg", quality_views.quality_svg, {"chart": chart}, name=f"quality_{chart}")
        for chart in CHARTS
    ),
    path("version.json", live_views.version, name="version"),
    path("alerts.geojson", live_views.alerts, name="alerts"),
    path("alerts/", live_views.alerts_table, name="alerts_table"),
]
