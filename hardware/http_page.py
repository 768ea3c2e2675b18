"""A page that a device keeps up to date, asked for again and again: a KrakenSDR's newest directions.

    GET path ──▶ page, delivered where it is another than the last one ──▶ pause ──▶ GET path ...

A last line without an end gets one: what comes next is another page, not its rest. No TLS, no log-in: for devices of the
post's own network.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time

from hardware.device import Delivery, DeviceLost

ANSWER_S = 3.0
LONGEST_PAGE = 1_048_576


class HttpPage:
    """Driver `http_page`. A page that stays the same is the device's silence."""

    def __init__(self, host: str, port: int = 80, path: str = "/", every_s: float = 0.5) -> None:
        self.host, self.port, self.path, self._every_s = host, port, path, every_s
        self._connection: http.client.HTTPConnection | None = None
        self._last: bytes | None = None
        self._next_s = 0.0
        self._waiting = threading.Event()  # never set: a pause that costs nothing

    def open(self) -> None:
        """Raises DeviceLost."""
        self.close()
        try:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_S)
            connection.connect()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise self._lost(error) from error
        self._connection, self._last, self._next_s = connection, None, 0.0

    def read(self, timeout_s: float) -> Delivery | None:
        """The page, where it is due and is another one. Raises DeviceLost."""
        wait_s = self._next_s - time.monotonic()
        if wait_s > 0.0:
            self._waiting.wait(min(wait_s, timeout_s))
            if wait_s > timeout_s:
                return None
        self._next_s = time.monotonic() + self._every_s
        page = self._page()
        if page == self._last:
            return None
        self._last = page
        return Delivery(page if page.endswith(b"\n") or not page else page + b"\n", source=f"{self.host}:{self.port}")

    def close(self) -> None:
        """Let go of the connection."""
        opened, self._connection = self._connection, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()

    def _page(self) -> bytes:
        if self._connection is None:
            raise DeviceLost(f"{self._name} is not open")
        try:
            # a connection each time: small servers close idle ones without a word
            self._connection.request("GET", self.path, headers={"Connection": "close"})
            response = self._connection.getresponse()
            page = response.read(LONGEST_PAGE)
            rest = response.read(1)
            self._connection.close()  # the next request opens it again
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._lost(error) from error
        if rest:
            raise DeviceLost(f"{self._name}: a page longer than {LONGEST_PAGE} bytes")
        if response.status != 200:
            raise DeviceLost(f"{self._name}: {response.status} {response.reason}; expected a page")
        return page

    @property
    def _name(self) -> str:
        return f"http://{self.host}:{self.port}{self.path}"

    def _lost(self, error: Exception) -> DeviceLost:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return DeviceLost(f"{self._name}: {text}")
