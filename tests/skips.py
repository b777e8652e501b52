"""Every reason for which a test may be skipped. A run that skips for another reason fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

CORPUS_ABSENT = "corpus absent: set YELEN_CORPUS"
NO_DCMTK = "dcmtk absent: apt-get install dcmtk"
NO_ORTHANC = "orthanc absent: apt-get install orthanc"
NO_CHROMIUM = "chromium absent: apt-get install chromium"
NO_RSYNC = "rsync absent: apt-get install rsync"
NO_IPPEVEPRINTER = "ippeveprinter absent: apt-get install cups-ipp-utils"
NO_AVAHI = "avahi or dbus absent: apt-get install avahi-daemon dbus"
NO_POPPLER = "poppler absent: apt-get install poppler-utils"
NO_STRACE = "strace absent: apt-get install strace"
NO_TMUX = "tmux absent: apt-get install tmux"
NO_NGINX = "nginx absent: apt-get install nginx-light"
NO_SYSTEMD = "systemd-analyze absent"
NOT_ROOT = "needs root"
NO_NAMESPACES = "needs network namespaces"
FULL_ONLY = "long run: ./install/test --full"

KNOWN_REASONS = frozenset(value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str))


def corpus() -> Path | None:
    """The folder of real files, or None when it is not on this machine."""
    folder = Path(os.environ.get("YELEN_CORPUS", Path(__file__).parent.parent.parent / "shared" / "data"))
    return folder if folder.is_dir() else None


def _without(program: str, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


needs_dcmtk = _without("storescu", NO_DCMTK)
needs_orthanc = _without("Orthanc", NO_ORTHANC)
needs_chromium = _without("chromium", NO_CHROMIUM)
needs_rsync = _without("rsync", NO_RSYNC)
needs_ippeveprinter = _without("ippeveprinter", NO_IPPEVEPRINTER)
needs_poppler = _without("pdftotext", NO_POPPLER)
needs_strace = _without("strace", NO_STRACE)
needs_tmux = _without("tmux", NO_TMUX)
needs_nginx = _without("nginx", NO_NGINX)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=NOT_ROOT)
needs_corpus = pytest.mark.skipif(corpus() is None, reason=CORPUS_ABSENT)
