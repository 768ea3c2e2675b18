"""A simulated post in real time: pseudo-terminals, a camera on the network, a site file and the truth beside them.

    run-dir/site.toml        what `sarhad edge` reads
    run-dir/truth.jsonl      where everything really is, ten times a second
    run-dir/ports/<sensor>   the serial ports

Each sensor has a thread: it makes the next look's bytes ahead of time and sends them when they are due. A sensor whose
machine is too slow for it leaves looks out rather than falling ever further behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge.simulator.faults import Line
from edge.simulator.ports import Port
from edge.simulator.run import SECOND_NS, SimulatedSensor, look_bytes, sensors_of
from edge.simulator.scenario import Scenario
from edge.simulator.site_text import DEVICES, Device, site_text
from edge.simulator.stream import CameraServer
from edge.simulator.truth import TRUTH_HZ, moment_line, origin_line

SERIAL: Device = {"driver": "serial_port", "baud": 115200}  # for what would come over the network
FARTHEST_BEHIND_S = 0.5  # more than this and looks are left out


class LivePost:
    """Everything is open once it is made; `start` sets time running."""

    def __init__(self, scenario: Scenario, run_dir: Path, broker_port: int) -> None:
        self._scenario = scenario
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.ports: dict[str, Port] = {}
        self.cameras: dict[str, CameraServer] = {}
        self.site_path, self.truth_path = run_dir / "site.toml", run_dir / "truth.jsonl"
        self._sensors = sensors_of(scenario)
        (run_dir / "ports").mkdir(parents=True, exist_ok=True)
        devices = {
            entry.sensor.sensor_id: self._open(entry.sensor.sensor_id, entry.protocol, run_dir / "ports")
            for entry in scenario.site.sensors
        }
        broker = {"host": "127.0.0.1", "port": broker_port, "outbox": {"path": "outbox.db", "keep_hours": 1}}
        self.site_path.write_text(site_text(scenario.tables, devices, broker))

    def _open(self, sensor_id: str, protocol: str, folder: Path) -> Device:
        if protocol == "yolo":
            server = self.cameras[sensor_id] = CameraServer()
            return {**DEVICES[protocol], "url": f"tcp://127.0.0.1:{server.port}", "format": "h264"}
        port = self.ports[sensor_id] = Port(folder / sensor_id)
        device = DEVICES[protocol] if DEVICES[protocol]["driver"] == "serial_port" else SERIAL
        return {**device, "path": str(port.link)}

    def start(self) -> None:
        self._started_ns, self._started_monotonic_ns = time.time_ns(), time.monotonic_ns()
        self._scenario = replace(self._scenario, start_ns=self._started_ns)
        self._truth = self.truth_path.open("w")
        self._truth.write(origin_line(self._scenario.site.origin, self._scenario.scene))
        self._run("truth", self._write_truth)
        for sensor in self._sensors:
            self._run(sensor.sensor_id, partial(self._send, sensor))

    def _run(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def wait(self, seconds: float | None) -> None:
        """Until `stop`, or for so long."""
        self._stop.wait(seconds)

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5.0)
        for port in self.ports.values():
            port.close()
        for camera in self.cameras.values():
            camera.close()
        self._truth.close()

    def elapsed_s(self) -> float:
        return (time.monotonic_ns() - self._started_monotonic_ns) / SECOND_NS

    def _is_due(self, due_s: float) -> bool:
        """Waits for that moment; False when the post is to stop."""
        return not self._stop.wait(max(0.0, due_s - self.elapsed_s()))

    def _send(self, sensor: SimulatedSensor) -> None:
        number, line = 0, Line(sensor.sensor_id, self._scenario.faults, self._scenario.seed)
        while not self._stop.is_set():
            time_s = number / sensor.rate_hz
            sent = line.number_sent(number, sensor.rate_hz)
            data = b"" if sent is None else look_bytes(sensor, self._scenario, line, number, sent)
            if not self._is_due(time_s + sensor.latency_s + line.delay_s(time_s)):
                return
            if data:
                self._deliver(sensor.sensor_id, data)
            behind_s = self.elapsed_s() - (time_s + sensor.latency_s)
            number += 1 if behind_s < FARTHEST_BEHIND_S else 1 + int(behind_s * sensor.rate_hz)

    def _deliver(self, sensor_id: str, data: bytes) -> None:
        if (port := self.ports.get(sensor_id)) is not None:
            port.write(data)
        else:
            self.cameras[sensor_id].send(data)

    def _write_truth(self) -> None:
        number = 0
        while self._is_due(number / TRUTH_HZ):
            time_ns = self._started_ns + number * SECOND_NS // TRUTH_HZ
            self._truth.write(moment_line(self._scenario.world, number / TRUTH_HZ, time_ns))
            self._truth.flush()
            number += 1
