"""What stands out in a feed's data, in the reader's language: the sentences of ``ingestion.engine.quality_findings``."""

from django.utils.translation import gettext_noop

from ingestion.engine.quality_findings import Finding
from missions_project.lib.sentences import Sentences

FINDINGS = Sentences(
    (
        gettext_noop("Nothing is stored yet."),
        gettext_noop("Import a file."),
        gettext_noop("%(rows)s rows wait because nobody has said what their code means."),
        gettext_noop("Map the codes below."),
        gettext_noop("Nothing stands out."),
        gettext_noop("Only %(share)s of the rows have coordinates; below %(good)s maps of crime mislead."),
        gettext_noop("Geocode the rest at the source: what has no place is missing from every forecast."),
        gettext_noop(
            "%(rows)s rows (%(share)s) lie on one point that looks like %(what)s: %(lat)s, %(lon)s."
        ),
        gettext_noop("the middle of the area"),
        gettext_noop("a stand-in address"),
        gettext_noop(
            "Ask who geocodes: rows without a known place should come without coordinates, or missions go there."
        ),
        gettext_noop(
            "%(share)s of the places are rounded to about 100 metres or more: they fall into the wrong cells."
        ),
        gettext_noop("Ask the source for more decimals (five are a metre)."),
        gettext_noop("%(share)s of the times are exactly %(clock)s; evenly spread it would be 0.07 %%."),
        gettext_noop(
            "It usually stands for “unknown”: send such rows as a date alone, or their shift is over-counted."
        ),
        gettext_noop("%(share)s of the rows say the day and no time: they count for the whole day."),
        gettext_noop("Map the time's own column, if the source has one."),
        gettext_noop(
            "No row says when it was reported: tests of the forecast take everything as known at once."
        ),
        gettext_noop("Map the report time, or set the feed's reporting lag (Admin → Feeds)."),
        gettext_noop("%(rows)s rows were reported before they began."),
        gettext_noop("Check that the two columns are not exchanged, and the time zone."),
        gettext_noop(
            "%(days)s days are missing, the latest from %(first)s to %(last)s (usually %(expected)s rows a day)."
        ),
        gettext_noop("%(days)s days are missing, the latest on %(day)s (usually %(expected)s rows a day)."),
        gettext_noop("Export those days again: the forecast takes them for quiet."),
        gettext_noop("%(days)s days hold less than a third of what is usual, the latest on %(day)s."),
        gettext_noop("Export those days again."),
        gettext_noop("The volume is %(ratio)s times last year's (95 %% interval %(low)s – %(high)s)."),
        gettext_noop(
            "Find out whether crime changed or recording did: a new system, new codes, another export."
        ),
    )
)


def finding_said(finding: Finding) -> Finding:
    """The finding in the reader's language. No query."""
    return Finding(finding.tone, FINDINGS.said(finding.text), FINDINGS.said(finding.remedy))
