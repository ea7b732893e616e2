"""Cities on Eastern time."""

from ingestion.engine.mapping import FeedMapping
from ingestion.opendata.base import City, OpenDataset
from ingestion.opendata.checked import PARTLY, SEEN
from ingestion.opendata.codes import NYPD, PHILADELPHIA, STARS, WASHINGTON

_NYPD_COLUMNS = {
    "external_id": "cmplnt_num",
    "code": "ky_cd",
    "description": "ofns_desc",
    "occurred_from": "cmplnt_fr_dt+cmplnt_fr_tm",
    "reported_at": "rpt_dt",
    "lon": "longitude",
    "lat": "latitude",
}
NEW_YORK = City(
    "new-york",
    "New York",
    "America/New_York",
    (
        OpenDataset(
            "crime",
            "NYPD complaints, current year to date",
            "socrata",
            {"domain": "data.cityofnewyork.us", "dataset": "5uac-w243"},
            FeedMapping(columns=_NYPD_COLUMNS),
            codes=NYPD,
            code_filter="ky_cd in ({codes})",
            note="Felonies and larcenies only; others are not asked for. Published every three months.",
            checked=SEEN,
        ),
        OpenDataset(
            "crime",
            "NYPD complaints, earlier years",
            "socrata",
            {"domain": "data.cityofnewyork.us", "dataset": "qgea-i56i"},
            FeedMapping(columns=_NYPD_COLUMNS),
            codes=NYPD,
            code_filter="ky_cd in ({codes})",
            note="Two million rows a decade: give --since.",
            checked=SEEN,
        ),
        OpenDataset(
            "calls",
            "NYPD calls for service, year to date",
            "socrata",
            {
                "domain": "data.cityofnewyork.us",
                "dataset": "n2zq-pubd",
                "where": "radio_code not like '75%'",
            },
            FeedMapping(
                record_kind="calls",
                columns={
                    "external_id": "cad_evnt_id",
                    "code": "radio_code",
                    "description": "typ_desc",
                    "occurred_from": "incident_date+incident_time",
                    "lon": "longitude",
                    "lat": "latitude",
                },
            ),
            note="Visibility patrols and station inspections are officers' own: their codes begin with 75 and are not asked for.",
            checked=SEEN,
        ),
    ),
)

_CINCINNATI_CALLS = {
    "external_id": "event_number",
    "code": "incident_type_desc",
    "occurred_from": "create_time_incident",
    "lon": "longitude_x",
    "lat": "latitude_x",
}
CINCINNATI = City(
    "cincinnati",
    "Cincinnati",
    "America/New_York",
    (
        OpenDataset(
            "crime",
            "Reported crime (STARS categories), since June 2024",
            "socrata",
            {"domain": "data.cincinnati-oh.gov", "dataset": "7aqy-xrv9"},
            FeedMapping(
                columns={
                    "external_id": "incident_no",
                    "code": "stars_category",
                    "occurred_from": "datefrom",
                    "reported_at": "datereported",
                    "lon": "longitude_x",
                    "lat": "latitude_x",
                }
            ),
            codes=STARS,
            code_filter="upper(stars_category) in ({codes})",
            note="Places are moved a little by the city.",
            checked=PARTLY.format("columns too, names of categories not seen"),
        ),
        OpenDataset(
            "calls",
            "Police calls for service",
            "socrata",
            {
                "domain": "data.cincinnati-oh.gov",
                "dataset": "gexm-h6bt",
                "where": "incident_type_desc != 'SHOT SPOTTER ACTIVITY'",
            },
            FeedMapping(record_kind="calls", columns=_CINCINNATI_CALLS),
            note="Nothing says which calls officers began themselves: use it for maps rather than for training.",
            checked=SEEN,
        ),
        OpenDataset(
            "gunfire",
            "ShotSpotter activity among the calls",
            "socrata",
            {
                "domain": "data.cincinnati-oh.gov",
                "dataset": "gexm-h6bt",
                "where": "incident_type_desc = 'SHOT SPOTTER ACTIVITY'",
            },
            FeedMapping(record_kind="gunfire", columns=_CINCINNATI_CALLS),
            checked=SEEN,
        ),
    ),
)

WASHINGTON_DC = City(
    "washington",
    "Washington DC",
    "America/New_York",
    (
        OpenDataset(
            "crime",
            "MPD crime incidents",
            "arcgis",
            {
                "url": "https://maps2.dcgis.dc.gov/dcgis/rest/services/FEEDS/MPD/MapServer",
                "since_column": "REPORT_DAT",
            },
            FeedMapping(
                columns={
                    "external_id": "CCN",
                    "code": "OFFENSE",
                    "occurred_from": "START_DATE",
                    "reported_at": "REPORT_DAT",
                    "lon": "LONGITUDE",
                    "lat": "LATITUDE",
                },
                date_format="epoch_ms",
            ),
            codes=WASHINGTON,
            code_filter="OFFENSE in ({codes})",
            layer_name="Crime Incidents - {year}",
            note="A layer a year, found by name: a feed is made for each year from --since on.",
            checked=SEEN,
        ),
    ),
)

PHILADELPHIA_PA = City(
    "philadelphia",
    "Philadelphia",
    "America/New_York",
    (
        OpenDataset(
            "crime",
            "Crime incidents, part 1",
            "csv_url",
            {
                "url": "https://phl.carto.com/api/v2/sql?format=csv&q=SELECT%20dc_key,dispatch_date_time,ucr_general,point_x,"
                "point_y%20FROM%20incidents_part1_part2%20WHERE%20ucr_general%20IN%20(100,300,400,500,600,700)"
                "%20AND%20dispatch_date_time%20%3E=%20'{since}'"
            },
            FeedMapping(
                columns={
                    "external_id": "dc_key",
                    "code": "ucr_general",
                    "occurred_from": "dispatch_date_time",
                    "lon": "point_x",
                    "lat": "point_y",
                },
                time_zone="UTC",
            ),
            codes=PHILADELPHIA,
            note="One file by SQL: each pull reads it whole, or nothing where it is unchanged. Times are of dispatch, in UTC.",
            checked=SEEN,
        ),
    ),
)
