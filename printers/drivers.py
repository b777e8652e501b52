"""The driver of a printer as it is declared: `ipp`, `raw` or `folder`."""

from __future__ import annotations

from pathlib import Path

from core.clock import Clock
from core.errors import BadInput
from core.i18n import _
from core.model.printing import Printer
from printers.folder import FolderPrinter
from printers.ipp.driver import IppPrinter
from printers.ports import Driver
from printers.raw9100 import RawPrinter


def driver_for(printer: Printer, data: Path, clock: Clock) -> Driver:
    """`data`: a folder printer's relative path starts there. Raises `BadInput` for an unknown kind or address."""
    match printer.kind:
        case "ipp":
            return IppPrinter(printer.uri, clock)
        case "raw":
            return RawPrinter(printer.uri, speaks_zpl=printer.takes == "zpl")
        case "folder":
            return FolderPrinter(data / printer.uri)
    raise BadInput(_("Genre d'imprimante inconnu : %s (ipp, raw ou folder)") % printer.kind, "kind")
