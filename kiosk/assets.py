"""One style sheet and one script for every page, under names that change with their content.

The script is htmx followed by our own files; each of ours does one thing and does nothing when htmx is missing.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).parent / "static"
HTMX = STATIC / "vendor" / "htmx.min.js"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asset:
    name: str
    mimetype: str
    data: bytes
    gzipped: bytes
    digest: str

    @property
    def url(self) -> str:
        return f"/static/{self.digest}/{self.name}"


def load(static: Path = STATIC) -> Mapping[str, Asset]:
    """Every asset by name, read once."""
    scripts = [HTMX, *sorted((static / "js").glob("*.js"))]
    if not HTMX.exists():
        log.warning("htmx is missing (%s): pages work, but lists do not refresh by themselves", HTMX)
        scripts = scripts[1:]
    found = (
        _asset("kiosk.css", "text/css", sorted((static / "css").glob("*.css"))),
        _asset("kiosk.js", "text/javascript", scripts),
        _asset("yelen.svg", "image/svg+xml", [static / "yelen.svg"]),
    )
    return {asset.name: asset for asset in found}


def tight(script: bytes) -> bytes:
    """Our own scripts without indentation and comment lines; no line of them depends on either."""
    lines = (line.strip() for line in script.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"//"))


def _asset(name: str, mimetype: str, files: list[Path]) -> Asset:
    data = b"\n".join(tight(file.read_bytes()) if file.parent.name == "js" else file.read_bytes() for file in files)
    return Asset(name, mimetype, data, gzip.compress(data, 9, mtime=0), hashlib.sha256(data).hexdigest()[:12])
