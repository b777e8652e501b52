"""What may reach a printer: our own PDF or our own labels, of a sane size, without a command hidden before them."""

from __future__ import annotations

from core.errors import BadInput
from core.i18n import _

MAX_DOCUMENT = 50_000_000  # bytes
PDF, ZPL = "application/pdf", "application/vnd.zebra-zpl"
MAGIC = {PDF: b"%PDF-", ZPL: b"^XA"}
UEL = b"\x1b%-12345X"  # universal exit language: what follows is PJL


def checked(document: bytes, document_format: str) -> bytes:
    """The document less its PJL wrapping. Raises `BadInput` for PostScript, for anything else, or when too big."""
    if len(document) > MAX_DOCUMENT:
        raise BadInput(_("Document de plus de 50 Mo : refusé."), "document")
    bare = _without_pjl(document) if document_format == PDF else document
    if document_format not in MAGIC or not bare.startswith(MAGIC[document_format]):
        raise BadInput(_("Ce n'est pas un document que nous imprimons."), "document")
    return bare


def _without_pjl(document: bytes) -> bytes:
    if not document.startswith(UEL):
        return document
    start = document.find(MAGIC[PDF], 0, 65536)
    body = document[start:] if start > 0 else b""
    return body.rstrip(b"\r\n").removesuffix(UEL)
