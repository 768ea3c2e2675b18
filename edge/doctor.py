"""Try a whole post for real: open every device, listen, decode, reach the broker, look at disk, clock and model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge.broker_trial import try_broker
from edge.finding import FAIL, NOTE, PASS, Finding
from edge.sensor_trial import try_sensor
from edge.sensors import decoders_of, is_camera, model_confidence, model_path
from edge.site_types import Site
from edge.vision.detector import ModelError, Picture, load_detector
from hardware.clock import kernel_clock_state
from hardware.host import chrony_sources, disk_free_mb

LEAST_DISK_MB = 200.0  # the outbox of some hours
GOOD_DISK_MB = 2000.0


def examine(site: Site, listen_s: float) -> Iterator[Finding]:
    """Everything, sensors at the same time, each for listen_s."""
    yield from disk(site)
    yield clock()
    yield try_broker(site.broker, site.site_id)
    yield from models(site)
    decoders = decoders_of(site)
    with ThreadPoolExecutor(max_workers=len(site.sensors)) as pool:
        tried = [
            pool.submit(try_sensor, entry, decoders.get(entry.sensor.sensor_id), site.origin, listen_s)
            for entry in site.sensors
        ]
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
    sources = chrony_sources()
    if state.trusted and sources and set(sources) == {"refclock"}:
        todo = "add a time server or a second post as peer: a receiver that is spoofed must be outvoted"
        return Finding("clock", NOTE, f"{state.text}, by a satellite receiver or another local clock alone", todo)
    if state.trusted:
        return Finding("clock", PASS, state.text)
    todo = "run chrony with a time server or a GNSS receiver; until then tracks are marked as of untrusted time"
    return Finding("clock", NOTE, "nothing disciplines this clock", todo)


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
