"""Spanish as it is written where this product is used: decimal points, as in the United States, Mexico and Central America.

A decimal comma would also end up in the coordinates of charts, where it means something else.
"""

from missions_project.formats.clocks import ByClock

DATE_FORMAT = "j M Y"
TIME_FORMAT = ByClock("H:i")
DATETIME_FORMAT = ByClock("j M Y H:i")
YEAR_MONTH_FORMAT = r"F \d\e Y"
MONTH_DAY_FORMAT = r"j \d\e F"
SHORT_DATE_FORMAT = "d/m/Y"
SHORT_DATETIME_FORMAT = ByClock("d/m/Y H:i")
FIRST_DAY_OF_WEEK = 1
DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
TIME_INPUT_FORMATS = ["%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M%p", "%I %p"]
