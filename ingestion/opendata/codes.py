"""Cities' own codes, and the NIBRS codes that they stand for. What is not in a table is not asked for."""

NYPD = {
    "101": "09A",  # murder and non-negligent manslaughter
    "105": "120",  # robbery
    "106": "13A",  # felony assault
    "107": "220",  # burglary
    "109": "23H",  # grand larceny
    "110": "240",  # grand larceny of a motor vehicle
    "341": "23H",  # petit larceny
}
SFPD = {
    "Homicide": "09A",
    "Robbery - Commercial": "120",
    "Robbery - Residential": "120",
    "Robbery - Street": "120",
    "Robbery - Carjacking": "120",
    "Robbery - Other": "120",
    "Aggravated Assault": "13A",
    "Burglary - Commercial": "220",
    "Burglary - Residential": "220",
    "Burglary - Hot Prowl": "220",
    "Burglary - Other": "220",
    "Larceny - From Vehicle": "23F",
    "Larceny - Auto Parts": "23G",
    "Larceny Theft - From Building": "23D",
    "Larceny Theft - Shoplifting": "23C",
    "Larceny Theft - Pickpocket": "23A",
    "Larceny Theft - Purse Snatch": "23B",
    "Larceny Theft - Bicycle": "23H",
    "Larceny Theft - Other": "23H",
    "Theft From Vehicle": "23F",
    "Motor Vehicle Theft": "240",
    "Motor Vehicle Theft (Attempted)": "240",
}
STARS = {
    "HOMICIDE": "09A",
    "ROBBERY": "120",
    "AGGRAVATED ASSAULT": "13A",
    "AGGRAVATED ASSAULTS": "13A",
    "BURGLARY": "220",
    "BURGLARY/BREAKING & ENTERING": "220",
    "BURGLARY/BREAKING ENTERING": "220",
    "AUTO THEFT": "240",
    "THEFT FROM AUTO": "23F",
    "PERSONAL/OTHER THEFT": "23H",
    "PERSONAL/OTHER THEFTS": "23H",
}
WASHINGTON = {
    "HOMICIDE": "09A",
    "ROBBERY": "120",
    "ASSAULT W/DANGEROUS WEAPON": "13A",
    "BURGLARY": "220",
    "THEFT F/AUTO": "23F",
    "THEFT/OTHER": "23H",
    "MOTOR VEHICLE THEFT": "240",
}
PHILADELPHIA = {"100": "09A", "300": "120", "400": "13A", "500": "220", "600": "23H", "700": "240"}

LAPD_NOT_FORECAST = ("13B", "13C", "290", "26F", "26A", "90Z", "35A", "35B", "520", "90J")
"""The most frequent codes that would be refused anyway: they need not travel. Others are counted as refused."""
