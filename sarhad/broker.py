"""A broker for one machine: the one given, else mosquitto from PATH, else the embedded one.

    Broker.start() ──▶ SARHAD_BROKER or address given ──▶ used as it is
                  └──▶ mosquitto on PATH ──▶ process of our own, private settings, a free port of 127.0.0.1
                  └──▶ amqtt             ──▶ the same (`sarhad.embedded_broker`)

A broker that is started here listens on loopback alone, keeps nothing on disk, and ends with `stop`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edge.launch import module_arguments
from sarhad.child import end_with_parent

HOST = "127.0.0.1"
VARIABLE = "SARHAD_BROKER"  # "embedded", "mosquitto" or "host:port"
START_S = 20.0  # a loaded machine needs some seconds to import amqtt
CONNECT = bytes.fromhex("100e00044d51545404020005") + b"\x00\x02rd"  # MQTT 3.1.1, clean session, client "rd"
CONNACK = b"\x20\x02"

MOSQUITTO_SETTINGS = """\
listener {port} {host}
allow_anonymous true
persistence false
set_tcp_nodelay true
log_type error
log_type warning
max_queued_messages 100000
"""
STAY_ROOT = "user root\n"  # who changes its user forgets to end with its parent (prctl(2), PR_SET_PDEATHSIG)


class BrokerError(Exception):
    """No broker could be started or reached; the text says which, and why."""


class Broker:
    """A broker that runs. `kind` is "given", "mosquitto" or "embedded"; `pid` is None for a given one."""

    def __init__(self, kind: str, host: str, port: int, process: subprocess.Popen[bytes] | None, folder: str | None):
        self.kind, self.host, self.port = kind, host, port
        self._process, self._folder = process, folder

    @classmethod
    def start(
        cls,
        address: str | None = None,
        port: int | None = None,
        prefer: Sequence[str] = ("mosquitto", "embedded"),
    ) -> Broker:
        """Use the broker at `address` ("host:port"), or start one; returns when it answers. Raises BrokerError.

        `prefer` may hold "mosquitto" and "embedded" (or "amqtt"). The environment variable SARHAD_BROKER goes before both.
        """
        wish = os.environ.get(VARIABLE) or address
        if wish in ("mosquitto", "embedded", "amqtt"):
            prefer = (wish,)
        elif wish:
            return cls._given(wish)
        for kind in prefer:
            program = shutil.which("mosquitto")
            if kind == "mosquitto" and program:
                return cls._mosquitto(program, port or free_port())
            if kind in ("embedded", "amqtt"):
                return cls._embedded(port or free_port())
        raise BrokerError(f"no broker: wanted {' or '.join(prefer)}; mosquitto is not on PATH")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the process lives; a given broker is taken to."""
        return self._process is None or self._process.poll() is None

    def stop(self) -> None:
        """End the process that was started here; a given broker is left alone. May be called twice."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @classmethod
    def _given(cls, address: str) -> Broker:
        host, _, port = address.removeprefix("mqtt://").rpartition(":")
        if not host or not port.isdigit():
            raise BrokerError(f"broker address is {address!r}, expected host:port, mosquitto or embedded")
        if not answers(host, int(port)):
            raise BrokerError(f"broker {address} does not answer")
        return cls("given", host, int(port), None, None)

    @classmethod
    def _mosquitto(cls, program: str, port: int) -> Broker:
        folder = tempfile.mkdtemp(prefix="sarhad-broker-")
        settings = Path(folder) / "mosquitto.conf"
        text = MOSQUITTO_SETTINGS.format(port=port, host=HOST)
        settings.write_text(text + (STAY_ROOT if os.geteuid() == 0 else ""))
        return cls._launch("mosquitto", port, [program, "-c", str(settings)], folder)

    @classmethod
    def _embedded(cls, port: int) -> Broker:
        return cls._launch(
            "embedded", port, [sys.executable, *module_arguments("sarhad.embedded_broker", str(port))], None
        )

    @classmethod
    def _launch(cls, kind: str, port: int, command: list[str], folder: str | None) -> Broker:
        # its own group: Ctrl-C in the terminal must not end the broker before those who still have something to say
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        broker = cls(kind, HOST, port, process, folder)
        deadline_s = time.monotonic() + START_S
        while not answers(HOST, port):
            if process.poll() is not None or time.monotonic() > deadline_s:
                broker.stop()
                why = f"it ended with code {process.returncode}" if process.returncode else "it does not answer"
                raise BrokerError(f"{kind} broker on port {port}: {why}")
            time.sleep(0.05)
        if process.poll() is not None:
            raise BrokerError(f"{kind} broker on port {port}: it ended, and somebody else answers there")
        return broker


def free_port() -> int:
    """A TCP port of loopback that nobody uses at the moment."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def answers(host: str, port: int) -> bool:
    """Whether an MQTT broker accepts a connection there."""
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            connection.sendall(CONNECT)
            reply = connection.recv(4)
            connection.sendall(b"\xe0\x00")  # DISCONNECT
    except OSError:
        return False
    return reply[:2] == CONNACK
