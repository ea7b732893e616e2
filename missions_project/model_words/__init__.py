"""The automatic names of all models and fields, for the translators; ``missions_project.lib.model_names`` looks them up.

A test says which name is missing here, or is not needed any more.
"""

from missions_project.model_words import first_half, plainer, second_half

NAMES = (
    *first_half.NAMES,
    *second_half.NAMES,
    *plainer.FIELDS.values(),
    *plainer.MODELS.values(),
    *plainer.NAMES.values(),
)
