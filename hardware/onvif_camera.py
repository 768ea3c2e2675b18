"""A device that is spoken to over HTTP, a message and its answer at a time: a network camera's ONVIF service.

    write(message) ── POST ──▶ answer, kept ──▶ read()

One connection is kept open and opened again where the device closed it. A refusal in XML is an answer: its words are
what the user needs. A device that refuses otherwise, or does not answer within `ANSWER_S`, is lost.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections import deque
from pathlib import Path

from hardware.device import Delivery, DeviceLost

ANSWER_S = 3.0
LONGEST_ANSWER = 262_144
MAX_ANSWERS = 64  # kept for the reader, the newest
CONTENT = "application/soap+xml; charset=utf-8"
XML_TYPES = ("application/soap+xml", "application/xml", "text/xml")
REFUSED = (401, 403)


class OnvifCamera:
    """Driver `onvif_camera`. path: of the camera's PTZ service; profile: token of the media profile that is turned."""

    def __init__(
        self,
        host: str,
        profile: str,
        port: int = 80,
        path: str = "/onvif/ptz_service",
        user: str | None = None,
        password_file: str | None = None,
    ) -> None:
        self.host, self.port, self.path, self.profile, self.user = host, port, path, profile, user
        self._password_file = password_file
        self._connection: http.client.HTTPConnection | None = None
        self._answers: deque[bytes] = deque(maxlen=MAX_ANSWERS)
        self._waiting = threading.Event()  # never set: a pause that costs nothing

    def password(self) -> str:
        """Read anew each time: it may have been changed. Raises DeviceLost."""
        if self._password_file is None:
            return ""
        try:
            return Path(self._password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DeviceLost(f"{self._password_file}: cannot be read: {error}") from error

    def open(self) -> None:
        """Raises DeviceLost."""
        self.close()
        try:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=ANSWER_S)
            connection.connect()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise self._lost(error) from error
        self._connection = connection

    def write(self, data: bytes) -> None:
        """Send one message and keep its answer. Raises DeviceLost."""
        if self._connection is None:
            raise DeviceLost(f"http://{self.host}:{self.port} is not open")
        try:
            self._connection.request("POST", self.path, data, {"Content-Type": CONTENT})
            response = self._connection.getresponse()
            answer = response.read(LONGEST_ANSWER)
            if response.read(1):
                raise DeviceLost(f"http://{self.host}:{self.port}: an answer longer than {LONGEST_ANSWER} bytes")
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise self._lost(error) from error
        is_xml = bool(answer) and response.headers.get_content_type() in XML_TYPES
        if response.status in REFUSED and not is_xml:
            raise DeviceLost(f"http://{self.host}:{self.port}: user or password is refused ({response.status})")
        if response.status >= 400 and not answer:
            raise DeviceLost(f"http://{self.host}:{self.port}{self.path}: {response.status} {response.reason}")
        self._answers.append(answer)

    def read(self, timeout_s: float) -> Delivery | None:
        """The oldest answer that is kept."""
        if self._answers:
            return Delivery(self._answers.popleft(), source=f"{self.host}:{self.port}")
        self._waiting.wait(timeout_s)
        return None

    def close(self) -> None:
        """Let go of the connection."""
        opened, self._connection = self._connection, None
        self._answers.clear()
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()

    def _lost(self, error: Exception) -> DeviceLost:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return DeviceLost(f"http://{self.host}:{self.port}: {text}")
