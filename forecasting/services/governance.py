"""Putting models into service and taking them out again: by a person, or by the agency's policy after a training."""

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from agencies.models import Agency, CrimeType, User
from agencies.services import audit_last, audit_record
from forecasting.models import ModelPolicy, ModelVersion, TrainingRun
from forecasting.selectors.governance import live_version, why_not_live
from missions_project.lib.errors import MissionsError

State = ModelVersion.State
LOOK_AGAIN = gettext_lazy("look at the model card again, then decide.")
AUTOMATIC_NOTE = gettext_noop(
    "Automatically: the agency's policy lets the better of champion and plain count go live."
)
LOST_NOTE = "Automatically refused: it did not beat the best plain count."


def model_policy_ensure(*, agency: Agency) -> ModelPolicy:
    """Return the agency's model policy; create it with the defaults where there is none."""
    return ModelPolicy.objects.get_or_create(agency=agency)[0]


def model_approve(
    *, version: ModelVersion, actor: User | None, note: str = "", replaces: ModelVersion | None
) -> ModelVersion:
    """Put a trained version into service in place of ``replaces``, the one that the person saw as live (None: none was).

    Raises ``MissionsError``, and changes nothing, for a version that lost to the plain count, does not fit the present
    grid or shifts, whose file is missing or changed, or where somebody else decided meanwhile.
    """
    if problem := why_not_live(version):
        raise problem
    if version.state != State.TRAINED:
        raise MissionsError(
            _("%(version)s is %(state)s: only a trained version can be approved.")
            % {"version": version, "state": version.get_state_display().lower()},
            next_step=_("to return to an earlier version, roll back to it."),
        )
    with transaction.atomic():
        _go_live(version, seen=State.TRAINED, actor=actor, note=note, replaces=replaces)
        _audit(version, actor, "approved", note, replaces)
    return version


def model_roll_back(
    *, version: ModelVersion, actor: User | None, note: str, replaces: ModelVersion | None
) -> ModelVersion:
    """Return to an earlier version that was live before; ``note`` says why. The same refusals as an approval."""
    if not note.strip():
        raise MissionsError(
            _("A roll-back needs its reason."), next_step=_("write one sentence, then roll back.")
        )
    if version.state != State.RETIRED:
        raise MissionsError(
            _("%(version)s is %(state)s: one can only return to a version that was live before.")
            % {"version": version, "state": version.get_state_display().lower()},
            next_step=_("choose a retired version; a trained one is approved instead."),
        )
    if problem := why_not_live(version):
        raise problem
    with transaction.atomic():
        _go_live(version, seen=State.RETIRED, actor=actor, note=note, replaces=replaces)
        _audit(version, actor, "rolled_back_to", note, replaces)
    return version


def model_refuse(*, version: ModelVersion, actor: User | None, note: str) -> ModelVersion:
    """Decide that a trained version never goes live; ``note`` says why."""
    if not note.strip():
        raise MissionsError(_("A refusal needs its reason."), next_step=_("write one sentence, then refuse."))
    with transaction.atomic():
        changed = ModelVersion.objects.filter(pk=version.pk, state=State.TRAINED).update(
            state=State.REFUSED, approved_by=actor, approved_at=timezone.now(), approval_note=note[:500]
        )
        if changed != 1:
            raise MissionsError(
                _("%(version)s no longer waits for a decision.") % {"version": version},
                next_step=str(LOOK_AGAIN),
            )
        _audit(version, actor, "refused", note, None)
    version.refresh_from_db()
    return version


def training_approve(*, run: TrainingRun, actor: User | None, note: str = "") -> list[ModelVersion]:
    """Put every waiting version of one training into service together, or none of them.

    Raises ``MissionsError`` where none waits, or where one of them cannot go live. Refused ones stay refused.
    """
    # In the order in which a training locks the types: two orders could wait for each other for ever.
    rows = run.versions.filter(state=State.TRAINED).order_by("crime_type_id")
    waiting = list(rows.select_related("agency", "crime_type", "grid"))
    if not waiting:
        raise MissionsError(
            _("%(run)s has no version that waits for approval.") % {"run": run}, next_step=str(LOOK_AGAIN)
        )
    with transaction.atomic(), audit_last():
        return [
            model_approve(version=row, actor=actor, note=note, replaces=live_version(row.crime_type)) for row in waiting
        ]  # fmt: skip


def trained_enters(*, version: ModelVersion, policy: ModelPolicy, now: dt.datetime) -> None:
    """Decide about a version that training has just made and not yet saved, as the agency's policy says; saves it.

    Call inside the transaction that stores the training, with the crime type locked.
    """
    version.state = State.TRAINED
    if not version.may_go_live:
        version.state, version.approved_at, version.approval_note = State.REFUSED, now, LOST_NOTE
    version.full_clean(exclude=["approved_by"])
    version.save()
    if version.state == State.TRAINED and policy.go_live == ModelPolicy.GoLive.AUTOMATIC:
        replaces = live_version(version.crime_type)
        _go_live(version, seen=State.TRAINED, actor=None, note=AUTOMATIC_NOTE, replaces=replaces)
        _audit(version, None, "went_live", AUTOMATIC_NOTE, replaces)


def _go_live(
    version: ModelVersion, *, seen: str, actor: User | None, note: str, replaces: ModelVersion | None
) -> None:
    """Compare and swap: the version is still in the state seen, and the live one is still the one seen."""
    now = timezone.now()
    # One decision about a crime type at a time: without the lock two could each retire the old one and both win.
    CrimeType.objects.select_for_update().get(pk=version.crime_type_id)
    present = live_version(version.crime_type)
    if (present and present.pk) != (replaces and replaces.pk):
        raise MissionsError(
            _("%(version)s is live now: somebody decided about %(crime_type)s meanwhile.")
            % {"version": present or _("No version"), "crime_type": version.crime_type},
            next_step=str(LOOK_AGAIN),
        )
    if present is not None:
        ModelVersion.objects.filter(pk=present.pk, state=State.LIVE).update(
            state=State.RETIRED, retired_at=now
        )
    changed = ModelVersion.objects.filter(pk=version.pk, state=seen).update(
        state=State.LIVE, approved_by=actor, approved_at=now, approval_note=note[:500], retired_at=None
    )
    if changed != 1:
        raise MissionsError(
            _("Somebody else decided about %(version)s meanwhile.") % {"version": version},
            next_step=str(LOOK_AGAIN),
        )
    version.refresh_from_db()


def _audit(
    version: ModelVersion, actor: User | None, action: str, note: str, replaces: ModelVersion | None
) -> None:
    audit_record(
        agency=version.agency,
        actor=actor,
        action=f"modelversion.{action}",
        subject=version,
        detail={
            "id": version.pk,
            "note": note,
            "replaces": str(replaces) if replaces else None,
            "training": version.run_id,
            "artefact_hash": version.artefact_hash,
        },
    )
