"""Who and where: agencies, their geography, shifts, crime types and people."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agencies.clocks import clock_text
from agencies.engine import offence_policy
from agencies.fields import AreaField
from agencies.models_optional import BaseMap, DistrictPriority
from agencies.offence_words import refusal_said
from agencies.validators import (
    validate_agency_slug,
    validate_projected_crs,
    validate_time_zone,
)
from missions_project.lib import walls

CODE_HELP = _("Short and stable, as used on the radio. Imports, exports and links refer to it.")


def languages() -> list[tuple[str, str]]:
    """The languages of this installation, as (code, own name)."""
    return list(settings.LANGUAGES)


class User(AbstractUser):
    """A person who signs in. Roles come from memberships; a superuser is the installation's operator."""

    language = models.CharField(
        max_length=8,
        blank=True,
        choices=languages,
        help_text=_(
            "In which pages and mails are written to this person. Empty: pages as their browser asks, mails in English."
        ),
    )

    class Meta(AbstractUser.Meta):  # type: ignore[name-defined]  # django-stubs does not see the inherited Meta
        swappable = "AUTH_USER_MODEL"


class Agency(models.Model):
    """A police agency: the tenant. Everything else belongs to exactly one."""

    slug = models.SlugField(
        unique=True,
        help_text=_("Part of every address and command, e.g. “riverton”. Changing it breaks bookmarks."),
    )
    name = models.CharField(
        max_length=120, help_text=_("Shown in the top bar and on every print-out and export.")
    )
    time_zone = models.CharField(
        max_length=64,
        validators=[validate_time_zone],
        help_text=_(
            "IANA name, e.g. America/Chicago. Shifts start by this clock and every time is shown in it."
        ),
    )
    boundary = AreaField(
        null=True,
        blank=True,
        help_text=_(
            "The jurisdiction. Grid cells at least a quarter inside it are forecast; incidents outside are "
            "quarantined. Leave empty to derive it from the beats, or else the districts."
        ),
    )
    cell_size_m = models.PositiveIntegerField(
        default=250,
        validators=[MinValueValidator(50), MaxValueValidator(2000)],
        help_text=_(
            "Edge of a grid cell in metres: the size of a mission box. 250 suits a car, 150 a foot patrol. "
            "Takes effect at the next grid build; forecasts keep the grid that they were made on."
        ),
    )
    crs_epsg = models.PositiveIntegerField(
        null=True,
        blank=True,
        verbose_name=_("CRS (EPSG)"),
        help_text=_(
            "Projected coordinate system in metres for the grid. Leave empty for the UTM zone of the boundary."
        ),
    )
    clock = models.CharField(
        max_length=2,
        choices=[("24", "16:40"), ("12", _("4:40 PM"))],
        default="24",
        help_text=_("How times are written on pages and print-outs. Files and interfaces keep 24 hours."),
    )
    units = models.CharField(
        max_length=8,
        choices=[("metric", _("metres and kilometres")), ("imperial", _("feet and miles"))],
        default="metric",
        help_text=_("How distances are written on pages. Settings, files and interfaces keep metres."),
    )
    is_demo = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = _("agencies")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def validate_unique(self, exclude: Any = None) -> None:
        # A slug is taken by agencies beyond the asker's reach too; unseen, the database's refusal would be a broken page.
        with walls.within(walls.EVERYTHING):
            super().validate_unique(exclude=exclude)

    def clean(self) -> None:
        problems: dict[str, ValidationError] = {}
        try:
            validate_agency_slug(self.slug)
        except ValidationError as exc:
            problems["slug"] = exc
        try:
            if self.crs_epsg:
                validate_projected_crs(self.crs_epsg)
        except ValidationError as exc:
            problems["crs_epsg"] = exc
        if problems:
            raise ValidationError(problems)  # type: ignore[arg-type]  # the stubs want lists of them


class District(models.Model):
    """A command area. Beats lie in one district; supervisors may be limited to some."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    code = models.CharField(max_length=20, help_text=CODE_HELP)
    name = models.CharField(
        max_length=80, blank=True, help_text=_("Shown beside the code where there is room.")
    )
    geometry = AreaField(
        help_text=_("The district's area. Used to place beats that name no district, and on maps.")
    )

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "code"], name="district_code_once_per_agency")
        ]

    def __str__(self) -> str:
        return self.name or gettext("District %(code)s") % {"code": self.code}


class Beat(models.Model):
    """The area that a unit patrols: missions are drawn beat by beat."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    district = models.ForeignKey(
        District,
        on_delete=models.PROTECT,
        help_text=_("The district that the beat lies in: its priorities apply here."),
    )
    code = models.CharField(max_length=20, help_text=CODE_HELP)
    name = models.CharField(
        max_length=80, blank=True, help_text=_("Shown beside the code where there is room.")
    )
    geometry = AreaField(
        help_text=_(
            "The beat's area. A grid cell belongs to the beat that holds its centre; missions of the beat are "
            "drawn among those cells."
        )
    )

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["agency", "code"], name="beat_code_once_per_agency")]

    def __str__(self) -> str:
        return gettext("Beat %(code)s") % {"code": self.code}

    def clean(self) -> None:
        if self.district_id and self.agency_id and self.district.agency_id != self.agency_id:
            raise ValidationError({"district": gettext("This district belongs to another agency.")})


class Shift(models.Model):
    """A recurring watch, e.g. evening 16:00-00:00. One dated occurrence of it is a shift instance."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(max_length=40, help_text=_("Shown in the shift picker, e.g. “Evening”."))
    slug = models.SlugField(max_length=40, help_text=_("Part of the shift map's address, e.g. “evening”."))
    starts_at = models.TimeField(
        help_text=_("Local wall-clock start. Forecasts and plans are made per shift.")
    )
    duration_minutes = models.PositiveIntegerField(
        validators=[MinValueValidator(60), MaxValueValidator(24 * 60)],
        help_text=_("Elapsed length in minutes, also on days when clocks change. A shift may pass midnight."),
    )
    weekdays = models.CharField(
        max_length=7,
        default="0123456",
        validators=[
            RegexValidator(
                r"^0?1?2?3?4?5?6?$", _("Use digits 0 (Monday) to 6 (Sunday), ascending, once each.")
            )
        ],
        help_text=_("Days on which the shift starts: 0 is Monday, 6 is Sunday. “0123456” is every day."),
    )

    class Meta:
        ordering = ["starts_at"]
        constraints = [models.UniqueConstraint(fields=["agency", "slug"], name="shift_slug_once_per_agency")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.weekdays:
            raise ValidationError({"weekdays": gettext("Name at least one day.")})

    @property
    def start_minute(self) -> int:
        return self.starts_at.hour * 60 + self.starts_at.minute

    @property
    def weekday_numbers(self) -> tuple[int, ...]:
        return tuple(int(digit) for digit in self.weekdays)

    @property
    def hours_label(self) -> str:
        end = (self.start_minute + self.duration_minutes) % (24 * 60)
        return f"{clock_text(self.starts_at)}–{clock_text(dt.time(end // 60, end % 60))}"


class CrimeType(models.Model):
    """A type of crime that the agency forecasts. Only offences of the allow-list can be saved (DOMAIN §2)."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=60, help_text=_("Shown on maps, lists and reports, e.g. “Burglary, residential”.")
    )
    slug = models.SlugField(max_length=60, help_text=_("Used in exports and addresses, e.g. “burglary”."))
    nibrs_code = models.CharField(
        max_length=24,
        verbose_name=_("offence class"),
        help_text=_(
            "The national offence class (NIBRS) that this is, or is a part of. Only classes that are reported "
            "by the public and not prone to enforcement bias can be forecast."
        ),
    )
    written_reason = models.TextField(
        blank=True,
        help_text=_(
            "Needed only where the name contains a screened word (“robbery of a drug store”): why this is not "
            "the refused offence. Kept in the audit log."
        ),
    )
    weight = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(1000.0)],
        help_text=_(
            "Severity. Harm is weight × expected count, so a type with weight 4 draws missions like four times "
            "as many of weight 1. 0 forecasts the type without sending missions for it."
        ),
    )
    colour = models.CharField(
        max_length=7,
        default="#0072B2",
        validators=[RegexValidator(r"^#[0-9A-Fa-f]{6}$", _("Use a colour such as #0072B2."))],
        help_text=_("Colour of this type's mission boxes."),
    )
    letter = models.CharField(
        max_length=2, help_text=_("Printed in the box, so that colour is never alone (B, R, V, T, A, H, G).")
    )
    is_active = models.BooleanField(
        default=True, help_text=_("Inactive types are kept but neither trained nor planned.")
    )

    class Meta:
        ordering = ["-weight", "name"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "slug"], name="crime_type_slug_once_per_agency")
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        # The last door: a script that skips full_clean must not create a refused crime type either.
        self.clean()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        verdict = offence_policy.screen_code(
            code=self.slug,
            nibrs="",
            ucr="",
            description=self.name,
            written_reason=self.written_reason,
            # Not nibrs: what a person declares must not switch off the screening of the name.
            declared=self.nibrs_code,
        )
        if isinstance(verdict, offence_policy.Refused):
            raise ValidationError({"nibrs_code": refusal_said(verdict.message)}, code="refused_offence")
        if isinstance(verdict, offence_policy.NeedsReason):
            raise ValidationError({"written_reason": refusal_said(verdict.message)}, code="needs_reason")


class Unit(models.Model):
    """A car or foot team that carries missions out."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    call_sign = models.CharField(
        max_length=20, help_text=_("As on the radio. Shown beside assigned missions.")
    )
    beat = models.ForeignKey(
        Beat,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text=_(
            "Home beat: the unit adds its missions to this beat's number. Empty: not counted in plans."
        ),
    )
    shifts = models.ManyToManyField(
        Shift, blank=True, help_text=_("Shifts that the unit works. None selected means all of them.")
    )
    missions_per_shift = models.PositiveSmallIntegerField(
        default=3,
        validators=[MaxValueValidator(20)],
        help_text=_("How many boxes the unit is sent to in a shift, before the draw. 0 sends it nowhere."),
    )
    is_active = models.BooleanField(default=True, help_text=_("Inactive units are kept but not planned for."))

    class Meta:
        ordering = ["call_sign"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "call_sign"], name="call_sign_once_per_agency")
        ]

    def __str__(self) -> str:
        return self.call_sign

    def clean(self) -> None:
        if self.beat and self.beat.agency_id != self.agency_id:
            raise ValidationError({"beat": gettext("This beat belongs to another agency.")})


class Role(models.TextChoices):
    OFFICER = "officer", _("Officer")
    SUPERVISOR = "supervisor", _("Supervisor")
    ANALYST = "analyst", _("Analyst")
    ADMIN = "admin", _("Agency administrator")
    AUDITOR = "auditor", _("Auditor")


class Membership(models.Model):
    """What a person may do in one agency."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="memberships", help_text=_("The person.")
    )
    role = models.CharField(
        max_length=12,
        choices=Role,
        help_text=_(
            "Officer: own missions. Supervisor: shift map, publish, assign. Analyst: risk map, exports. "
            "Agency administrator: everything in this admin. Auditor: reads everything, changes nothing."
        ),
    )
    districts = models.ManyToManyField(
        District, blank=True, help_text=_("Limits a supervisor to these districts. None selected means all.")
    )
    unit = models.ForeignKey(
        Unit,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text=_("An officer's unit: whose missions they see."),
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agency", "user"], name="one_membership_per_agency_user")
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_role_display()}"

    def clean(self) -> None:
        if self.unit and self.unit.agency_id != self.agency_id:
            raise ValidationError({"unit": gettext("This unit belongs to another agency.")})


from agencies.models_audit import AuditChain, AuditCheckpoint, AuditEvent  # noqa: E402 - they name the agency above
from agencies.models_sign_on import GroupRole, SignOnGrant, SpentAssertion  # noqa: E402 - they name the roles above

# Models of other modules that the rest of the program knows as this one's.
__all__ = [
    "AuditChain",
    "AuditCheckpoint",
    "AuditEvent",
    "BaseMap",
    "DistrictPriority",
    "GroupRole",
    "SignOnGrant",
    "SpentAssertion",
]
