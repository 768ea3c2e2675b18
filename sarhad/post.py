"""`sarhad post`: a whole post on one box: broker, center and edge, each a process of its own, on loopback only.

    edge ──MQTT──▶ broker ──▶ center ──▶ map in the browser

What ends or hangs is started again; SIGINT, SIGTERM and SIGHUP end all, the edge first, so that what it has to say is still
stored.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from pathlib import Path

from edge.launch import module_arguments
from edge.site_file import Site, SiteFileError
from hardware.notify import notify
from sarhad.broker import Broker, BrokerError, answers
from sarhad.stop_signals import stop_on_signals
from sarhad.supervised import Say, Supervised

HOST = "127.0.0.1"
LOOPBACK = (HOST, "localhost")
LOOK_S = 0.5


class PostFailed(Exception):
    """The post cannot go on; the text says which part, and why."""


def check_local(site: Site, name: str) -> None:
    """Whether this site's messages stay on this box. Raises SiteFileError."""
    broker = site.broker
    if broker.host not in LOOPBACK:
        expected = (
            "expected 127.0.0.1, since a whole post on one box has its own broker; `sarhad edge` reports to another"
        )
        raise SiteFileError(f'{name}: [broker]: host is "{broker.host}"; {expected}')
    if broker.certificate or broker.authority:
        raise SiteFileError(f"{name}: [broker]: certificate is set; expected none for a broker on the same box")


def run_post(site: Site, site_path: Path, port: int, record: Path | None, say: Say) -> None:
    """Until SIGINT, SIGTERM or SIGHUP. Raises PostFailed, and CannotRun where a file that is named cannot be used."""
    stopping = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.enter_context(stop_on_signals(stopping.set))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sarhad-post-")))
        try:
            post = Post(site, site_path, port, record, folder, say)
            stack.callback(post.stop)
            post.run(stopping)
        except BrokerError as error:
            raise PostFailed(str(error)) from error


class Post:
    """Broker, center and edge of one site."""

    def __init__(self, site: Site, site_path: Path, port: int, record: Path | None, folder: Path, say: Say) -> None:
        self._site, self._port, self._say = site, port, say
        settings = folder / "center.toml"
        settings.write_text(center_settings(site, port))
        recording = ("--record", str(record)) if record else ()
        self._broker: Broker | None = None
        self._center = Supervised("center", module_arguments("sarhad", "center", str(settings)), folder, say)
        self._edge = Supervised("edge", module_arguments("sarhad", "edge", str(site_path), *recording), folder, say)

    def run(self, stopping: threading.Event) -> None:
        """Start all, say where the map is, and look after them. Raises BrokerError, CannotRun."""
        self._start_broker()
        self._center.start()
        self._edge.start()
        is_said = False
        while not stopping.wait(LOOK_S):
            self._look_after_all()
            if not is_said and self._center.is_ready and self._edge.is_ready:
                is_said = True
                notify("READY=1")
                self._say(f"map: http://{HOST}:{self._port}")
            notify("WATCHDOG=1")

    def _look_after_all(self) -> None:
        if self._broker is not None and not self._broker.is_running:
            self._say("broker ended; starting it again")
            self._start_broker()
        self._center.look_after()
        self._edge.look_after()

    def _start_broker(self) -> None:
        """The one that already answers at the site's address, else one of our own there."""
        host, port = self._site.broker.host, self._site.broker.port
        if self._broker is not None:
            self._broker.stop()
        self._broker = Broker.start(f"{host}:{port}") if answers(host, port) else Broker.start(port=port)
        if self._broker.host not in LOOPBACK or self._broker.port != port:
            found = f"{self._broker.host}:{self._broker.port}"
            raise BrokerError(f"the environment's broker is {found}; expected {host}:{port}, as the site file has it")
        self._say(f"broker: {self._broker.kind}, {self._broker.host}:{self._broker.port}")

    def stop(self) -> None:
        """Edge first, then center, then the broker."""
        notify("STOPPING=1")
        self._edge.stop()
        self._center.stop()
        if self._broker is not None:
            self._broker.stop()


def center_settings(site: Site, port: int) -> str:
    """The center's file: its store stands beside the outbox."""
    store = Path(site.broker.outbox_path).resolve().with_name(f"center-{site.site_id}.db")
    path = str(store).replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'[broker]\nhost = "{HOST}"\nport = {site.broker.port}\n'
        f'[store]\npath = "{path}"\n[listen]\nhost = "{HOST}"\nport = {port}\n'
    )


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 0.2):
        return True
    return False
