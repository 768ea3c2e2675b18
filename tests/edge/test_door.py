"""The door: one order for everyone, and a full one refuses instead of growing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from edge.site_file import SensorEntry, parse_site
from edge.sources import MOST_HANGING, Door, Live, recorded
from fusion.types import NODE, Reading
from hardware.clock import Clock
from hardware.device import Delivery, DeviceEvent


def reading(sensor_id: str, number: int) -> Reading:
    return Reading(sensor_id, number, number, None, None, b"%d" % number)


def test_readings_of_many_threads_come_out_once_each_and_in_each_threads_order() -> None:
    async def run() -> list[Reading]:
        door = Door()
        threads = [
            threading.Thread(target=lambda name=name: [door.put(reading(name, n)) for n in range(500)])
            for name in ("a", "b", "c")
        ]
        for thread in threads:
            thread.start()
        taken: list[Reading] = []
        while len(taken) < 1500:
            taken += await asyncio.wait_for(door.take(), 10)
        for thread in threads:
            thread.join()
        return taken

    taken = asyncio.run(run())
    for name in ("a", "b", "c"):
        assert [r.received_ns for r in taken if r.sensor_id == name] == list(range(500))


def test_a_full_door_refuses_but_still_takes_what_the_node_says_of_it() -> None:
    async def run() -> tuple[list[bool], list[str]]:
        door = Door(limit=2)
        accepted = [door.put(reading("radar", n)) for n in range(3)]
        door.put_event(reading(NODE, 3))
        return accepted, [r.sensor_id for r in await door.take()]

    assert asyncio.run(run()) == ([True, True, False], ["radar", "radar", NODE])


def test_a_door_full_of_video_refuses_too() -> None:
    async def run() -> list[bool]:
        door = Door(limit_bytes=3)
        return [door.put(reading("camera", 100 + n)) for n in range(3)]

    assert asyncio.run(run()) == [True, False, False]


def test_taking_waits_for_something() -> None:
    async def run() -> list[Reading]:
        door = Door()
        taking = asyncio.create_task(door.take())
        await asyncio.sleep(0)
        assert not taking.done()
        threading.Thread(target=door.put, args=(reading("radar", 1),)).start()
        return await asyncio.wait_for(taking, 10)

    assert len(asyncio.run(run())) == 1


def test_a_recording_is_given_at_its_own_pace_times_the_speed() -> None:
    async def took_s(speed: float | None) -> float:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        count = len([r async for r in recorded((reading("radar", n * 50_000_000) for n in range(9)), speed)])
        assert count == 9
        return loop.time() - started_s

    assert asyncio.run(took_s(4.0)) >= 0.1  # eight steps of 50 ms, four times as fast
    assert asyncio.run(took_s(None)) < asyncio.run(took_s(1.0))


RADAR_SITE = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
[[sensor]]
id = "remote-id"
device = { driver = "udp_listener", port = 40001, host = "127.0.0.1" }
protocol = "open_drone_id"
[[sensor]]
id = "gnss"
device = { driver = "udp_listener", port = 40002, host = "127.0.0.1" }
protocol = "gnss"
"""


class Hanging:
    """A driver whose read does not come back until it is let go."""

    def __init__(self, let_go: threading.Event) -> None:
        self._let_go, self.is_closed = let_go, threading.Event()

    def open(self) -> None:
        pass

    def read(self, timeout_s: float) -> Delivery | None:
        self._let_go.wait(30.0)
        return Delivery(b"too late")

    def close(self) -> None:
        self.is_closed.set()


class Letting(Hanging):
    """Hangs in the kernel, in `read` and in `close`, until it is let go."""

    def __init__(self) -> None:
        super().__init__(threading.Event())
        self.is_reading = threading.Event()

    def read(self, timeout_s: float) -> Delivery | None:
        self.is_reading.set()
        return super().read(timeout_s)

    def close(self) -> None:
        self._let_go.wait(30.0)


def test_no_more_than_three_drivers_of_one_sensor_hang_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Letting] = []

    def driver_of(entry: SensorEntry) -> Letting:
        made.append(Letting())
        return made[-1]

    monkeypatch.setattr("edge.sources.driver_of", driver_of)
    told: list[str] = []

    async def run() -> None:
        live, door = Live(parse_site(RADAR_SITE, "ridge.toml"), Clock(), lambda entry, time_ns: ()), Door()
        entry = live._site.sensors[1]
        live._runners["gnss"] = live._runner(entry, door, lambda event: told.append(event.text))
        live._runners["gnss"].start()
        for minute in range(1, 100):  # a driver that hangs is looked at once a minute, more or less
            assert made[-1].is_reading.wait(10.0)
            now_ns = Clock().now()[1] + minute * 61_000_000_000
            live._look_after(entry, now_ns, door, lambda event: told.append(event.text))
        assert len(made) == MOST_HANGING
        hanging = [text for text in told if "hangs" in text]
        assert len(hanging) == MOST_HANGING
        assert "no other is started" in hanging[-1]
        left = live._left["gnss"][0]
        made[0]._let_go.set()
        await asyncio.to_thread(lambda: (left[0].stop(10.0), left[1].join(10.0)))
        live._look_after(entry, Clock().now()[1], door, lambda event: told.append(event.text))
        assert len(made) == MOST_HANGING + 1
        for driver in made:
            driver._let_go.set()
        await asyncio.to_thread(live._stop_devices)

    asyncio.run(run())


class Speaking(Hanging):
    def read(self, timeout_s: float) -> Delivery | None:
        threading.Event().wait(0.02)
        return Delivery(b"hello")


def test_a_driver_that_hangs_is_left_and_another_takes_its_place_while_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = threading.Event()
    made: list[Hanging] = []

    def driver_of(entry: SensorEntry) -> Hanging:
        hangs = entry.sensor.sensor_id == "gnss" and not made
        driver = Hanging(let_go) if hangs else Speaking(let_go)
        if entry.sensor.sensor_id == "gnss":
            made.append(driver)
        return driver

    monkeypatch.setattr("edge.sources.driver_of", driver_of)
    monkeypatch.setattr("edge.sources.HANGS_AFTER_S", 0.5)
    monkeypatch.setattr("edge.sources.LOOK_AFTER_S", 0.1)

    async def run() -> list[Reading]:
        live = Live(parse_site(RADAR_SITE, "ridge.toml"), Clock(), lambda entry, time_ns: ())
        taken: list[Reading] = []
        async for reading in live.readings():
            taken.append(reading)
            if reading.sensor_id == "gnss":
                let_go.set()
                live.stop()
        return taken

    taken = asyncio.run(asyncio.wait_for(run(), 30.0))
    events = [DeviceEvent.from_json(r.data) for r in taken if r.sensor_id == NODE]
    assert any(e.sensor_id == "gnss" and e.event == "lost" and "hangs for" in e.text for e in events)
    assert not any(e.sensor_id == "remote-id" and e.event == "lost" for e in events)
    assert {r.data for r in taken if r.sensor_id == "gnss"} == {b"hello"}
    assert len(made) == 2
    assert made[0].is_closed.wait(10.0)
