"""Orthanc, as somebody else's archive or modality: a process on free ports, asked through its REST interface."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from tests.dicom.modality import PATIENCE
from tests.peers.ports import free_port


class Orthanc:
    """Its REST interface. dicom: its DICOM port."""

    def __init__(self, http: int, dicom: int) -> None:
        self._url = f"http://127.0.0.1:{http}"
        self.dicom = dicom

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: bytes | dict[str, Any] | list[Any]) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self._url + path, content), timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def delete(self, path: str) -> None:
        request = urllib.request.Request(self._url + path, method="DELETE")
        with urllib.request.urlopen(request, timeout=PATIENCE):
            pass

    def commitment(self, name: str) -> dict[str, Any]:
        """The report of a transaction, once it is there."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found: dict[str, Any] = self.get(f"/storage-commitment/{name}")
            if found["Status"] != "Pending":
                return found
        raise AssertionError("no report")


@contextmanager
def orthanc(folder: Path, title: str, ours: int, **more: Any) -> Iterator[Orthanc]:
    """Started under this AE title, knowing us as YELEN on port `ours`. more: settings of its configuration."""
    http, dicom = free_port(), free_port()
    settings = {
        "Name": title, "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "HttpPort": http, "DicomPort": dicom,
        "DicomAet": title, "Plugins": [], "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True,
        "DicomModalities": {"YELEN": {"AET": "YELEN", "Host": "127.0.0.1", "Port": ours,
                                      "AllowStorageCommitment": True}},
    }  # fmt: skip
    (folder / "peer.json").write_text(json.dumps(settings | more))
    program = shutil.which("Orthanc")
    assert program is not None
    with (folder / "orthanc.log").open("w") as log:
        process = subprocess.Popen(
            [program, str(folder / "peer.json")], stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"}
        )
        made = Orthanc(http, dicom)
        try:
            _await(made, process)
            yield made
        finally:
            process.kill()  # it takes seconds to leave
            process.wait(PATIENCE)


def _await(made: Orthanc, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            made.get("/system")
            return
        except URLError:
            continue
    raise AssertionError("Orthanc does not answer")
