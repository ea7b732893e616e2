"""The cities. Columns about persons (age, sex, race of victims and suspects, addresses) stand in none of these lists.

A portal renames columns without notice: a pull then fails and names the column, and the mapping wizard mends it.
"""

from ingestion.opendata.base import City
from ingestion.opendata.east import CINCINNATI, NEW_YORK, PHILADELPHIA_PA, WASHINGTON_DC
from ingestion.opendata.west import CHICAGO, DALLAS, LOS_ANGELES, SAN_FRANCISCO, SEATTLE

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
