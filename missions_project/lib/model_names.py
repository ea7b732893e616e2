"""Names of models and fields that nobody wrote down are read in the reader's language, too.

Django makes "cell size m" of ``cell_size_m`` and "crime type" of ``CrimeType`` by itself, in English. Naming each of them by
hand would change hundreds of lines and every migration's state to say what the code says already.
"""

from typing import Any

from django.utils.translation import gettext_lazy

OURS = frozenset({"agencies", "ingestion", "ingestion_audit", "forecasting", "patrols", "tactics"})


def automatic_names(model: Any) -> list[str]:
    """The names that Django made of the code: the model's own, in one and many, and those of its fields."""
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
        meta.verbose_name_plural = gettext_lazy(str(meta.verbose_name_plural))
    if "verbose_name" not in meta.original_attrs:
        meta.verbose_name = gettext_lazy(str(meta.verbose_name))
    for field in _unnamed(meta):
        # The name as written (none) stays: migrations are made from that one, and none comes of a translation.
        field.verbose_name = gettext_lazy(str(field.verbose_name))


def _unnamed(meta: Any) -> list[Any]:
    return [
        field
        for field in [*meta.local_fields, *meta.local_many_to_many]
        if getattr(field, "_verbose_name", "") is None and field.verbose_name
    ]
