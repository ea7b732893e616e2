"""An agency's whole configuration as one document: no people, no secrets, nothing that came in through a feed."""

from agencies.configuration.documents import (
    KIND,
    MAX_BYTES,
    SCHEMA,
    ConfigurationError,
    configuration_parse,
    configuration_text,
)
from agencies.configuration.exporting import configuration_export
from agencies.configuration.importing import ImportedConfiguration, configuration_clone, configuration_import
from agencies.configuration.sections import Section, register, sections

__all__ = [
    "KIND",
    "MAX_BYTES",
    "SCHEMA",
    "ConfigurationError",
    "ImportedConfiguration",
    "Section",
    "configuration_clone",
    "configuration_export",
    "configuration_import",
    "configuration_parse",
    "configuration_text",
    "register",
    "sections",
]
