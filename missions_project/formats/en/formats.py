"""English dates as the product's own pages write them, so that the administration does not write them another way."""

from missions_project.formats.clocks import ByClock

DATE_FORMAT = "j M Y"
TIME_FORMAT = ByClock("H:i")
DATETIME_FORMAT = ByClock("j M Y H:i")
SHORT_DATE_FORMAT = "j M Y"
SHORT_DATETIME_FORMAT = ByClock("j M Y H:i")
TIME_INPUT_FORMATS = ["%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M%p", "%I %p"]
