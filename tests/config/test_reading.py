"""The reader that says which keys are read: it finds what is there, and misses what only looks like it."""

from __future__ import annotations

import pytest

from tests.config.reading import keys_read


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("config.dicom.port", {"dicom.port"}),
        ("device.port", set()),
        ("dicom.port", set()),
        ("config.dicom.port = 1", set()),
        ("web, now = self.config.web, clock()\nweb.threads", {"web.threads"}),
        ("def serve(settings: Dicom): settings.host", {"dicom.host"}),
        ("class A:\n def a(self, site: Site): self._site = site\n def b(self): self._site.phone", {"site.phone"}),
        ("getattr(config.printing, f'{paper}_printer')",
         {"printing.report_printer", "printing.label_printer", "printing.convocation_printer"}),
        ("'dicom.port'  # a word of a comment or a text is no reading", set()),
    ],
)  # fmt: skip
def test_a_key_is_read_where_its_section_is_asked(code: str, found: set[str]) -> None:
    assert keys_read(code) == found
