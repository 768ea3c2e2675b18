"""A device that is spoken to in datagrams and answers each: a pan-tilt camera on the network.

The socket is bound to the one device, so what others send never comes in. A datagram that is lost is not sent again: whoever
asks will ask anew. A device that has gone is mostly silence; a host that is there without the device refuses, which is a loss.
"""

from __future__ import annotations

import socket

from hardware.device import Delivery, DeviceLost

LONGEST_DATAGRAM = 65_535


class UdpDevice:
    """Driver `udp_device`. host, port: the device's."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Raises DeviceLost, also for a host that has no address or can have none."""
        self.close()
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(address)
        except (OSError, UnicodeError) as error:
            self.close()
            raise self._lost(error) from error

    def read(self, timeout_s: float) -> Delivery | None:
        """The next datagram of the device. Raises DeviceLost."""
        opened = self._opened()
        opened.settimeout(max(timeout_s, 0.001))  # 0 would be another mode
        try:
            return Delivery(opened.recv(LONGEST_DATAGRAM), source=f"{self.host}:{self.port}")
        except TimeoutError:
            return None
        except OSError as error:
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        """Send one datagram. Raises DeviceLost."""
        try:
            self._opened().send(data)
        except OSError as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Let go of the socket."""
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise DeviceLost(f"udp {self.host}:{self.port} is not open")
        return self._socket

    def _lost(self, error: OSError | UnicodeError) -> DeviceLost:
        reason = getattr(error, "strerror", None) or str(error)
        text = "nobody listens there" if isinstance(error, ConnectionRefusedError) else reason
        return DeviceLost(f"udp {self.host}:{self.port}: {text}")
