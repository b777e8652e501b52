"""The site's configuration: one commented TOML file, read whole, refused whole.

`load` gives frozen values or raises `BadConfig` with every fault at once, each in French with its file and line.
Values are passed in, never kept as a global. Floor: the lowest; imports only `core.errors` and `core.i18n`.
"""

from core.config.loading import FILE_NAME, Config, filled_template, load, template
from core.config.sections import (
    Archive,
    Dicom,
    Hl7,
    Imaging,
    Printing,
    Replica,
    Reports,
    Rpc,
    Scheduling,
    Site,
    Storage,
    Web,
)

__all__ = [
    "FILE_NAME",
    "Archive",
    "Config",
    "Dicom",
    "Hl7",
    "Imaging",
    "Printing",
    "Replica",
    "Reports",
    "Rpc",
    "Scheduling",
    "Site",
    "Storage",
    "Web",
    "filled_template",
    "load",
    "template",
]
