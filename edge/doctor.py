"""Try a whole post for real: open every device, listen, decode, reach the broker, look at disk, clock and model.

Each thing tried gives one `Finding`: pass, note or fail, what was seen, and what to do. A note is something to know that
stops nothing: a Remote ID receiver hears nothing where no drone flies.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edge.device_options import PROTOCOLS
from edge.sensors import decoders_of, driver_of, is_camera, model_confidence, model_path
from edge.site_types import BrokerSettings, SensorEntry, Site
from edge.vision.decoder import PacketDecoder
from edge.vision.detector import ModelError, Picture, load_detector
from firmware_interfaces.decoder import Decoder
from fusion.types import Fact, OwnPosition, Reading
from hardware.clock import Clock, kernel_clock_state
from hardware.command_port import CommandPort
from hardware.device import Delivery, DeviceLost, Driver
from hardware.host import disk_free_mb

LEAST_DISK_MB = 200.0  # the outbox of some hours
GOOD_DISK_MB = 2000.0
BROKER_TIMEOUT_S = 5.0
READ_S = 0.25
REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "client id refused",
    3: "it is not available",
    4: "bad log-in",
    5: "not authorised",
}

PASS, NOTE, FAIL = "pass", "note", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one trial gave. todo: what to do; None where nothing is to be done."""

    about: str
    state: str  # PASS, NOTE or FAIL
    seen: str
    todo: str | None = None


def examine(site: Site, listen_s: float) -> Iterator[Finding]:
    """Everything, sensors at the same time, each for listen_s."""
    yield from disk(site)
    yield clock()
    yield broker(site.broker, site.site_id)
    yield from models(site)
    decoders = decoders_of(site)
    with ThreadPoolExecutor(max_workers=len(site.sensors)) as pool:
        tried = [pool.submit(sensor, entry, decoders.get(entry.sensor.sensor_id), listen_s) for entry in site.sensors]
        for one in tried:
            yield one.result()


def disk(site: Site) -> Iterator[Finding]:
    """Whether the outbox can be written, and whether there is room."""
    folder = Path(site.broker.outbox_path).parent
    probe = folder / f".sarhad-doctor-{time.monotonic_ns()}"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        todo = f"create {folder} and give it to the service's user"
        yield Finding("outbox", FAIL, f"{folder} cannot be written: {error.strerror}", todo)
        return
    free_mb = disk_free_mb(str(folder))
    if free_mb is None:
        yield Finding("outbox", NOTE, f"{folder} can be written; its free space is not told")
    elif free_mb < LEAST_DISK_MB:
        yield Finding(
            "outbox", FAIL, f"{free_mb:.0f} MB free in {folder}", f"make room: at least {LEAST_DISK_MB:.0f} MB"
        )
    else:
        state = PASS if free_mb >= GOOD_DISK_MB else NOTE
        yield Finding("outbox", state, f"{folder} can be written, {free_mb / 1000:.1f} GB free")


def clock() -> Finding:
    """Whether the kernel's clock is disciplined by something."""
    state = kernel_clock_state()
    if state.trusted:
        return Finding("clock", PASS, "disciplined")
    todo = "run chrony with a time server or a GNSS receiver; until then tracks are marked as of untrusted time"
    return Finding("clock", NOTE, "nothing disciplines this clock", todo)


# The broker


def broker(settings: BrokerSettings, site_id: str) -> Finding:
    """Connect as this post would, with its certificate; nothing is published."""
    where = f"{settings.host}:{settings.port}"
    try:
        answer = connect_answer(settings, f"{site_id}-doctor-{time.monotonic_ns()}")
    except ssl.SSLError as error:
        todo = "check authority, certificate and key, the clock, and the name in the broker's certificate"
        return Finding("broker", FAIL, f"{where}: TLS fails: {error.reason or error}", todo)
    except FileNotFoundError as error:
        return Finding(
            "broker", FAIL, f"{error.filename or 'a certificate file'} is not there", "put the certificates there"
        )
    except OSError as error:
        todo = "is it running, is the address right, does a firewall stand between?"
        return Finding("broker", FAIL, f"{where}: {error.strerror or error}", todo)
    if len(answer) < 4 or answer[0] != 0x20:
        todo = "is it an MQTT broker? one that wants certificates answers so to a post without"
        return Finding("broker", FAIL, f"{where} closes without an answer", todo)
    if answer[3] != 0:
        reason = REFUSALS.get(answer[3], f"code {answer[3]}")
        return Finding(
            "broker", FAIL, f"{where} refuses: {reason}", "check its access list and this post's certificate"
        )
    return Finding("broker", PASS, f"{where} lets this post in" + (" over TLS" if settings.certificate else ""))


def connect_answer(settings: BrokerSettings, client_id: str) -> bytes:
    """The broker's CONNACK. Raises OSError, ssl.SSLError."""
    with socket.create_connection((settings.host, settings.port), BROKER_TIMEOUT_S) as plain:
        if not (settings.certificate or settings.authority):
            return exchange(plain, client_id)
        context = ssl.create_default_context(cafile=settings.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.key)
        with context.wrap_socket(plain, server_hostname=settings.host) as secure:
            return exchange(secure, client_id)


def exchange(connection: socket.socket, client_id: str) -> bytes:
    """Send CONNECT, give the answer, part with DISCONNECT."""
    connection.sendall(connect_packet(client_id))
    try:
        answer = connection.recv(4)
    except ConnectionResetError:
        return b""
    connection.sendall(b"\xe0\x00")
    return answer


def connect_packet(client_id: str) -> bytes:
    """MQTT 3.1.1 CONNECT, clean session, 60 s keep alive. Source: OASIS MQTT 3.1.1, section 3.1."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    assert len(body) < 128  # one length byte
    return bytes([0x10, len(body)]) + body


# Models


def models(site: Site) -> Iterator[Finding]:
    """Each camera's model: loaded, and shown one empty picture."""
    tried: set[tuple[str, float]] = set()
    for entry in site.sensors:
        if not is_camera(entry):
            continue
        path, confidence = model_path(entry), model_confidence(entry)
        if (str(path), confidence) in tried:
            continue
        tried.add((str(path), confidence))
        yield model(path, confidence)


def model(path: Path, confidence: float) -> Finding:
    import numpy as np

    try:
        detector = load_detector(path, confidence)
    except ModelError as error:
        return Finding("model", FAIL, str(error), "put the model there, or leave it out of the site file: one ships")
    empty: Picture = np.zeros((720, 1280, 3), np.uint8)
    detector.look(empty)
    started_s = time.monotonic()
    detector.look(empty)
    took_ms = (time.monotonic() - started_s) * 1e3
    return Finding("model", PASS, f"{path.name} by {detector.provider}, {took_ms:.0f} ms a picture of 1280 x 720")


# Sensors


def sensor(entry: SensorEntry, decoder: Decoder | None, listen_s: float) -> Finding:
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
    return decoded(about, entry, decoder, deliveries, listen_s)


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
    about: str, entry: SensorEntry, decoder: Decoder, deliveries: list[tuple[int, Delivery]], listen_s: float
) -> Finding:
    """Whether the bytes are the protocol's."""
    stamps = Clock()
    wall_ns, monotonic_ns = stamps.now()
    facts: list[Fact] = []
    for stamp_ns, delivery in deliveries:
        received_ns = wall_ns + stamp_ns - monotonic_ns
        reading = Reading(
            entry.sensor.sensor_id, received_ns, stamp_ns, delivery.device_ns, delivery.source, delivery.data
        )
        facts += decoder.feed(reading)
    counts = decoder.counts
    frames, rejected = sum(counts.decoded.values()), sum(counts.rejected.values())
    told = f"{counts.bytes} bytes, {frames} {entry.protocol} frames, {rejected} rejected in {listen_s:g} s"
    if not counts.bytes:
        return silent(about, entry, listen_s)
    if not frames:
        todo = decoder.diagnosis() or "check baud and protocol"
        return Finding(about, FAIL, f"{told}", todo)
    if (diagnosis := decoder.diagnosis()) is not None:
        return Finding(about, NOTE, told, diagnosis)
    fixes = [fact.fix for fact in facts if isinstance(fact, OwnPosition)]
    if fixes and fixes[-1] == "none":
        return Finding(about, NOTE, f"{told}; no fix yet", "wait some minutes under open sky")
    return Finding(about, PASS, told)


def silent(about: str, entry: SensorEntry, listen_s: float) -> Finding:
    """No bytes at all: normal for a receiver of broadcasts, a fault for the rest."""
    seen = f"opened, but no bytes within {listen_s:g} s"
    if PROTOCOLS[entry.protocol].family == "claims":
        return Finding(about, NOTE, seen, "normal where no drone broadcasts; switch one on nearby to be sure")
    return Finding(about, FAIL, seen, "is it powered and started, is this its data port? `command` sends a start file")
