"""Names of models and fields that nobody wrote down are read in the reader's language, too.

Django makes "cell size m" of ``cell_size_m`` and "crime type" of ``CrimeType`` by itself, in English. Naming each of them by
hand would change hundreds of lines and every migration's state to say what the code says already. Where the code's word is
none of a reader's ("slug", "n cells"), ``missions_project.model_words.plainer`` has the reader's.
"""

from typing import Any

from django.utils.translation import gettext_lazy

from missions_project.model_words import plainer

OURS = frozenset({"agencies", "ingestion", "ingestion_audit", "forecasting", "patrols", "tactics"})


def automatic_names(model: Any) -> list[str]:
    """The names that nobody wrote in the models: the model's own, in one and many, and those of its fields."""
    meta = model._meta
    names = [] if "verbose_name" in meta.original_attrs else [str(meta.verbose_name_raw)]
    if "verbose_name_plural" not in meta.original_attrs:
        names.append(str(meta.verbose_name_plural))
    names += [str(field.verbose_name) for field in _unnamed(meta)]
    return names


def names_translated(sender: Any, **_kwargs: Any) -> None:
    """Receiver of ``class_prepared``: what was named automatically is looked up in the reader's language when it is shown.

    Forms take labels from the fields as soon as their module is read, so this cannot wait until all models are there.
    """
    meta = sender._meta
    # The models of migrations are made of history: they have no reader.
    if meta.app_label not in OURS or sender.__module__ == "__fake__":
        return
    if "verbose_name_plural" not in meta.original_attrs:
        many = str(meta.verbose_name_plural)
        meta.verbose_name_plural = gettext_lazy(plainer.MODELS.get(many, many))
    if "verbose_name" not in meta.original_attrs:
        one = str(meta.verbose_name)
        meta.verbose_name = gettext_lazy(plainer.MODELS.get(one, one))
    for field in _unnamed(meta):
        # The name as written (none) stays: migrations are made from that one, and none comes of a translation.
        field.verbose_name = gettext_lazy(_plain(meta, field))


def _plain(meta: Any, field: Any) -> str:
    """What a reader calls the field: "cell size (metres)", not "cell size m"."""
    made = str(field.verbose_name)
    return plainer.FIELDS.get(f"{meta.label_lower}.{field.name}") or plainer.NAMES.get(made, made)


def _unnamed(meta: Any) -> list[Any]:
    return [
        field
        for field in [*meta.local_fields, *meta.local_many_to_many]
        if getattr(field, "_verbose_name", "") is None and field.verbose_name
    ]
