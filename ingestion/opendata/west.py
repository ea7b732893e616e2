"""Cities on Central and Pacific time."""

from ingestion.engine.mapping import FeedMapping
from ingestion.opendata.base import City, OpenDataset
from ingestion.opendata.checked import PARTLY, SEEN
from ingestion.opendata.codes import LAPD_NOT_FORECAST, SFPD

CHICAGO = City(
    "chicago",
    "Chicago",
    "America/Chicago",
    (
        OpenDataset(
            "crime",
            "Crimes, 2001 to present",
            "socrata",
            {"domain": "data.cityofchicago.org", "dataset": "ijzp-q8t2"},
            FeedMapping(
                columns={
                    "external_id": "id",
                    "code": "iucr",
                    "ucr_code": "fbi_code",
                    "description": "primary_type",
                    "occurred_from": "date",
                    "last_updated": "updated_on",
                    "lon": "longitude",
                    "lat": "latitude",
                }
            ),
            note="Published with a week's delay. The FBI code of each row decides what it is.",
            checked=SEEN,
        ),
        OpenDataset(
            "gunfire",
            "ShotSpotter alerts (until September 2024)",
            "socrata",
            {"domain": "data.cityofchicago.org", "dataset": "3h7q-7mdb"},
            FeedMapping(
                record_kind="gunfire",
                columns={
                    "external_id": "unique_id",
                    "code": "incident_type_description",
                    "occurred_from": "date",
                    "lon": "longitude",
                    "lat": "latitude",
                },
            ),
            note="The city ended the contract in September 2024: the data set is history.",
            checked=SEEN,
        ),
    ),
)

LOS_ANGELES = City(
    "los-angeles",
    "Los Angeles",
    "America/Los_Angeles",
    (
        OpenDataset(
            "crime",
            "LAPD NIBRS offences",
            "socrata",
            {
                "domain": "data.lacity.org",
                "dataset": "k7nn-b2ep",
                "where": f"nibr_code not in ({', '.join(repr(code) for code in LAPD_NOT_FORECAST)})",
            },
            FeedMapping(
                columns={
                    "external_id": "uniquenibrno",
                    "nibrs_code": "nibr_code",
                    "occurred_from": "date_occ+time_occ",
                    "reported_at": "date_rptd",
                    "lon": "hndrdth_lon",
                    "lat": "hndrdth_lat",
                }
            ),
            note="From the new records system, 2024 on; places rounded to the hundred block, 0/0 where withheld.",
            checked=SEEN,
        ),
    ),
)

SAN_FRANCISCO = City(
    "san-francisco",
    "San Francisco",
    "America/Los_Angeles",
    (
        OpenDataset(
            "crime",
            "Police incident reports, 2018 to present",
            "socrata",
            {"domain": "data.sfgov.org", "dataset": "wg3w-h783"},
            FeedMapping(
                columns={
                    "external_id": "row_id",
                    "code": "incident_subcategory",
                    "occurred_from": "incident_datetime",
                    "reported_at": "report_datetime",
                    "lon": "longitude",
                    "lat": "latitude",
                }
            ),
            codes=SFPD,
            code_filter="incident_subcategory in ({codes})",
            note="Places are the nearest intersection.",
            checked=PARTLY.format("columns too, names of subcategories from memory of the data set"),
        ),
        OpenDataset(
            "calls",
            "Law enforcement dispatched calls, closed",
            "socrata",
            {"domain": "data.sfgov.org", "dataset": "2zdj-bwza", "where": "agency = 'Police'"},
            FeedMapping(
                record_kind="calls",
                columns={
                    "external_id": "cad_number",
                    "code": "call_type_final",
                    "description": "call_type_final_desc",
                    "occurred_from": "received_datetime",
                    "discovery": "onview_flag",
                    "lon": "intersection_point.coordinates.0",
                    "lat": "intersection_point.coordinates.1",
                },
                discovery_values={"y": "officer_initiated", "n": "reported", "hsoc": "officer_initiated"},
            ),
            note="Officers' own (on-view) calls are kept apart by their flag. Sensitive calls have no place and are kept aside.",
            checked=SEEN,
        ),
    ),
)

SEATTLE = City(
    "seattle",
    "Seattle",
    "America/Los_Angeles",
    (
        OpenDataset(
            "crime",
            "SPD crime data, 2008 to present",
            "socrata",
            {"domain": "data.seattle.gov", "dataset": "tazs-3rd5"},
            FeedMapping(
                columns={
                    "external_id": "offense_id",
                    "nibrs_code": "nibrs_offense_code",
                    "occurred_from": "offense_date",
                    "reported_at": "report_date_time",
                    "lon": "longitude",
                    "lat": "latitude",
                }
            ),
            note="Block level; REDACTED where withheld.",
            checked=SEEN,
        ),
        OpenDataset(
            "calls",
            "SPD call data",
            "socrata",
            {"domain": "data.seattle.gov", "dataset": "33kz-ixgy"},
            FeedMapping(
                record_kind="calls",
                columns={
                    "external_id": "cad_event_number",
                    "code": "final_call_type",
                    "description": "initial_call_type",
                    "occurred_from": "cad_event_original_time_queued",
                    "discovery": "call_type",
                    "lon": "dispatch_longitude",
                    "lat": "dispatch_latitude",
                },
                discovery_values={
                    "onview": "officer_initiated",
                    "proactive (officer initiated)": "officer_initiated",
                    "scheduled event (recurring)": "officer_initiated",
                    "911": "reported",
                    "telephone other, not 911": "reported",
                    "text message": "reported",
                    "in person complaint": "reported",
                    "alarm call (not police alarm)": "reported",
                    "police (9911) alarm": "reported",
                },
            ),
            note="A word for how the call came in that is not known here keeps the row aside (unknown_discovery).",
            checked=PARTLY.format("columns too, the words of call_type from memory of the data set"),
        ),
    ),
)

DALLAS = City(
    "dallas",
    "Dallas",
    "America/Chicago",
    (
        OpenDataset(
            "crime",
            "Police incidents",
            "socrata",
            {"domain": "www.dallasopendata.com", "dataset": "qv6i-rri7"},
            FeedMapping(
                columns={
                    "external_id": "servnumid",
                    "nibrs_code": "nibrs_code",
                    "occurred_from": "date1+time1",
                    "lon": "geocoded_column.longitude",
                    "lat": "geocoded_column.latitude",
                }
            ),
            note="Sexual offences and minors are left out by the city.",
            checked=SEEN,
        ),
    ),
)
