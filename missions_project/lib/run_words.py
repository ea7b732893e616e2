"""What long actions say while they run, and what they count, for readers of every language.

They say it in English, in the background, where nobody reads; ``lib.sentences.said_again`` says it again on the page.
A test holds this list against what the code says.
"""

from django.utils.translation import gettext_noop

from missions_project.lib.sentences import said_again

PROGRESS = (
    gettext_noop("Starting"),
    gettext_noop("Reading incidents"),
    gettext_noop("Done"),
    gettext_noop("Reading models and incidents"),
    gettext_noop("Storing surfaces"),
    gettext_noop("Testing models on recent weeks"),
    gettext_noop("Fitting models"),
    gettext_noop("Fitting the self-exciting process"),
    gettext_noop("Checking seals"),
    gettext_noop("%(rows)s rows fetched"),
    gettext_noop("Waiting for another import"),
    gettext_noop("Imported"),
    gettext_noop("Importing"),
    gettext_noop("Measuring places"),
    gettext_noop("Measuring clocks"),
    gettext_noop("Measuring report times"),
    gettext_noop("Measuring days"),
    gettext_noop("Measured"),
    gettext_noop("Reading rows"),
    gettext_noop("Reading forecast and capacity"),
    gettext_noop("Working out probabilities and drawing"),
    gettext_noop("Storing the design"),
    gettext_noop("Drawing anew"),
    gettext_noop("Drawing the plans again"),
    gettext_noop("Drawing busy plans again"),
    gettext_noop("Scenario %(name)s"),
    gettext_noop("Planning the past again with %(missions)s per beat, %(low)s to %(high)s minutes"),
    gettext_noop("Drawing the tactics again"),
    gettext_noop("Reading forecast shifts"),
    gettext_noop("Trying %(dial)s %(value)s"),
    gettext_noop("Comparing tactics"),
    gettext_noop("Counting crimes by shift and box"),
    gettext_noop("Reading forecasts"),
    gettext_noop("Laying shifts"),
    gettext_noop("Audit log of %(agency)s"),
    gettext_noop("reading plans"),
    gettext_noop("Forecasting"),
    gettext_noop("Collecting history"),
    gettext_noop("Comparing forecasts with incidents"),
    gettext_noop("Looking through the file"),
    gettext_noop("grids"),
    gettext_noop("Counting crimes"),
    gettext_noop("Adding up plans"),
    gettext_noop("Reading plans and counting crimes"),
)
"""What stands beside the bar."""

COUNTS = (
    gettext_noop("received"),
    gettext_noop("inserted"),
    gettext_noop("updated"),
    gettext_noop("unchanged"),
    gettext_noop("quarantined"),
    gettext_noop("refused"),
    gettext_noop("incidents known"),
    gettext_noop("newest incident"),
    gettext_noop("missions"),
    gettext_noop("share of expected harm"),
    gettext_noop("low-risk share"),
    gettext_noop("yes"),
    gettext_noop("no"),
)
"""What stands under it."""

FROZEN = (
    gettext_noop("mapping"),
    gettext_noop("record kind"),
    gettext_noop("columns"),
    gettext_noop("external id"),
    gettext_noop("code"),
    gettext_noop("occurred from"),
    gettext_noop("occurred to"),
    gettext_noop("reported at"),
    gettext_noop("lon"),
    gettext_noop("lat"),
    gettext_noop("date format"),
    gettext_noop("time zone"),
    gettext_noop("crs"),
    gettext_noop("delimiter"),
    gettext_noop("encoding"),
    gettext_noop("id prefix"),
    gettext_noop("code separator"),
    gettext_noop("ignored codes"),
    gettext_noop("kind"),
    gettext_noop("path"),
    gettext_noop("chunk rows"),
    gettext_noop("seed"),
    gettext_noop("until"),
    gettext_noop("grid"),
    gettext_noop("shifts"),
    gettext_noop("crime types"),
    gettext_noop("weight"),
    gettext_noop("weights"),
    gettext_noop("offence"),
    gettext_noop("context"),
    gettext_noop("digest"),
    gettext_noop("shift"),
    gettext_noop("slug"),
    gettext_noop("period from"),
    gettext_noop("period to"),
    gettext_noop("models"),
    gettext_noop("version"),
    gettext_noop("champion"),
    gettext_noop("artefact hash"),
    gettext_noop("policy"),
    gettext_noop("name"),
    gettext_noop("gamma"),
    gettext_noop("neighbours"),
    gettext_noop("forecast run"),
    gettext_noop("grid hash"),
    gettext_noop("suppressions"),
    gettext_noop("additions"),
    gettext_noop("k by beat"),
)
"""With what it ran: the parts of the configuration that was kept with it."""

LOGS = (
    gettext_noop(
        "%(count)s incidents and calls known before %(at)s UTC, %(shifts)s shift instances, %(cells)s cells, %(columns)s context columns."
    ),
    gettext_noop("%(events)s scheduled events, %(rows)s rows of weather."),
    gettext_noop(
        "The models saw incidents of this shift or later ones when they were trained: this forecast must not be used to judge their accuracy."
    ),
    gettext_noop("%(crime_type)s is not forecast: %(version)s waits for approval. Next step: %(step)s"),
    gettext_noop("%(crime_type)s has no model yet and is not forecast. Next step: %(step)s"),
    gettext_noop("%(count)s incidents and calls known before %(at)s UTC."),
    gettext_noop(
        "The newest incident known is of %(at)s UTC, well before the shift: silence since then lowers every expected count. Next step: import the days that are missing, then forecast again."
    ),
    gettext_noop("Beats without a unit on duty, not planned: %(beats)s."),
    gettext_noop("%(plans)s plans read, blocks of %(blocks)s."),
    gettext_noop("Exposure audit: %(findings)s findings newly raised."),
    gettext_noop("No incident is known at all. Next step: import incidents, then forecast again."),
    gettext_noop("%(rows)s rows fetched from %(where)s in %(pages)s pages."),
    gettext_noop("%(events)s future events that the file no longer names are marked as cancelled."),
    gettext_noop("%(size)s bytes fetched from %(where)s."),
    gettext_noop("%(where)s is unchanged since the last pull."),
)
"""Lines of its log."""

STORED = (
    gettext_noop(
        "Try %(attempts)s of %(most)s met trouble of the machine: %(what)s It is tried again by itself."
    ),
    gettext_noop("see that the database answers and no disk is full (manage.py doctor)."),
    gettext_noop("run it again; if it fails again, show this run's log to support."),
    gettext_noop("The worker died %(most)s times while doing this, most likely for lack of memory."),
    gettext_noop("look at the worker's log, give it more memory or less data, then start a new run."),
    gettext_noop("No worker finished sending it."),
    gettext_noop("see the worker's log."),
    gettext_noop("Cancelled by %(actor)s before it began."),
    gettext_noop("start it again when it suits."),
)
"""How it ended, where the work itself could not say it."""

_CLOCK = len("00:00:00 ")


def count_said(label: str) -> str:
    """A figure's label in the reader's language, each part of its path for itself. No query.

    >>> count_said("by type › robbery")
    'by type › robbery'
    """
    return " › ".join(said_again(part) for part in label.split(" › "))


def log_said(log: str) -> str:
    """A run's log in the reader's language, line by line, each with its time; lines of a traceback stay. No query."""
    return "\n".join(line[:_CLOCK] + said_again(line[_CLOCK:]) for line in log.split("\n"))
