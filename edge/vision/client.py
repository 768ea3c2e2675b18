"""The parent's side of the vision process: offers it packets, takes its results, starts it again when it dies.

    offer(packet) ─▶ pipe ─▶ python -m edge.vision ─▶ pipe ─▶ results()

Offering never waits. When the pipe is full, or no process is there, the packet is left out. The first that can be taken
again brings along all since the camera's last key frame, for it is built on them; where these are too many, packets are
left out up to the next key frame. A process that dies, or that has been given packets and says nothing for `silence_s`,
is ended and started again after a growing pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from edge.launch import module_arguments
from edge.vision.detector import CONFIDENCE, SHIPPED_MODEL, Region
from edge.vision.messages import ALIVE, LARGEST_MESSAGE, LENGTH, Packet, Settings, View, frame_message, to_tuples
from edge.vision.recent_stream import RecentStream
from edge.vision.spectrum import Spectrum

log = logging.getLogger(__name__)

PIPE_BYTES = (
    1 << 20
)  # kept for the process beyond the kernel's pipe, which it empties at once: it holds what waits itself
RESULTS_KEPT = 64  # nobody reads them: then the oldest goes
START_S = 60.0  # loading a model on a small, busy machine
SILENCE_S = 30.0  # one look on a machine where others take nearly all
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
ENOUGH_S = 60.0  # a process that ran this long was well: the next pause is the shortest again

Report: TypeAlias = Callable[[str, str, "int | None"], None]


class VisionProcess:
    """One vision process, kept alive."""

    def __init__(
        self,
        model: Path = SHIPPED_MODEL,
        confidence: float = CONFIDENCE,
        *,
        threads: int = 1,
        budget: int | None = None,
        silence_s: float = SILENCE_S,
        report: Report | None = None,
        view: View | None = None,
        spectrum: Spectrum | None = None,
    ) -> None:
        """view: of a camera that should stand still; each process is told of it.
        spectrum: of all pictures; None: their colours tell.

        report takes (event, text, count): "lost", "back", "dropping", and "dropped" with how many packets."""
        self.dropped_count = 0
        self.restart_count = 0
        self.is_ready = False
        self.provider: str | None = None
        self.model_sha256: str | None = None
        self.pid: int | None = None
        self._arguments = ["--model", str(model), "--confidence", str(confidence), "--threads", str(threads)]
        self._arguments += ["--spectrum", spectrum] if spectrum else []
        self._budget, self._view = budget, view
        self._silence_s = silence_s
        self._report = report or (lambda event, text, count: None)
        self._is_lost = False
        self._left_out = 0  # packets, since the last one that was taken
        self._results: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._first_ready: asyncio.Future[None] | None = None
        self._recent: dict[str, RecentStream] = {}
        self._is_behind: dict[str, bool] = {}  # its decoder lacks packets
        self._unanswered_since_s: float | None = None

    async def start(self) -> None:
        """Start the process and wait until its model is loaded.

        Raises RuntimeError where the first attempt fails; further ones follow all the same, until `close`.
        """
        self._first_ready = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep())
        await self._first_ready

    def offer(self, sensor_id: str, monotonic_ns: int, data: bytes, cues: Sequence[Region] = ()) -> bool:
        """Hand over one access unit; False where it was left out. Never waits."""
        recent = self._recent.setdefault(sensor_id, RecentStream())
        is_key = recent.keep(monotonic_ns, data)
        behind = self._is_behind.setdefault(sensor_id, True)
        missing = [(monotonic_ns, data)] if is_key or not behind else recent.since_key()
        if not missing or not self._can_take():
            self._is_behind[sensor_id] = True
            self._leave_out()
            return False
        self._is_behind[sensor_id] = False
        if self._left_out:
            self._report("dropped", f"{self._left_out} packets were late or not looked at", self._left_out)
            self._left_out = 0
        for number, (time_ns, packet) in enumerate(missing):
            past = number < len(missing) - 1
            self._send(Packet(sensor_id, time_ns, packet, to_tuples(cues), behind and number == 0, past))
        if self._unanswered_since_s is None:
            self._unanswered_since_s = asyncio.get_running_loop().time()
        return True

    def _leave_out(self) -> None:
        self.dropped_count += 1
        self._left_out += 1
        if self._left_out == 1 and self.is_ready:
            self._report("dropping", "packets are left out: the detector cannot follow, or no key frame has come", None)

    def set(self, settings: Settings) -> None:
        """Change how it looks; kept only while this process lives."""
        if self._can_take():
            self._send(settings)

    async def results(self) -> AsyncIterator[bytes]:
        """Results as JSON bytes, in the order they were found, until closed."""
        while (result := await self._results.get()) is not None:
            yield result

    async def close(self) -> None:
        """End the process; `results` ends too."""
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._end()
        self._results.put_nowait(None)

    def _can_take(self) -> bool:
        if not self.is_ready or self._process is None or self._process.stdin is None:
            return False
        transport = self._process.stdin.transport
        return not transport.is_closing() and transport.get_write_buffer_size() <= PIPE_BYTES

    def _send(self, message: Packet | Settings | View) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(frame_message(msgspec.msgpack.encode(message)))

    async def _keep(self) -> None:
        """Run one process after the other."""
        pause_s = FIRST_PAUSE_S
        clock = asyncio.get_running_loop().time
        while True:
            begun_s = clock()
            reason = await self._run_once()
            await self._end()
            if self._first_ready is not None and not self._first_ready.done():
                self._first_ready.set_exception(RuntimeError(f"vision: the process did not start: {reason}"))
            if not self._is_lost:
                self._is_lost = True
                self._report("lost", f"the detector: {reason}", None)
            pause_s = FIRST_PAUSE_S if clock() - begun_s > ENOUGH_S else min(2 * pause_s, LONGEST_PAUSE_S)
            log.warning("vision lost: %s; starting again in %.1f s", reason, pause_s)
            await asyncio.sleep(pause_s)
            self.restart_count += 1

    async def _run_once(self) -> str:
        """Start a process and take its results until it ends; says why it ended."""
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "MALLOC_ARENA_MAX": "2"}
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, *module_arguments("edge.vision", *self._arguments),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
            )  # fmt: skip
        except OSError as error:
            return f"it cannot be started ({error.strerror or error})"
        self.pid = process.pid
        try:
            hello = msgspec.json.decode(await asyncio.wait_for(receive(process), START_S))
            if not hello["ready"]:
                return str(hello["reason"])
            self._greet(hello)
            while True:
                self._keep_result(await self._next_message(process))
        except asyncio.IncompleteReadError:
            return f"it ended with exit code {await process.wait()}"
        except asyncio.TimeoutError:
            return f"it gave no answer for {self._silence_s if self.is_ready else START_S:.1f} s"
        except ValueError as garbled:
            return f"it said what is none of its messages ({garbled})"

    async def _next_message(self, process: asyncio.subprocess.Process) -> bytes:
        """Its next message. Raises TimeoutError where packets have waited too long for one."""
        clock = asyncio.get_running_loop().time
        receiving = asyncio.create_task(receive(process))
        try:
            while not receiving.done():
                await asyncio.wait({receiving}, timeout=self._silence_s / 4)
                since_s = self._unanswered_since_s
                if not receiving.done() and since_s is not None and clock() - since_s > self._silence_s:
                    raise asyncio.TimeoutError
            return receiving.result()
        finally:
            receiving.cancel()

    def _greet(self, told: dict[str, Any]) -> None:
        self.provider, self.model_sha256 = told["provider"], told["model_sha256"]
        self.is_ready, self._unanswered_since_s = True, None
        self._is_behind = dict.fromkeys(self._is_behind, True)
        if self._budget is not None:
            self._send(Settings(budget=self._budget))
        if self._view is not None:
            self._send(self._view)
        if self._first_ready is not None and not self._first_ready.done():
            self._first_ready.set_result(None)
        if self._is_lost:
            self._is_lost = False
            log.warning("vision back")
            self._report("back", "the detector looks again", None)

    def _keep_result(self, result: bytes) -> None:
        self._unanswered_since_s = None
        if result == ALIVE:
            return
        if self._results.qsize() >= RESULTS_KEPT:
            self._results.get_nowait()
        self._results.put_nowait(result)

    async def _end(self) -> None:
        self.is_ready = False
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def receive(process: asyncio.subprocess.Process) -> bytes:
    """One whole message of the process. Raises IncompleteReadError at its end."""
    assert process.stdout is not None
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if length > LARGEST_MESSAGE:
        raise ValueError(f"a length of {length}")
    return await process.stdout.readexactly(length)
