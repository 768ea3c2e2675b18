"""`sarhad demo`: a simulated post, a broker and a center on one machine, each a process of its own, and a live map.

    simulator ══ptys, camera══▶ edge ──MQTT──▶ broker ──▶ center ──▶ /api/live ──▶ browser, and our own client
        │                         └──▶ vision                                          │
        └──▶ truth ─────────────────────────────────────────── compared once a second ─┘

Everything listens on loopback only and works in a folder of its own, which is removed at the end. Whatever happens, no
process is left behind. The figures at the end are counted and measured: messages where they are made (the edge), where
they are kept (the center's store) and where they are shown (the feed).
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from sarhad import STARTED_S
from sarhad.broker import Broker, BrokerError
from sarhad.child import Child, ChildDied, MemoryWatch, child_running
from sarhad.demo_wishes import HOST, Wishes, map_port, working_folder
from sarhad.live_feed import LiveFeed
from sarhad.screen import has_screen
from sarhad.stop_signals import stop_on_signals

if TYPE_CHECKING:
    from sarhad.demo_summary import Summary

START_LIMIT_S = 60.0  # of one stage, on a small and busy machine
FIRST_TRACK_LIMIT_S = 150.0  # from when the edge runs; its detector may still be loading
DRAIN_LIMIT_S = 40.0  # the edge gives the center ten seconds for its acknowledgements, and closes its recording
LAST_MESSAGES_S = 5.0
ROUND_S = 0.2
KEPT_DAYS = 0.1  # by the center: an endless demo must not fill the disk

Say = Callable[[str], None]


class DemoFailed(Exception):
    """The demo cannot go on; the text says which part, and why."""


def run_demo(wishes: Wishes, say: Say, look: Callable[[Demo], None] | None = None) -> Summary:
    """The whole demo; `look` is called some times a second while it runs, for who wants to measure more.

    Raises WrongInput before anything is started, DemoFailed after, Stopped where the user ended it before it ran.
    """
    with working_folder(wishes.keep) as folder:
        demo = Demo(wishes, folder, map_port(wishes.port), say)
        with stop_on_signals(demo.stop):
            try:
                demo.start()
                demo.watch(look)
                return demo.finish()
            except (ChildDied, BrokerError, OSError) as error:
                raise DemoFailed(str(error)) from error
            finally:
                demo.tear_down()


class Stopped(Exception):
    """The user ended the demo before it was ready."""


class Demo:
    """One run; `start`, `watch` and `finish` in this order, `tear_down` in any case."""

    def __init__(self, wishes: Wishes, folder: Path, port: int, say: Say) -> None:
        self._wishes, self._folder, self._port, self._say = wishes, folder, port, say
        self._began_s = STARTED_S
        self._stopping = threading.Event()
        self._broker: Broker | None = None
        self._children: dict[str, Child] = {}
        self.feed = LiveFeed(HOST, port)
        self._memory = MemoryWatch()
        self._vision_pid: int | None = None
        self._run: dict[str, Any] | None = None  # what the edge says when it has started
        self._edge_ready_s = math.inf  # time.monotonic()
        self.start_s: float | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}/"

    def stop(self) -> None:
        self._stopping.set()

    # Starting: what needs nothing of another starts beside it

    def start(self) -> None:
        """Returns when everything runs, or early when the user stops. Raises ChildDied, BrokerError, OSError."""
        self._say("starting    broker, center, simulator, edge node, vision")
        stages = (
            self._start_broker,
            self._launch_center_and_simulator,
            self._start_edge,
            self._join_center,
            self._show,
        )
        for stage in stages:
            if self._stopping.is_set():
                return
            stage()

    def _start_broker(self) -> None:
        self._broker = Broker.start()
        self._say(f"broker      {self._broker.kind} on {self._broker.host}:{self._broker.port}")

    def _launch_center_and_simulator(self) -> None:
        assert self._broker is not None
        settings = self._folder / "center.toml"
        settings.write_text(
            f'[broker]\nhost = "{self._broker.host}"\nport = {self._broker.port}\n\n'
            f'[store]\npath = "center.db"\n\n[listen]\nhost = "{HOST}"\nport = {self._port}\n\n'
            f"[retention]\ndays = {KEPT_DAYS}\n"
        )
        scenario, broker_port = str(self._wishes.scenario), str(self._broker.port)
        self._launch(
            "simulator", ["edge.simulator", scenario, "--run-dir", str(self._folder), "--broker-port", broker_port]
        )
        self._launch("center", ["sarhad", "center", str(settings)])

    def _start_edge(self) -> None:
        line = self._children["simulator"].first_line(START_LIMIT_S, self._stopping.is_set)
        if line is None:
            return
        ready = json.loads(line)
        self._site_path, self._truth_path = Path(ready["site"]), Path(ready["truth"])
        self._say(f"simulator   {self._wishes.scenario.stem}: sensors on pseudo-terminals, a camera, the truth beside")
        record = ["--record", str(self._folder / "recordings")] if self._is_bounded else []
        self._launch("edge", ["sarhad", "edge", str(self._site_path), *record])

    def _join_center(self) -> None:
        """Listen as a map page does; what the center took in before is told first."""
        self._until(lambda: self._ask("/healthz").get("status") == "ok", "center")
        if self._stopping.is_set():
            return
        self.feed.start()
        self._say("center      stores and shows")

    def _show(self) -> None:
        from sarhad.demo_summary import Picture  # numbers and geometry: loaded while the others start

        line = self._children["edge"].first_line(START_LIMIT_S, self._stopping.is_set)
        if line is None:
            return
        self._run = json.loads(line)
        self._edge_ready_s = time.monotonic()
        self._picture = Picture(self._site_path, self._truth_path)
        self._say(f"edge        {self._run['site_id']}, run {self._run['run_id']}")
        self._say(f"map         {self.url}")
        if self._wishes.browser and has_screen():
            webbrowser.open(self.url)

    @property
    def _is_bounded(self) -> bool:
        """Whether a recording is worth its place: of an endless run into a folder that goes, it is not."""
        return self._wishes.seconds is not None or self._wishes.keep is not None

    def _launch(self, name: str, arguments: list[str]) -> None:
        self._children[name] = Child(name, arguments, self._folder)

    def _until(self, is_ready: Callable[[], bool], name: str) -> None:
        """Ask until it is. Raises ChildDied when the process ends or the time is up."""
        end_s = time.monotonic() + START_LIMIT_S
        while not self._stopping.is_set():
            with contextlib.suppress(OSError, ValueError):
                if is_ready():
                    return
            self._children[name].check()
            if time.monotonic() > end_s:
                last = self._children[name].last_lines()
                raise ChildDied(f"{name} is not ready after {START_LIMIT_S:.0f} s; its last lines:\n{last}")
            time.sleep(0.1)

    def _ask(self, path: str) -> dict[str, Any]:
        """The center's answer as JSON. Raises OSError, ValueError."""
        with urllib.request.urlopen(f"http://{HOST}:{self._port}{path}", timeout=5.0) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    # Running

    def watch(self, look: Callable[[Demo], None] | None = None) -> None:
        """Until the time is up or the user stops. Raises ChildDied, DemoFailed."""
        end_s: float | None = None
        next_second_s = time.monotonic()
        while not self._stopping.is_set() and (end_s is None or time.monotonic() < end_s):
            self._stopping.wait(ROUND_S)
            self._check()
            if look is not None:
                look(self)
            if self.start_s is None and self.feed.first_confirmed_s is not None:
                self._first_track(self.feed.first_confirmed_s)
                end_s = None if self._wishes.seconds is None else self.feed.first_confirmed_s + self._wishes.seconds
                next_second_s = self.feed.first_confirmed_s
            if self.start_s is not None and time.monotonic() >= next_second_s:
                self._picture.sample(self.feed.tracks_now(), time.time_ns())
                next_second_s += 1.0

    def _first_track(self, at_s: float) -> None:
        self.start_s = at_s - self._began_s
        self._say(f"first track confirmed {self.start_s:.1f} s after the start")
        if self._wishes.seconds is None:
            self._say("Ctrl-C ends the demo")

    def _check(self) -> None:
        """All processes are there and say what they should. Raises ChildDied, DemoFailed."""
        for child in self._children.values():
            child.check()
        if self._broker is not None and not self._broker.is_running:
            raise ChildDied(f"the {self._broker.kind} broker ended")
        if self.feed.fault:
            raise DemoFailed(self.feed.fault)
        waited_s = time.monotonic() - self._edge_ready_s
        if self._wishes.seconds is not None and self.start_s is None and waited_s > FIRST_TRACK_LIMIT_S:
            raise DemoFailed(f"no track was confirmed within {FIRST_TRACK_LIMIT_S:.0f} s; {self._last_lines()}")
        self._memory.look(self.pids())

    def _last_lines(self) -> str:
        return "\n".join(
            f"the {name}'s last lines:\n{self._children[name].last_lines()}" for name in ("edge", "center")
        )

    def pids(self) -> dict[str, int]:
        """The processes that are measured, by name; those that are there by now."""
        pids: dict[str, int] = {name: self._children[name].pid for name in ("center", "edge") if name in self._children}
        if "edge" in pids and (self._vision_pid is None or not psutil.pid_exists(self._vision_pid)):
            self._vision_pid = child_running(pids["edge"], "edge.vision")
        if self._vision_pid is not None:
            pids["vision"] = self._vision_pid
        if self._broker is not None and self._broker.pid is not None:
            pids["broker"] = self._broker.pid
        return pids

    # Ending

    def finish(self) -> Summary:
        """Stop the edge, let it hand over what it has, and count. Raises ChildDied, Stopped."""
        from sarhad.demo_summary import summarise

        if self._run is None:
            raise Stopped
        self._memory.look(self.pids())
        edge = self._children["edge"]
        self._say("ending      the edge hands over what it has")
        edge.tell_to_stop()
        if edge.wait(DRAIN_LIMIT_S) != 0:
            raise ChildDied(f"edge did not end well; its last lines:\n{edge.last_lines()}")
        did = json.loads(edge.output_lines()[-1])
        self._until_delivered(did["published"])
        stored = self._ask("/api/status")["stored"]
        return summarise(did, stored, self.feed, self._memory, self._picture, self.start_s)

    def _until_delivered(self, published: int) -> None:
        """The last messages may still be on their way through center and feed."""
        assert self._run is not None
        end_s = time.monotonic() + LAST_MESSAGES_S
        while self.feed.delivered(self._run["run_id"]) < published and time.monotonic() < end_s:
            time.sleep(0.05)

    def tear_down(self) -> None:
        """End every process, the last started first. May be called at any time."""
        with contextlib.ExitStack() as stack:  # each is ended, even where ending another one fails; the last in first
            if self._broker is not None:
                stack.callback(self._broker.stop)
            for name in ("center", "simulator", "edge"):
                if name in self._children:
                    stack.callback(self._children[name].stop)
            stack.callback(self.feed.stop)
