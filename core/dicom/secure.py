"""DICOM over TLS: the port where a machine proves who it is by its certificate.

The BCP 195 profile with TLS 1.2 and authenticated ciphers as its floor, 1.3 where the peer has it. A machine's own
certificate is part of its row: it is trusted as it stands, whoever signed it, and no other one speaks for that machine.
A certificate that no row holds ends the handshake; a machine that shows none is let in where its row asks for none.
Source: PS3.15 B.9 to B.12, RFC 9325, RFC 8996.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import BadConfig
from core.i18n import _

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"  # of TLS 1.2; those of 1.3 are all authenticated


@dataclass(frozen=True, slots=True)
class Line:
    """How a peer reached us, and what it proves. certificate: its own in DER, b"" when it showed none.

    identity: digest of the user and passcode that it gave (`core.model.device.identity_of`), "" when it gave none.
    """

    secured: bool = False
    certificate: bytes = b""
    identity: str = ""


PLAIN: Final = Line()


class SecureSocket(ssl.SSLSocket):
    """A TLS connection that the doorstep and the wire use as a plain one: what would wait is a `BlockingIOError`.

    The handshake is part of the first `recv_into`, so that a slow one costs what any slow visitor costs.
    """

    _shaken = False

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        with self._one_try(flags):
            if not self._shaken:
                self.do_handshake()
                self._shaken = True
            if flags & socket.MSG_DONTWAIT and not self.pending() and not _has_arrived(self):
                raise BlockingIOError
            return super().recv_into(buffer, nbytes or None)

    def send(self, data: Any, flags: int = 0) -> int:
        if not self._shaken:
            raise OSError("no word before the handshake")
        with self._one_try(flags):
            return super().send(data)

    @contextlib.contextmanager
    def _one_try(self, flags: int) -> Any:
        patience = self.gettimeout()
        if flags & socket.MSG_DONTWAIT:
            self.settimeout(0)
        try:
            yield
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, TimeoutError) as wait:
            raise BlockingIOError from wait
        finally:
            if flags & socket.MSG_DONTWAIT:
                self.settimeout(patience)

    def shutdown(self, how: int) -> None:
        """Say goodbye in TLS (close_notify), without waiting for the answer, then in TCP."""
        with contextlib.suppress(OSError, ValueError):
            self.settimeout(0)
            self._sslobj.shutdown()  # type: ignore[attr-defined]
        super().shutdown(how)

    def line(self) -> Line:
        return Line(True, self.getpeercert(binary_form=True) or b"")


def _has_arrived(connection: socket.socket) -> bool:
    look = select.poll()  # select() knows no descriptor above 1023
    look.register(connection, select.POLLIN)
    return bool(look.poll(0))


def line_of(connection: socket.socket) -> Line:
    """What the connection proves. The handshake must be over."""
    return connection.line() if isinstance(connection, SecureSocket) else PLAIN


class Secured:
    """Makes accepted sockets TLS ones. trusted: the certificates (PEM) of the machines as they stand now."""

    def __init__(self, certificate: Path, key: Path, trusted: Callable[[], Iterable[str]]) -> None:
        """Raises `BadConfig` when our own certificate or its key cannot be used."""
        self._certificate, self._key = certificate, key
        self._trusted = trusted
        self._lock = threading.Lock()
        self._context = _context(certificate, key, ())
        self._known: tuple[str, ...] = ()

    def __call__(self, connection: socket.socket) -> socket.socket:
        """The handshake comes later, with the first read. Raises OSError."""
        return self._now().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def _now(self) -> ssl.SSLContext:
        known = tuple(sorted(pem for pem in self._trusted() if pem))
        with self._lock:
            if known != self._known:
                self._context, self._known = _context(self._certificate, self._key, known), known
            return self._context


def _context(certificate: Path, key: Path, trusted: Iterable[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.sslsocket_class = SecureSocket
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a machine's own certificate is its anchor
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as fault:
        sentence = _("dicom.tls : certificat ou clé illisible (%s). « yelen init --tls NOM » en fait un.")
        raise BadConfig([sentence % (fault.strerror or fault)]) from fault
    for pem in trusted:
        context.load_verify_locations(cadata=pem)
    return context
