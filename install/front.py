"""HTTPS in front of the kiosk: a site file for Debian's nginx and a certificate to begin with.

waitress speaks no TLS and stays on loopback; nginx is the declared front server (`web.behind_proxy`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from core.errors import BadInput, Conflict, NotFound
from core.i18n import _

SITE = """\
# Yelen behind nginx. Made by « yelen init --tls ».
limit_conn_zone $binary_remote_addr zone=yelen_addresses:10m;
server {{
    listen {https} ssl;
    server_name {name};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    server_tokens off;
    client_header_timeout 10s;
    client_body_timeout 30s;
    client_max_body_size 64m;
    limit_conn yelen_addresses 20;
    add_header Strict-Transport-Security "max-age=31536000" always;
    location / {{
        proxy_pass http://127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto https;
        proxy_buffering on;
        proxy_read_timeout 75s;
    }}
}}
server {{
    listen {http};
    server_name {name};
    return 301 https://$host$request_uri;
}}
"""


def check_front(name: str) -> None:
    """What can be known before anything is made. Raises `BadInput` for a wrong name, `NotFound` without openssl."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", name):
        raise BadInput(_("« %s » n'est pas un nom de machine.") % name[:60], "tls")
    if shutil.which("openssl") is None:
        raise NotFound(_("openssl manque : apt-get install openssl nginx"))


def write_front(data: Path, name: str, port: int, https: int = 443, http: int = 80) -> Path:
    """The site file for nginx, and beside it a self-signed certificate of ten years until the hospital has its own.

    name: what browsers type. port: of the kiosk on loopback.
    """
    check_front(name)
    folder = data / "nginx"
    folder.mkdir(mode=0o700, exist_ok=True)
    key, certificate = data / "secrets" / "tls.key", folder / "tls.crt"
    _certificate(name, key, certificate)
    site = folder / "yelen.conf"
    site.write_text(
        SITE.format(name=name, port=port, https=https, http=http, certificate=certificate, key=key), encoding="utf-8"
    )
    return site


def _certificate(name: str, key: Path, certificate: Path) -> None:
    key.touch(mode=0o600)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "3650", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={_alternative(name)}", "-keyout", str(key), "-out", str(certificate)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if made.returncode:
        raise Conflict(_("openssl n'a pas fait le certificat : %s") % made.stderr.strip()[-200:])


def _alternative(name: str) -> str:
    return f"IP:{name}" if re.fullmatch(r"[0-9.]+", name) else f"DNS:{name}"
