"""nginx in front, as `yelen init --tls` prepares it: a real nginx, a real certificate, the real kiosk."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator

import pytest

from install.front import write_front
from tests.install.boxes import ANY_PORT, PASSWORD, Box, yelen
from tests.peers.ports import free_port
from tests.skips import needs_nginx

pytestmark = needs_nginx
NAME = "yelen.local"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    data = tmp_path_factory.mktemp("front") / "data"
    options = [word for setting in ANY_PORT for word in ("--set", setting)]
    done = yelen("init", "--tls", NAME, *options, data=data, stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    assert "/etc/nginx/sites-enabled" in done.stdout
    opened = Box(data)
    yield opened
    opened.stop()


@pytest.fixture(scope="module")
def nginx(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The HTTPS port of an nginx with our site file, as one process of ours."""
    folder, https = tmp_path_factory.mktemp("nginx"), free_port()
    site = write_front(box.data, NAME, box.port("http"), https, free_port())
    temporary = "".join(
        f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} include {site}; }}"
    )
    process = subprocess.Popen([shutil.which("nginx") or "", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", https), timeout=10).close()
                break
            except ConnectionRefusedError:
                continue
        assert process.poll() is None, (folder / "error.log").read_text()
        yield https
    finally:
        process.terminate()
        process.wait(30)


def get(box: Box, port: int, path: str) -> http.client.HTTPResponse:
    """A page over HTTPS, the certificate checked against the one that was made."""
    trust = ssl.create_default_context(cafile=str(box.data / "nginx" / "tls.crt"))
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    secured = trust.wrap_socket(raw, server_hostname=NAME)
    connection = http.client.HTTPConnection(NAME)
    connection.sock = secured
    connection.request("GET", path, headers={"Host": NAME})
    return connection.getresponse()


def test_the_login_page_comes_over_https(box: Box, nginx: int) -> None:
    first = get(box, nginx, "/")
    assert first.status == 303
    page = get(box, nginx, str(first.headers["Location"]))
    assert page.status == 200
    assert "Yelen" in page.read().decode()
    assert page.headers["Strict-Transport-Security"]


def test_cookies_are_secure_behind_the_front_server(box: Box, nginx: int) -> None:
    page = get(box, nginx, str(get(box, nginx, "/").headers["Location"]))
    cookies = page.headers.get_all("Set-Cookie") or []
    assert cookies
    assert all("Secure" in cookie for cookie in cookies)


def test_the_private_key_is_for_us_alone(box: Box) -> None:
    assert stat.S_IMODE((box.data / "secrets" / "tls.key").stat().st_mode) == 0o600
    assert "behind_proxy = true" in (box.data / "yelen.toml").read_text(encoding="utf-8")
