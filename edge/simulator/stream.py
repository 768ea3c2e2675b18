"""The camera's server: whoever connects gets access units from the next key frame on.

Every access unit is followed by the next one's delimiter, so that its receiver knows at once that it is whole and need not
wait for the next picture (a tenth of a second).

A client that falls behind by more than `BACKLOG_BYTES` is let go; the camera never waits for one.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

BACKLOG_BYTES = 4_000_000  # about four seconds of this picture at 8 Mbit/s
DELIMITER = b"\x00\x00\x00\x01\x09\xf0"  # access unit delimiter, any slice type: ITU-T H.264, 7.3.2.4


class CameraServer:
    """TCP on loopback; port 0 takes a free one. The stream is H.264, Annex B."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._clients: list[Client] = []
        self._lock = threading.Lock()
        self._has_client = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # the server was closed
                return
            with self._lock:
                self._clients.append(Client(connection))
            self._has_client.set()

    @property
    def client_count(self) -> int:
        return len(self._clients)

    def wait_for_client(self, timeout_s: float) -> bool:
        """Until somebody has connected."""
        return self._has_client.wait(timeout_s)

    def send(self, access_unit: bytes) -> None:
        begins = is_key_frame(access_unit)
        with self._lock:
            self._clients = [client for client in self._clients if client.offer(access_unit, begins)]

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients = []


class Client:
    """One connection; it begins at a key frame."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unsent = bytearray()
        self._has_begun = False

    def offer(self, access_unit: bytes, begins: bool) -> bool:
        """Whether the client is still there and keeps up."""
        self._has_begun = self._has_begun or begins
        if self._has_begun:
            self._unsent += access_unit + DELIMITER
        try:
            while self._unsent:
                del self._unsent[: self._connection.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return False
        if len(self._unsent) > BACKLOG_BYTES:
            self.close()
            return False
        return True

    def close(self) -> None:
        self._connection.close()


def is_key_frame(access_unit: bytes) -> bool:
    """Whether an Annex B access unit holds an IDR slice (NAL unit type 5) or its parameter sets (7)."""
    start = access_unit.find(b"\0\0\1")
    while start >= 0 and start + 3 < len(access_unit):
        unit_type = access_unit[start + 3] & 0x1F
        if unit_type in (5, 7):
            return True
        if unit_type == 1:
            return False
        start = access_unit.find(b"\0\0\1", start + 3)
    return False
