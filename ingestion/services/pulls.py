"""Asking for pulls: by hand, by schedule, and a sample for the mapping wizard."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from agencies.models import User
from ingestion.models import Feed, ImportRun
from ingestion.services.fetching import new_pull
from ingestion.services.secrets import feed_secrets
from ingestion.services.spool import spool_delete, spool_store
from ingestion.services.whole_files import feed_is_whole_file, whole_file_snapshot
from ingestion.sources import is_pull, pull_source, source_kinds
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus

UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)


def pull_queue(*, feed: Feed, requested_by: User | None = None) -> ImportRun:
    """Ask for what is new at the feed's source. Returns the queued run; its parameters are frozen with it, secrets not.

    Raises ``MissionsError`` for a feed that is inactive, unmapped or incomplete, and while a pull of it is unfinished.
    """
    if not feed.is_active:
        raise MissionsError(
            _("Feed “%(name)s” is inactive and is not pulled.") % {"name": feed.name},
            next_step=_("activate it (Admin → Feeds)."),
        )
    source = pull_source(feed.kind, feed.params, feed_secrets(feed))
    snapshot = {"mapping": feed.mapping, "kind": feed.kind, "params": feed.params}
    if feed_is_whole_file(feed.kind):
        snapshot |= whole_file_snapshot(feed)
    elif not feed.mapping:
        raise MissionsError(
            _("Feed “%(name)s” has no mapping yet: nobody has said which column is what.")
            % {"name": feed.name},
            next_step=_("fetch a sample on the feed's page and map it."),
        )
    spool_name = spool_store(chunks=())
    run = ImportRun(
        agency=feed.agency,
        feed=feed,
        file_name=source.where()[-200:],
        spool_name=spool_name,
        requested_by=requested_by,
        config_snapshot=snapshot,
        pull=new_pull(feed.cursor),
    )
    try:
        run.full_clean(exclude=["requested_by"], validate_constraints=False)
        with transaction.atomic():
            run.save()
    except BaseException as exc:
        spool_delete(name=spool_name)
        if isinstance(exc, IntegrityError):
            raise MissionsError(
                _("A pull of feed “%(name)s” is waiting or running already.") % {"name": feed.name},
                next_step=_("look at it under Import runs; start another one when it has finished."),
            ) from None
        raise
    return run


def pulls_queue(*, now: datetime) -> list[ImportRun]:
    """Queue a pull of each feed whose time has come. One query where none is due.

    A feed's turn is taken by compare-and-swap, so two dispatchers queue one pull. A feed whose last pull is not
    finished misses its turn; one that cannot be pulled leaves a failed run that says why.
    """
    kinds = [source.kind for source in source_kinds() if is_pull(source.kind)]
    whole = [kind for kind in kinds if feed_is_whole_file(kind)]
    due = Feed.objects.filter(Q(next_due_at=None) | Q(next_due_at__lte=now), is_active=True, kind__in=kinds)
    due = due.filter(~Q(mapping={}) | Q(kind__in=whole), every_minutes__isnull=False)
    queued: list[ImportRun] = []
    for feed in due.select_related("agency"):
        following = now + timedelta(minutes=feed.every_minutes or 1)
        won = Feed.objects.filter(pk=feed.pk, next_due_at=feed.next_due_at).update(next_due_at=following)
        if won != 1 or unfinished_pull(feed) is not None:
            continue
        try:
            queued.append(pull_queue(feed=feed))
        except MissionsError as exc:
            _failed_run(feed, exc, now)
    return queued


def unfinished_pull(feed: Feed) -> ImportRun | None:
    """The feed's pull that waits or works, if there is one. One query."""
    return ImportRun.objects.filter(feed=feed, pull__isnull=False, status__in=UNFINISHED).first()


def _failed_run(feed: Feed, exc: MissionsError, now: datetime) -> None:
    ImportRun.objects.create(
        agency=feed.agency,
        feed=feed,
        file_name="(not pulled)",
        status=RunStatus.FAILED,
        error=str(exc),
        started_at=now,
        finished_at=now,
        config_snapshot={"kind": feed.kind},
        pull=new_pull(feed.cursor),
    )


def pull_params_save(*, feed: Feed, params: dict[str, object], names: Iterable[str] = ()) -> Feed:
    """Give the feed other parameters. Where what is read changes, the cursor is forgotten. Does not save."""
    changed = {n for n in {*params, *feed.params} if params.get(n) != feed.params.get(n)}
    if changed - set(names):
        feed.cursor = {}
    feed.params = params
    return feed
