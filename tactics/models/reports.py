"""Reports that people keep, share inside the agency, and have sent to them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Membership, User
from missions_project.lib.outbox import AbstractDelivery


class ReportPolicy(models.Model):
    """Which reports about people's work the agency has at all. Changed in the admin; without a row, none."""

    agency = models.OneToOneField(Agency, on_delete=models.CASCADE)
    unit_activity = models.BooleanField(
        default=False,
        verbose_name=gettext_lazy("unit activity report"),
        help_text=gettext_lazy(
            "Time in missions by tactic for each unit: for the unit's own members, and for supervisors of its district; for nobody "
            "else. Where a unit is one person, it is about that person: agree on it with those concerned first. It names no "
            "officer and ranks nobody. Off: the report does not exist."
        ),
    )

    class Meta:
        verbose_name = gettext_lazy("report policy")
        verbose_name_plural = gettext_lazy("report policies")

    def __str__(self) -> str:
        return _("Report policy of %(agency)s") % {"agency": self.agency}


class SavedReport(models.Model):
    """A question that is asked again and again: a report, its filters, and the days back that it looks.

    Written by ``tactics.services.saved_reports`` only.
    """

    class Sends(models.TextChoices):
        NEVER = "never", gettext_lazy("Not sent")
        DAILY = "daily", gettext_lazy("Every day")
        WEEKLY = "weekly", gettext_lazy("Every week, on Monday")
        MONTHLY = "monthly", gettext_lazy("Every month, on its first day")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(max_length=80, help_text=gettext_lazy("How it is listed."))
    kind = models.SlugField(max_length=40, help_text=gettext_lazy("Which report."))
    days = models.PositiveSmallIntegerField(
        default=28,
        validators=[MinValueValidator(1), MaxValueValidator(731)],
        help_text=gettext_lazy("How many full days it looks back, up to yesterday."),
    )
    filters = models.JSONField(
        default=dict, blank=True, help_text=gettext_lazy("Districts, beats, shifts and crime types chosen.")
    )
    owner = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    is_shared = models.BooleanField(
        default=False, help_text=gettext_lazy("Whether everybody whose role sees this report finds it.")
    )
    sends = models.CharField(max_length=8, choices=Sends, default=Sends.NEVER)
    send_hour = models.PositiveSmallIntegerField(
        default=6,
        validators=[MaxValueValidator(23)],
        help_text=gettext_lazy("From this hour on, by the agency's clock."),
    )
    recipients = models.ManyToManyField(
        Membership, blank=True, related_name="+", help_text=gettext_lazy("Who gets it by e-mail.")
    )
    changed_at = models.DateTimeField(
        default=timezone.now, editable=False, help_text=gettext_lazy("What was due before this is not sent.")
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "owner", "name"], name="saved_report_name_once_per_owner"
            )
        ]

    def __str__(self) -> str:
        return self.name


class ReportMail(AbstractDelivery):
    """One report on its way to one person. Written by ``tactics.services.saved_reports``."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    saved = models.ForeignKey(SavedReport, on_delete=models.CASCADE, related_name="mails")
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    on = models.DateField(
        help_text=gettext_lazy("The local date for which it was due; its last full day is the one before.")
    )

    class Meta:
        ordering = ["-on"]
        verbose_name = gettext_lazy("report by e-mail")
        verbose_name_plural = gettext_lazy("reports by e-mail")
        constraints = [
            # Two dispatchers, or one that was killed in between, send it once.
            models.UniqueConstraint(fields=["saved", "membership", "on"], name="one_report_mail_per_day")
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state="waiting"), name="report_mails_waiting")
        ]

    def __str__(self) -> str:
        return _("%(saved)s to %(user)s, %(on)s") % {
            "saved": self.saved,
            "user": self.membership.user,
            "on": self.on,
        }
