"""Datagrams: one delivery each, with the address it came from.

Anyone who reaches the port can send, so `allow` names who may; what others send is dropped and counted. The address of a
datagram is easily forged: a list keeps out mistakes, not attackers.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Sequence

from hardware.device import Delivery, DeviceLost

LONGEST_DATAGRAM = 65_535
BUFFER_BYTES = 4 * 1024 * 1024  # a burst of radar blocks while the thread waits for its turn


class AllowList:
    """Which addresses may speak: single ones or networks, such as 192.0.2.7 or 192.0.2.0/24; none given: all."""

    def __init__(self, allow: str | Sequence[str] = ()) -> None:
        """A text holds several with commas between them. Raises ValueError on what is no address."""
        names = allow.split(",") if isinstance(allow, str) else allow
        self._networks = [ipaddress.ip_network(name.strip(), strict=False) for name in names if name.strip()]

    def allows(self, address: str) -> bool:
        """Whether this numeric address may speak."""
        if not self._networks:
            return True
        spoken = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(spoken, "ipv4_mapped", None)
        return any((mapped or spoken) in network for network in self._networks)


class UdpListener:
    """Driver `udp_listener`. host: the own address to listen on; group: a multicast group to join."""

    def __init__(
        self, port: int, host: str = "0.0.0.0", group: str | None = None, allow: str | Sequence[str] = ()
    ) -> None:
        self.host, self.port, self.group = host, port, group
        self.refused = 0  # datagrams of those not on the list
        self._allow = AllowList(allow)
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Raises DeviceLost."""
        self.close()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            if self.group is not None:
                self._join(self._socket, self.group)
            self._socket.bind((self.host, self.port))
        except (OSError, UnicodeError, TypeError) as error:  # the latter: `bind`, of a name that it cannot encode
            self.close()
            reason = getattr(error, "strerror", None) or error
            raise DeviceLost(f"udp {self.host}:{self.port}: {reason}") from error
        self.port = self._socket.getsockname()[1]  # 0 asks for any free one

    def read(self, timeout_s: float) -> Delivery | None:
        """The next datagram of someone allowed. Raises DeviceLost."""
        if self._socket is None:
            raise DeviceLost(f"udp {self.host}:{self.port} is not open")
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0.0:
            self._socket.settimeout(left_s)
            try:
                data, address = self._socket.recvfrom(LONGEST_DATAGRAM)
            except TimeoutError:
                return None
            except OSError as error:
                raise DeviceLost(f"udp {self.host}:{self.port}: {error.strerror or error}") from error
            if self._allow.allows(address[0]):
                return Delivery(data, source=f"{address[0]}:{address[1]}")
            self.refused += 1
        return None

    def close(self) -> None:
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()

    @staticmethod
    def _join(opened: socket.socket, group: str) -> None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # several programs may listen to one group
        membership = struct.pack("4sl", socket.inet_aton(group), socket.INADDR_ANY)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
