"""The post's own time and place: a clock that is set, stepped or doubted, and a receiver that is led astray."""

from __future__ import annotations

import asyncio
import math

import msgspec
import pytest
from made_sites import BROKER, OUTBOX, RIDGE

from edge.node import Node
from edge.own_place import KEPT, OwnPlace
from edge.pipeline import Pipeline
from edge.site_file import parse_site
from firmware_interfaces.open_drone_id import encode_message_pack
from firmware_interfaces.open_drone_id_messages import Location
from fusion import wire
from fusion.frames import LocalFrame
from fusion.scan_messages import ScansMessage
from fusion.types import CLOCK, Geodetic, OwnPosition, Reading, Scan
from hardware.clock import Clock, ClockDriver, ClockEvent, ClockState, is_news

SITE = (
    RIDGE
    + OUTBOX
    + """[[sensor]]
id = "gnss"
device = { driver = "udp_listener", port = 41237, host = "127.0.0.1" }
protocol = "gnss"
"""
)
S = 1_000_000_000
FRAME = LocalFrame(Geodetic(45.0, 7.0, 600.0))


def fix(east_m: float, sigma_m: float = 3.0, utc_ns: int | None = None, **flags: bool) -> OwnPosition:
    place = FRAME.enu_to_geodetic((east_m, 0.0, 0.0))
    return OwnPosition(
        "gnss", S, place, None, sigma_m, "3d", 9, utc_ns, flags.get("jammed", False), flags.get("spoofed", False)
    )


def own_place(*facts: OwnPosition) -> OwnPlace:
    place = OwnPlace(FRAME, (0.0, 0.0, 0.0), 0.0)
    for fact in facts:
        place.heard(fact, 100 * S)
    return place


def test_drift_and_single_wild_fixes_pass_and_a_receiver_led_away_is_told() -> None:
    quiet = [fix(4.0 * math.sin(number)) for number in range(KEPT)]
    assert own_place(*quiet, fix(9000.0)).complaint(True) is None
    told = own_place(*quiet, *[fix(300.0)] * 40).complaint(True)
    assert told is not None
    assert "300 m from the surveyed place" in told
    assert own_place(*[fix(300.0, sigma_m=200.0)] * 40).complaint(True) is None  # it says itself how little it knows


def test_the_receivers_own_flags_are_told() -> None:
    assert "jamming" in (own_place(fix(0.0, jammed=True)).complaint(True) or "")
    assert "spoofing" in (own_place(fix(0.0, spoofed=True)).complaint(True) or "")


def test_a_receivers_time_is_compared_with_a_clock_that_other_sources_keep() -> None:
    behind = own_place(*[fix(0.0, utc_ns=87 * S)] * 10)
    assert "-13.0 s from the clock" in (behind.complaint(True) or "")
    assert behind.complaint(False) is None  # a clock that nobody keeps proves nothing
    assert own_place(*[fix(0.0, utc_ns=99 * S)] * 10).complaint(True) is None


def clock_event(line: Pipeline, at_s: float, **fields: object) -> None:
    event = ClockEvent(text="as told", **fields)
    line.feed(Reading(CLOCK, int(at_s * S), int(at_s * S), None, None, event.to_json()))


@pytest.fixture
def line() -> Pipeline:
    return Pipeline(parse_site(SITE, "ridge.toml"), "run", "software")


def test_the_kernels_bound_enters_the_measurement_noise_but_never_less_than_the_site_states(line: Pipeline) -> None:
    clock_event(line, 1.0, event="trusted", error_bound_s=0.25)
    assert line.tracker._rules.settings.clock_error_s == 0.25
    clock_event(line, 2.0, event="bound", error_bound_s=0.002)
    assert line.tracker._rules.settings.clock_error_s == 0.002
    stated = Pipeline(parse_site("[tracker]\nclock_error_s = 0.1\n" + SITE, "ridge.toml"), "run", "software")
    clock_event(stated, 1.0, event="trusted", error_bound_s=0.002)
    assert stated.tracker._rules.settings.clock_error_s == 0.1


def test_a_clock_that_nothing_keeps_is_told_as_less_and_less_sure_until_something_does() -> None:
    site = SITE.replace(OUTBOX, BROKER + "send_detections = true\n" + OUTBOX)
    line = Pipeline(parse_site(site, "ridge.toml"), "run", "software")

    def told_at(at_s: float) -> float | None:
        scan = Scan("gnss", int(at_s * S), None, ())
        assert line._gathered is not None
        line._gathered.take(scan)
        (outgoing,) = [one for one in line.feed(tick(at_s)) if one.topic == "scans"]
        return msgspec.json.decode(outgoing.payload, type=ScansMessage).clock_error_s

    clock_event(line, 1.0, event="trusted", error_bound_s=0.01)
    assert told_at(1000.0) == 0.01
    clock_event(line, 1000.0, event="untrusted")
    assert told_at(2000.0) == pytest.approx(0.03)
    assert "nothing has kept the clock" not in line.watch.state()[1]
    assert told_at(11_000.0) == pytest.approx(0.21)
    assert "nothing has kept the clock since 1970-01-01T00:16:40Z: it may have drifted 0.20 s" in line.watch.state()[1]
    assert line.watch.clock_bound_s() == pytest.approx(0.21)
    clock_event(line, 11_001.0, event="trusted", error_bound_s=0.01)
    assert told_at(11_002.0) == 0.01


def test_sensors_that_share_a_clock_are_not_doubted_for_what_it_may_be_off_since_nothing_keeps_it(
    line: Pipeline,
) -> None:
    clock_event(line, 1.0, event="trusted", error_bound_s=0.01)
    clock_event(line, 20_000.0, event="bound", error_bound_s=9.0)  # as the kernel counts while its time daemon is dead
    clock_event(line, 32_000.0, event="untrusted")
    assert line.tracker._rules.settings.clock_error_s == 0.0
    assert line.watch.clock_bound_s() == 9.0
    clock_event(line, 60_000.0, event="untrusted")  # the clock's driver was opened again
    assert line.watch.clock_drift_s() == pytest.approx(28_000 * 20e-6)


def tick(at_s: float) -> Reading:
    return Reading(CLOCK, int(at_s * S), int(at_s * S), None, None, b"")


def test_a_claim_is_of_when_it_was_heard_while_the_clock_may_be_anything(line: Pipeline) -> None:
    """A drone tells seconds since the full hour; a box that booted in 1970 is somewhere else in its hour."""
    listening = SITE + '[[sensor]]\nid = "remote-id"\ndevice = { driver = "udp_listener", port = 41238 }\n'
    line = Pipeline(parse_site(listening + 'protocol = "open_drone_id"\n', "ridge.toml"), "run", "software")
    where = Location(2, 90.0, 5.0, 0.0, 45.001, 7.001, None, 650.0, None, 0, 10, 5, 0, 3, 20.0, 1)

    def told_at(at_s: float) -> str:
        data = encode_message_pack([where], b"\x02\x00\x00\x00\x00\x01", 1)
        (outgoing,) = line.feed(Reading("remote-id", int(at_s * S), int(at_s * S), None, None, data))
        (claim,) = msgspec.json.decode(outgoing.payload, type=wire.TracksMessage).claims
        return claim.time

    clock_event(line, 1.0, event="trusted", error_bound_s=0.01)
    assert told_at(45.0) == wire.rfc3339(20 * S)
    clock_event(line, 46.0, event="untrusted")
    assert told_at(47.0) == wire.rfc3339(47 * S)


def test_a_rewind_after_the_start_is_marked_and_moves_no_stamp(standing: Standing, line: Pipeline) -> None:
    clock = Clock(standing.wall_ns, standing.monotonic_ns)
    driver = ClockDriver(clock, lambda: ClockState(True, "disciplined", 0.01), standing.wait)
    driver.open()
    stamps = []
    for number in range(60):
        if number == 30:
            standing.wall -= 13 * S
        while (delivery := driver.read(1.0)) is not None:
            received_ns, monotonic_ns = clock.now()
            stamps.append(received_ns)
            line.feed(Reading(CLOCK, received_ns, monotonic_ns, None, None, delivery.data))
            if not delivery.data:
                break
    assert stamps == sorted(stamps)
    assert line.watch.clock_offset_s == pytest.approx(-13.0, abs=0.01)
    assert "this run's times are -13.0 s from it" in line.watch.state()[1]


class Standing:
    """Time that moves only where something waits."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_772_000_000 * S, 5 * S

    def wall_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        return self.monotonic

    def wait(self, seconds: float) -> None:
        self.wall += round(seconds * S)
        self.monotonic += round(seconds * S)


@pytest.fixture
def standing() -> Standing:
    return Standing()


def test_a_bound_that_grows_slowly_is_no_news_and_one_that_jumps_is() -> None:
    assert not is_news(0.010, 0.014)
    assert is_news(0.010, 0.016)
    assert is_news(0.010, 0.006)
    assert not is_news(1e-6, 5e-4)  # far below what matters here


def test_a_node_that_booted_in_1970_tracks_at_once_and_begins_a_new_run_when_its_clock_is_set(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = {"offset_ns": -1_772_000_000 * S}
    states = [ClockState(False, "the clock says 1970: it was never set")]

    class Wrong(Clock):
        def __init__(self) -> None:
            import time

            super().__init__(lambda: time.time_ns() + wall["offset_ns"], time.monotonic_ns)

    monkeypatch.setattr("edge.node.Clock", Wrong)
    monkeypatch.setattr("edge.node.kernel_clock_state", lambda: states[-1])
    monkeypatch.setattr("hardware.clock.kernel_clock_state", lambda: states[-1])
    monkeypatch.setattr("edge.sources.ClockDriver", lambda clock: ClockDriver(clock, lambda: states[-1]))
    site = parse_site(SITE.replace("OUTBOX", str(tmp_path / "outbox.db")), "ridge.toml")

    async def run() -> tuple[Node, Node]:
        first = Node(site, tmp_path / "recordings", publish=False)
        running = asyncio.create_task(first.run())
        while first.pipeline.watch.readings < 5:
            await asyncio.sleep(0.02)
        assert not first.pipeline.watch.clock_trusted
        wall["offset_ns"] = 0
        states.append(ClockState(True, "disciplined", 0.01))
        await asyncio.wait_for(running, 20.0)
        return first, Node(site, tmp_path / "recordings", publish=False)

    first, second = asyncio.run(run())
    assert first.run_id.startswith("19")
    assert first.wants_new_run
    assert not second.run_id.startswith("19")
    second.recorder.close({})
