"""What the fused picture must know again after a restart of the center: its objects, and which numbers were given.

One small file beside the store, written every two seconds, whole or not at all. After a restart an object that was told of
within the last 15 s goes on under its number, by the posts' tracks that it was of or by its course. No number is given twice:
where the file is damaged, numbers go on at the tenths of a second since 1970, of which more have passed than were ever given.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec
import numpy as np

from fusion.track_fusion import FusedObject, TrackFusion

log = logging.getLogger("sarhad.center")

EVERY_NS = 2_000_000_000
NUMBER_NS = 100_000_000
MARGIN = 1_000  # numbers that may have been given since the last writing
MOST_BYTES = 50_000_000


class RememberedObject(msgspec.Struct, frozen=True, array_like=True):
    """An object, as `FusedObject` holds it."""

    number: int
    time_ns: int
    members: tuple[tuple[str, str, int], ...]
    state: tuple[float, ...]  # (6,)
    covariance: tuple[tuple[float, ...], ...]  # (6, 6)
    existence_probability: float
    classes: tuple[float, ...]


class Remembered(msgspec.Struct, frozen=True):
    next_number: int
    objects: tuple[RememberedObject, ...]


class FusedMemory:
    """The file. Calls must not overlap."""

    def __init__(self, path: Path) -> None:
        self._path, self._written_ns = path, 0
        self.fault: str | None = None

    def read_into(self, fusion: TrackFusion, now_ns: int) -> None:
        """Go on from the file; begin anew where there is none, or, at numbers of its own, where it cannot be read."""
        try:
            if self._path.stat().st_size > MOST_BYTES:
                raise ValueError("is too long")
            known = msgspec.msgpack.decode(self._path.read_bytes(), type=Remembered)
            objects = [object_of(one) for one in known.objects]
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            first = now_ns // NUMBER_NS
            log.warning("%s: cannot be read, fused numbers go on at %d: %s", self._path, first, error)
            fusion.go_on((), first)
            return
        fusion.go_on(objects, known.next_number + MARGIN)

    def write(self, fusion: TrackFusion, now_ns: int, at_once: bool = False) -> None:
        """Keep what the picture knows, where it is time."""
        if not at_once and 0 <= now_ns - self._written_ns < EVERY_NS:
            return
        self._written_ns = now_ns
        known = Remembered(fusion.next_number, tuple(remembered(one) for one in fusion.objects))
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            with beside.open("wb") as file:
                file.write(msgspec.msgpack.encode(known))
                file.flush()
                os.fsync(file.fileno())  # else a loss of power may leave the new name and none of the bytes
            os.replace(beside, self._path)
            self.fault = None
        except OSError as error:
            if self.fault is None:
                log.warning("%s: cannot be written: %s", self._path, error)
            self.fault = f"{self._path.name} cannot be written: {error.strerror or error}"


def remembered(one: FusedObject) -> RememberedObject:
    return RememberedObject(
        one.number,
        one.time_ns,
        one.members,
        tuple(one.state.tolist()),
        tuple(map(tuple, one.covariance.tolist())),
        one.existence_probability,
        one.classes,
    )


def object_of(one: RememberedObject) -> FusedObject:
    """Raises ValueError where the numbers are not as many as there must be."""
    state, covariance = np.array(one.state, float).reshape(6), np.array(one.covariance, float).reshape(6, 6)
    return FusedObject(one.number, one.time_ns, one.members, state, covariance, one.existence_probability, one.classes)
