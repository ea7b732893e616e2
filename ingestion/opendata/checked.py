"""How a data set's identifier and columns were checked, in the words that --list shows."""

SEEN = "Identifier and columns found in public code that reads this data set (November 2026); not tried from here."
PARTLY = "Identifier found in public code that reads this data set (November 2026); {}. Not tried from here."
