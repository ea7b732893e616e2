"""Which of the agency's map layers tell what a box is near."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency
from ingestion.models import ContextLayer
from tactics.models.catalogue import PlaceKind


class PlaceLayer(models.Model):
    """A map layer that tells where such places are. Without any row for a kind, layers are known by their usual slugs."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    kind = models.CharField(
        max_length=12, choices=PlaceKind, help_text=gettext_lazy("The kind of place that the layer shows.")
    )
    layer = models.ForeignKey(
        ContextLayer, on_delete=models.CASCADE, help_text=gettext_lazy("Its places: points, lines or areas.")
    )
    near_m = models.PositiveSmallIntegerField(
        default=100,
        validators=[MaxValueValidator(2000)],
        verbose_name=gettext_lazy("near (metres)"),
        help_text=gettext_lazy(
            "A box is near when its edge is at most so far from the place. 0: the place must touch the box."
        ),
    )

    class Meta:
        ordering = ["kind", "layer"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "layer"],
                name="layer_once_per_place_kind",
                violation_error_message=gettext_lazy("This layer tells of this kind of place already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.layer}"

    def clean(self) -> None:
        if self.layer_id and self.layer.agency_id != self.agency_id:
            raise ValidationError({"layer": _("This belongs to another agency.")})
        if self.layer_id and self.layer.kind == ContextLayer.Kind.COVERAGE:
            raise ValidationError(
                {"layer": _("A coverage layer shows what sensors hear, not places. Choose another.")}
            )
