"""A byte stream over TCP: connected to, or waited for.

    tcp_stream host=192.0.2.9 port=30005                the node connects, as to an ADS-B receiver
    tcp_stream port=4001 listen=true allow=192.0.2.9    the device connects, as a serial-to-network box set to client

A peer that vanishes without a word is found by TCP's own keep-alive within about 15 s.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from hardware.device import Delivery, DeviceLost
from hardware.udp_listener import AllowList

CONNECT_TIMEOUT_S = 5.0
RECEIVE_BYTES = 65_536
KEEP_ALIVE_S = ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 3), (socket.TCP_KEEPCNT, 3))


class TcpStream:
    """Driver `tcp_stream`. With listen one device at a time is heard; a second connection takes the first one's place."""

    def __init__(
        self, port: int, host: str = "127.0.0.1", listen: bool = False, allow: str | Sequence[str] = ()
    ) -> None:
        self.host, self.port, self.listen = host, port, listen
        self.refused = 0  # connections of those not on the list
        self._allow = AllowList(allow)
        self._listener: socket.socket | None = None
        self._stream: socket.socket | None = None
        self._source = ""

    def open(self) -> None:
        """Connect, or begin to listen. Raises DeviceLost."""
        self.close()
        try:
            if self.listen:
                self._listener = socket.create_server((self.host, self.port), backlog=4)
                self.port = self._listener.getsockname()[1]  # 0 asks for any free one
            else:
                self._take(socket.create_connection((self.host, self.port), timeout=CONNECT_TIMEOUT_S))
        except (OSError, UnicodeError, TypeError) as error:  # the latter: `bind`, of a name that it cannot encode
            self.close()
            reason = getattr(error, "strerror", None) or error
            raise DeviceLost(f"tcp {self.host}:{self.port}: {reason}") from error

    def read(self, timeout_s: float) -> Delivery | None:
        """What came. Raises DeviceLost when a connection made by the node ends; one waited for is waited for again."""
        if self._listener is not None and self._accept(0.0 if self._stream is not None else timeout_s):
            return None
        if self._stream is None:
            if self._listener is None:
                raise DeviceLost(f"tcp {self.host}:{self.port} is not open")
            return None
        try:
            self._stream.settimeout(max(timeout_s, 0.001))
            data = self._stream.recv(RECEIVE_BYTES)
        except TimeoutError:
            return None
        except OSError as error:
            self._end(error.strerror or str(error))
            return None
        if not data:
            self._end("the other end closed the connection")
            return None
        return Delivery(data, source=self._source)

    def close(self) -> None:
        for opened in (self._stream, self._listener):
            if opened is not None:
                opened.close()
        self._stream = self._listener = None

    def _accept(self, timeout_s: float) -> bool:
        """Whether a device has connected within timeout_s."""
        assert self._listener is not None
        self._listener.settimeout(timeout_s)
        try:
            stream, address = self._listener.accept()
        except (TimeoutError, BlockingIOError):
            return False
        if not self._allow.allows(address[0]):
            self.refused += 1
            stream.close()
            return False
        before = self._stream
        try:
            self._take(stream)
        except OSError:  # it has gone again, as one that only looks which ports are open
            stream.close()
            return False
        if before is not None:
            before.close()
        return True

    def _take(self, stream: socket.socket) -> None:
        address = stream.getpeername()
        self._source = f"{address[0]}:{address[1]}"
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEP_ALIVE_S:
            stream.setsockopt(socket.IPPROTO_TCP, option, value)
        self._stream = stream

    def _end(self, reason: str) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._listener is None:
            raise DeviceLost(f"tcp {self.host}:{self.port}: {reason}")
