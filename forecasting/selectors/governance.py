"""Reading what governs models: the agency's policy, and why a version may or may not go into service."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, CrimeType
from agencies.selectors import active_crime_types
from forecasting.artefacts import TRAIN_AGAIN, artefact_check
from forecasting.models import ModelPolicy, ModelVersion
from forecasting.selectors.forecasts import model_artefact
from forecasting.selectors.grids import active_grid
from forecasting.selectors.inputs import agency_shifts, shift_windows
from ingestion.models import Feed, RecordKind
from ingestion.selectors import CALLS
from missions_project.lib.errors import MissionsError

LOST = gettext_lazy(
    "The learned model was no better than the best plain count on the held-out weeks. It cannot be approved: a model that "
    "loses to plain counting would send cars to worse places than no model at all."
)


def model_policy(agency: Agency) -> ModelPolicy:
    """Return the agency's choices, or the defaults (not stored) where it has none yet. One query."""
    return ModelPolicy.objects.filter(agency=agency).first() or ModelPolicy(agency=agency)


def approved_agencies() -> QuerySet[ModelVersion, Any]:
    """Return the ids of agencies that have, or had, a model in service, as a subquery. Lazy.

    From its first one on an agency's shifts are planned by themselves; before, each would only fail.
    """
    states = [ModelVersion.State.LIVE, ModelVersion.State.RETIRED]
    return ModelVersion.objects.filter(state__in=states).values("agency")


def any_model_approved(agency: Agency) -> bool:
    """Whether the agency has, or had, a model in service. One query."""
    return approved_agencies().filter(agency=agency).exists()


def live_version(crime_type: CrimeType) -> ModelVersion | None:
    """Return the version in service, or None. One query."""
    return ModelVersion.objects.live().filter(crime_type=crime_type).defer("summary").first()


def waiting_versions(agency: Agency) -> dict[int, ModelVersion]:
    """Return the newest version that waits for approval, by crime type id. One query."""
    rows = ModelVersion.objects.filter(
        agency=agency, state=ModelVersion.State.TRAINED, crime_type__is_active=True
    )
    newest: dict[int, ModelVersion] = {}
    for row in rows.select_related("crime_type").defer("summary").order_by("number"):
        newest[row.crime_type_id] = row
    return newest


def why_not_live(version: ModelVersion) -> MissionsError | None:
    """Return why this version cannot go into service now, with the next step; None where nothing stands against it.

    Looks at the league's verdict, the grid, the shifts, the crime types and feeds, and reads and checks the model file.
    At most four queries.
    """
    if not version.may_go_live:
        return MissionsError(
            str(LOST),
            next_step=_("%(train_again)s The plain count goes live by itself then.")
            % {"train_again": TRAIN_AGAIN},
        )
    if version.state == ModelVersion.State.REFUSED:
        return MissionsError(
            _("%(version)s was refused: %(approval_note)s")
            % {"version": version, "approval_note": version.approval_note},
            next_step=str(TRAIN_AGAIN),
        )
    try:
        grid = active_grid(version.agency)
        if version.grid_id != grid.pk:
            return MissionsError(
                _(
                    "%(version)s was trained on another grid than the active one: its counts belong to other cells."
                )
                % {"version": version},
                next_step=str(TRAIN_AGAIN),
            )
        # The file itself, not this process's memory of it: the worker that forecasts may be another one.
        artefact_check(name=version.artefact, sha256=version.artefact_hash)
        artefact = model_artefact(version)
        if artefact.grid_hash != grid.hash or artefact.shifts != shift_windows(agency_shifts(version.agency)):
            return MissionsError(
                _("The shifts were changed since %(version)s was trained.") % {"version": version},
                next_step=str(TRAIN_AGAIN),
            )
    except MissionsError as problem:
        return problem
    known = {row.slug for row in active_crime_types(version.agency)}
    if Feed.objects.filter(agency_id=version.agency_id, record_kind=RecordKind.CALLS).exists():
        known.add(CALLS)
    gone = [slug for slug in artefact.categories if slug not in known]
    if gone:
        return MissionsError(
            _("%(version)s was trained with %(names)s, which is no longer an active crime type or feed.")
            % {"version": version, "names": ", ".join(gone)},
            next_step=_("activate it again, or train: %(train_again)s") % {"train_again": TRAIN_AGAIN},
        )
    return None
