"""systemd hears of the center when it answers, and only then."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sarhad.center_watch import answers, watch_center


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_ready_comes_first_and_the_watchdog_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, HTTPServer(("127.0.0.1", 0), Healthy) as center:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        Thread(target=center.serve_forever, daemon=True).start()
        watching = watch_center("127.0.0.1", center.server_port)
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        monkeypatch.delenv("NOTIFY_SOCKET")
        watching.join(20.0)
        assert not watching.is_alive()
        center.shutdown()


def test_a_center_that_is_not_there_does_not_answer():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert not answers(f"http://127.0.0.1:{port}/healthz")
