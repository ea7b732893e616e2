"""The cities. Columns about persons (age, sex, race of victims and suspects, addresses) stand in none of these lists.

A portal renames columns without notice: a pull then fails and names the column, and the mapping wizard mends it.
"""

from ingestion.engine.mapping import FeedMapping
from ingestion.opendata.base import City, OpenDataset
from ingestion.opendata.codes import LAPD_NOT_FORECAST, NYPD, PHILADELPHIA, SFPD, STARS, WASHINGTON

_SEEN = "Identifier and columns found in public code that reads this data set (November 2026); not tried from here."
_PARTLY = "Identifier found in public code that reads this data set (November 2026); {}. Not tried from here."

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
            checked=_SEEN,
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
            checked=_SEEN,
        ),
    ),
)

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
            checked=_SEEN,
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
            checked=_SEEN,
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
            checked=_SEEN,
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
            checked=_SEEN,
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
            checked=_PARTLY.format("columns too, names of subcategories from memory of the data set"),
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
            checked=_SEEN,
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
            checked=_SEEN,
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
            checked=_PARTLY.format("columns too, the words of call_type from memory of the data set"),
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
            checked=_PARTLY.format("columns too, names of categories not seen"),
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
            checked=_SEEN,
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
            checked=_SEEN,
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
            checked=_SEEN,
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
            checked=_SEEN,
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
            checked=_SEEN,
        ),
    ),
)

CITIES: dict[str, City] = {
    city.key: city
    for city in (
        CHICAGO,
        CINCINNATI,
        DALLAS,
        LOS_ANGELES,
        NEW_YORK,
        PHILADELPHIA_PA,
        SAN_FRANCISCO,
        SEATTLE,
        WASHINGTON_DC,
    )
}
