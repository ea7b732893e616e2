"""Drop folders: where an SFTP server leaves files, and the journal by which each of them is imported once."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)


def validate_folder_name(name: str) -> None:
    """A folder's name is one plain word: no path can climb out of it."""
    if not FOLDER_NAME.fullmatch(name):
        raise ValidationError(
            _(
                "Use letters, digits, - and _ only, beginning with a letter or digit: it is one folder below DROP_DIR."
            )
        )


class DropFolder(models.Model):
    """A folder that is looked into each minute; complete files in it are imported into its feed."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    feed = models.OneToOneField(
        "ingestion.Feed",
        on_delete=models.CASCADE,
        related_name="drop_folder",
        help_text=gettext_lazy(
            "The feed that the files belong to. It must be mapped: upload one file in the admin first."
        ),
    )
    name = models.CharField(
        max_length=60,
        validators=[validate_folder_name],
        help_text=gettext_lazy("The folder below DROP_DIR/<agency>/. Point the SFTP account there."),
    )
    is_active = models.BooleanField(
        default=True, help_text=gettext_lazy("Inactive folders are not looked into.")
    )
    settle_seconds = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1)],
        help_text=gettext_lazy(
            "A file is complete when its size and time did not change between two looks at least so many seconds apart."
        ),
    )
    needs_marker = models.BooleanField(
        default=False,
        help_text=gettext_lazy(
            "Import a file only once another named like it with .done or .ok lies beside it (data.csv.done), however "
            "long it has been still."
        ),
    )
    keep_days = models.PositiveIntegerField(
        default=7,
        help_text=gettext_lazy(
            "How long imported files stay in done/. 0: they are deleted at once. They hold every column of the source."
        ),
    )
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)
    message = models.TextField(blank=True, editable=False)
    """Why nothing is picked up, in words; empty when all is well."""

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "name"], name="drop_folder_name_once_per_agency")
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        feed: Any = getattr(self, "feed", None)
        if feed is not None and self.agency_id and feed.agency_id != self.agency_id:
            raise ValidationError({"feed": _("This feed belongs to another agency.")})


class DropFile(models.Model):
    """One file in a drop folder, from first sight to done/ or failed/. Written by ``ingestion.services.drops`` only.

    Each state is stored before the step that it announces, so that whoever comes after a kill knows what to finish.
    """

    class State(models.TextChoices):
        SEEN = "seen", gettext_lazy("Waiting until it is complete")
        CLAIMED = "claimed", gettext_lazy("Being moved to work/")
        QUEUED = "queued", gettext_lazy("Being imported")
        FINISHING = "finishing", gettext_lazy("Being moved away")
        DONE = "done", gettext_lazy("Imported")
        FAILED = "failed", gettext_lazy("Failed")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    folder = models.ForeignKey(DropFolder, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=State, default=State.SEEN)
    size = models.BigIntegerField()
    mtime_ns = models.BigIntegerField()
    inode = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField(default=timezone.now)
    """When the file was first seen as it is now."""
    work_name = models.CharField(max_length=260, blank=True)
    target = models.CharField(max_length=300, blank=True)
    """Where it goes, below the folder; "-" for nowhere: it is deleted."""
    reason = models.TextField(blank=True)
    run = models.ForeignKey("ingestion.ImportRun", null=True, blank=True, on_delete=models.SET_NULL)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["folder", "name"], condition=Q(state="seen"), name="drop_file_seen_once"
            )
        ]
        indexes = [models.Index(fields=["folder", "state"], name="drop_file_by_state")]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_state_display()})"
