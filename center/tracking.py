"""The tracker of all posts' detections beside the center: its process kept alive and fed, and its newest picture.

    network thread ──▶ give ──▶ waiting (bounded) ──▶ keeper ──▶ python -m center.detected ──▶ reader ──▶ newest

It is started with the first post that describes its sensors: a center whose posts send tracks alone has none. When it dies, or
tells nothing for half a minute, it is started again and told all posts' sensors anew, and the fused picture's numbers go on
where its objects are. While it tells nothing, the posts' tracks count.
"""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from center.detected import FORGOTTEN_NS, DetectedPicture, Given, read_frame, write_frame
from center.received import Received
from fusion.all_posts import MOST_POSTS

log = logging.getLogger("sarhad.center")

WAITING_BYTES = 8_000_000  # for the process to take; beyond, the oldest scans give way
OLD_S = 2.0  # a picture so old is none
BEHIND_S = 1.0  # waited so long, what is worked in comes late
MUTE_S = 30.0  # a process that tells nothing for so long is ended; starting takes some seconds
RETRY_S = (1.0, 30.0)  # shortest and longest pause before it is started again
LASTING_S = 60.0  # a process that ran so long begins with the shortest pause again
OUR_CODE = str(Path(__file__).resolve().parents[1])
LAUNCHER = f"import sys; sys.path[:1] = [{OUR_CODE!r}]; from center.detected import main; main()"


class Tracking:
    """`give` may be called from any thread and never waits; the rest belongs to the center's event loop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._sensors: dict[str, Given] = {}  # the newest of each post
        self._heard_ns: dict[str, int] = {}  # of these posts, when each was heard last, monotonic
        self._untold: set[str] = set()  # posts whose sensors the process has not been told of
        self._scans: deque[Given] = deque()
        self._waiting_bytes = 0  # of scans
        self._is_running = True
        self._newest: tuple[DetectedPicture, float] | None = None  # and when it came, monotonic
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None
        self._fault: str | None = None
        self._why_ended: str | None = None  # the process, where we ended it
        self.dropped = 0  # messages of scans that the process did not take in time
        self.starts = 0

    def give(self, received: Received) -> None:
        """A message of sensors or scans."""
        given = Given(received.name, received.site_id, received.received_ns, received.payload)
        with self._changed:
            if not self._is_running:
                return
            if given.name == "sensors" and (given.site_id in self._sensors or self._has_room()):
                self._sensors[given.site_id] = given
                self._untold.add(given.site_id)
            if given.site_id in self._sensors:
                self._heard_ns[given.site_id] = time.monotonic_ns()
            if given.name == "sensors":
                if self._keeper is None:
                    self._keeper = threading.Thread(target=self._keep, name="tracker's keeper", daemon=True)
                    self._keeper.start()
            elif self._keeper is not None:  # else: scans of nobody who has described its sensors
                self._scans.append(given)
                self._waiting_bytes += len(given.payload)
                while self._waiting_bytes > WAITING_BYTES:
                    self._waiting_bytes -= len(self._scans.popleft().payload)
                    self.dropped += 1
            self._changed.notify_all()

    def _has_room(self) -> bool:
        """For one more post's sensors: of too many one is forgotten that has been quiet for an hour."""
        if len(self._sensors) < MOST_POSTS:
            return True
        longest = min(self._heard_ns, key=lambda site_id: self._heard_ns[site_id])
        if time.monotonic_ns() - self._heard_ns[longest] <= FORGOTTEN_NS:
            return False
        del self._sensors[longest], self._heard_ns[longest]
        self._untold.discard(longest)
        return True

    def heard(self, picture: DetectedPicture) -> None:
        """What the process tells."""
        with self._changed:
            self._newest, self._fault = (picture, time.monotonic()), None

    def picture(self) -> DetectedPicture | None:
        """What the tracker sees now; None where it tells nothing."""
        with self._changed:
            is_new = self._newest is not None and time.monotonic() - self._newest[1] < OLD_S
            return self._newest[0] if self._newest is not None and is_new else None

    def status(self) -> dict[str, Any]:
        """How it is doing, in numbers."""
        picture = self.picture()
        with self._changed:
            counts: dict[str, Any] = {"dropped": self.dropped, "starts": self.starts}
        if picture is None:
            return counts | {"heard": [], "worked_in": 0, "refused": {}, "complaints": {}, "tiles": 0, "behind_s": 0.0}
        return counts | {
            "heard": list(picture.heard),
            "worked_in": picture.worked_in,
            "refused": picture.refused,
            "complaints": picture.complaints,
            "tiles": picture.tiles,
            "behind_s": picture.behind_s,
        }

    def faults(self) -> list[str]:
        """What a supervisor should know."""
        picture = self.picture()
        with self._changed:
            if self._keeper is None:
                return []
            if self._fault is not None:
                return [f"the tracker of the posts' detections does not run, their tracks count: {self._fault}"]
        if picture is not None and picture.behind_s > BEHIND_S:
            return [f"the tracker of the posts' detections is {picture.behind_s:.1f} s behind"]
        if picture is None and self.starts and self._newest is not None:
            return ["the tracker of the posts' detections tells nothing, their tracks count"]
        return []

    def stop(self) -> None:
        """End the process."""
        with self._changed:
            self._is_running = False
            keeper, process = self._keeper, self._process
            self._changed.notify_all()
        if process is not None:
            with suppress(OSError):
                process.kill()  # it holds nothing that is not made anew
        if keeper is not None:
            keeper.join(timeout=5.0)

    # The keeper's thread and the reader's

    def _keep(self) -> None:
        pause_s = RETRY_S[0]
        while self._is_running:
            began_s = time.monotonic()
            try:
                why = self._run()
            except OSError as error:
                why = str(error)
            if not self._is_running:
                return
            if time.monotonic() - began_s > LASTING_S:
                pause_s = RETRY_S[0]
            log.error("the tracker of the posts' detections: %s; starting it again in %.0f s", why, pause_s)
            with self._changed:
                self._fault, self._newest = why, None
                self._changed.wait_for(lambda: not self._is_running, pause_s)
            pause_s = min(2.0 * pause_s, RETRY_S[1])

    def _run(self) -> str:
        """Start the process and feed it until it ends; why it did."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        run_id = f"{time.time_ns() // 1_000_000_000}-{secrets.token_hex(3)}"
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # an interrupt at the terminal is the center's to answer
        )
        with self._changed:
            self._process, self.starts, self._why_ended = process, self.starts + 1, None
            self._scans.clear()
            self._waiting_bytes = 0
            self._untold = set(self._sensors)
        reader = threading.Thread(target=self._read, args=(process,), name="tracker's reader", daemon=True)
        watch = threading.Thread(target=self._watch, args=(process,), name="tracker's watch", daemon=True)
        reader.start()
        watch.start()
        try:
            while process.poll() is None and self._is_running:
                self._feed(process)
        except OSError:
            pass  # it has ended: its code says more
        finally:
            with suppress(OSError):
                process.kill()
            code = process.wait()
            reader.join(timeout=5.0)
            watch.join(timeout=5.0)
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
        return self._why_ended or f"it ended with code {code}"

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        """Hand over what waits, or wait for something. Raises OSError when the process is gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._scans or self._untold or not self._is_running, 0.5)
            batch = [self._sensors[site_id] for site_id in sorted(self._untold)] + list(self._scans)
            self._untold.clear()
            self._scans.clear()
            self._waiting_bytes = 0
        assert process.stdin is not None
        for given in batch:
            write_frame(process.stdin, given)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Take what it tells; a process whose words cannot be read is ended."""
        assert process.stdout is not None
        with suppress(OSError, ValueError, msgspec.MsgspecError):
            while (frame := read_frame(process.stdout)) is not None:
                self.heard(msgspec.msgpack.decode(frame, type=DetectedPicture))
        with suppress(OSError):
            process.kill()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """End the process when it tells nothing: it hangs, and whoever feeds it or reads from it would wait for ever."""
        began_s = time.monotonic()
        with self._changed:
            while process.poll() is None and self._is_running:
                told_s = max(began_s, self._newest[1] if self._newest is not None else began_s)
                left_s = told_s + MUTE_S - time.monotonic()
                if left_s <= 0.0:
                    self._why_ended = f"it told nothing for {MUTE_S:.0f} s"
                    process.kill()
                    return
                self._changed.wait(min(left_s, 1.0))
