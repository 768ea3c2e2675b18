"""Whether a sensor works: opened, started, listened to, decoded."""

from __future__ import annotations

import math
import threading
import time

from edge.finding import FAIL, NOTE, PASS, Finding
from edge.protocol_options import PROTOCOLS
from edge.sensors import as_lines, driver_of, is_camera
from edge.site_types import SensorEntry
from edge.vision.decoder import PacketDecoder
from firmware_interfaces.decoder import Decoder
from fusion.frames import LocalFrame
from fusion.types import ASKED, Fact, Geodetic, OwnPosition, Reading
from hardware.clock import Clock
from hardware.command_port import CommandPort
from hardware.device import Delivery, DeviceLost, Driver

READ_S = 0.25
FAR_M = 200.0  # a post's sensors stand within this of its origin


def try_sensor(entry: SensorEntry, decoder: Decoder | None, origin: Geodetic, listen_s: float) -> Finding:
    """Open it, start it, listen, decode."""
    about = f'sensor "{entry.sensor.sensor_id}"'
    try:
        driver = driver_of(entry)
    except ValueError as error:
        return Finding(about, FAIL, str(error), "mend its options in the site file")
    try:
        driver.open()
        complaints = start(entry, driver)
        deliveries = listen(driver, listen_s)
    except DeviceLost as error:
        return Finding(
            about, FAIL, str(error), "plug it in, check its path or address, and that no other program has it"
        )
    finally:
        driver.close()
    if complaints:
        return Finding(
            about, FAIL, f"refuses its start file: {complaints[0]}", "use the start file of its own firmware"
        )
    if decoder is None or is_camera(entry):
        return pictures(about, entry, deliveries, listen_s)
    return decoded(about, entry, decoder, deliveries, origin, listen_s)


def start(entry: SensorEntry, driver: Driver) -> tuple[str, ...]:
    """Send the start file where there is one; gives what the sensor complained of."""
    if entry.command is None:
        return ()
    return CommandPort(entry.command.path, entry.command.baud, entry.command.lines).send(driver, threading.Event())


def listen(driver: Driver, listen_s: float) -> list[tuple[int, Delivery]]:
    """What comes within listen_s, with its monotonic arrival, ns."""
    end_s = time.monotonic() + listen_s
    heard = []
    while (left_s := end_s - time.monotonic()) > 0.0:
        delivery = driver.read(min(left_s, READ_S))
        if delivery is not None:
            heard.append((time.monotonic_ns(), delivery))
    return heard


def pictures(about: str, entry: SensorEntry, deliveries: list[tuple[int, Delivery]], listen_s: float) -> Finding:
    """Whether a camera's packets become pictures of the lens's shape."""
    if not deliveries:
        return Finding(about, FAIL, f"opened, but no picture within {listen_s:g} s", "is the camera sending?")
    decoder = PacketDecoder()
    seen = [picture.size_px for stamp_ns, delivery in deliveries for picture in decoder.decode(delivery.data, stamp_ns)]
    if not seen:
        return Finding(
            about, FAIL, f"{len(deliveries)} packets, none becomes a picture", "set the camera to H.264, H.265 or JPEG"
        )
    width_px, height_px = seen[-1]
    shape = f"{len(seen)} pictures of {width_px} x {height_px}, {len(seen) / listen_s:.1f} a second"
    assert entry.lens is not None
    lens_width_px, lens_height_px = entry.lens.size_px
    if abs(width_px / height_px - lens_width_px / lens_height_px) > 0.01:
        todo = f"calibrate the lens for this shape, or set the camera to {lens_width_px} x {lens_height_px}"
        return Finding(about, FAIL, f"{shape}; the lens in the site file is {lens_width_px} x {lens_height_px}", todo)
    if decoder.damaged_count:
        return Finding(about, NOTE, f"{shape}; {decoder.damaged_count} damaged packets", "look at cable and network")
    return Finding(about, PASS, shape)


def decoded(
    about: str,
    entry: SensorEntry,
    decoder: Decoder,
    deliveries: list[tuple[int, Delivery]],
    origin: Geodetic,
    listen_s: float,
) -> Finding:
    """Whether the bytes are the protocol's."""
    facts = feed(entry, decoder, deliveries)
    counts = decoder.counts
    frames, rejected = sum(counts.decoded.values()), sum(counts.rejected.values())
    told = f"{counts.bytes} bytes, {frames} {entry.protocol} frames, {rejected} rejected in {listen_s:g} s"
    if deliveries and all(heard.source == ASKED for _, heard in deliveries):
        todo = decoder.diagnosis() or "check its supply, address, baud and wires"
        return Finding(about, FAIL, f"asked, but no answer within {listen_s:g} s", todo)
    if not counts.bytes:
        return silent(about, entry, listen_s)
    if not frames:
        return Finding(about, FAIL, told, decoder.diagnosis() or "check baud and protocol")
    if (diagnosis := decoder.diagnosis()) is not None:
        return Finding(about, NOTE, told, diagnosis)
    positions = [fact for fact in facts if isinstance(fact, OwnPosition)]
    return placed(about, positions, origin, told) if positions else Finding(about, PASS, told)


def feed(entry: SensorEntry, decoder: Decoder, deliveries: list[tuple[int, Delivery]]) -> list[Fact]:
    """The facts in what was heard."""
    wall_ns, monotonic_ns = Clock().now()
    facts: list[Fact] = []
    for stamp_ns, heard in deliveries:
        received_ns = wall_ns + stamp_ns - monotonic_ns
        data = as_lines(entry, heard.data)
        sensor_id = entry.sensor.sensor_id
        facts += decoder.feed(Reading(sensor_id, received_ns, stamp_ns, heard.device_ns, heard.source, data))
    return facts


def placed(about: str, positions: list[OwnPosition], origin: Geodetic, told: str) -> Finding:
    """Whether the receiver is where the site file says the post is."""
    known = [fact.position for fact in positions if fact.position is not None]
    if not known:
        return Finding(about, NOTE, f"{told}; no fix yet", "wait some minutes under open sky")
    east_m, north_m, _ = LocalFrame(origin).geodetic_to_enu(known[-1])
    away_m = math.hypot(east_m, north_m)
    if away_m > FAR_M:
        todo = "mend [site] origin, or find out why the receiver is wrong"
        return Finding(about, NOTE, f"{told}; it is {away_m:.0f} m from the site file's origin", todo)
    return Finding(about, PASS, f"{told}; {away_m:.0f} m from the origin")


def silent(about: str, entry: SensorEntry, listen_s: float) -> Finding:
    """No bytes at all: normal for a receiver of broadcasts, a fault for the rest."""
    seen = f"opened, but no bytes within {listen_s:g} s"
    family = PROTOCOLS[entry.protocol].family
    if family == "claims":
        return Finding(about, NOTE, seen, "normal where no drone broadcasts; switch one on nearby to be sure")
    if family == "presence":
        return Finding(about, NOTE, seen, "normal while nothing happens; make something happen to be sure")
    return Finding(about, FAIL, seen, "is it powered and started, is this its data port? `command` sends a start file")
