"""TI mmWave radars: one frame is one scan.

One object gives several points, so points that are near each other in space and radial speed are joined into one
detection: its place is their centroid, weighted by signal power, its errors are those that the site file states for
this radar as mounted. The frame itself is read in `ti_mmwave_frames.py`, what is inside it in `ti_mmwave_tlvs.py`.

                y forward
                |   * *                 three points, one detection
                |    *
                |          *            a point alone is a detection, too
      ----------+---------- x right

A person, a car or a hedge gives points over several metres, so several detections, and each of them may become a track.
What the site file can say about that:

    min_speed_m_s   leaves out slower points: walls, masts, parked cars. 0.2 to 0.5 where things that stand still fill
                    the picture; the price is that a drone hovering, or flying across, is left out as well. 0 keeps all.
    cluster_m       how near points of one object lie: its size. 1 suits small drones and keeps two that fly side by
    cluster_m_s     side apart; 2 to 4 m (and 2 to 3 m/s, for limbs and wheels) suit people and cars.

The firmware's own tracks (tracker TLVs) are read, but not turned into facts: its points are given, and a track of
ours made from its tracks as well would count the same echo twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from firmware_interfaces.came_before import CAME_AGAIN, RESTART_NS, STEPPED_BACK, CameBefore
from firmware_interfaces.decoder import MISSED, Counts, diagnose
from firmware_interfaces.mounting import Mounting
from firmware_interfaces.scan_times import LARGEST_GAP, ScanTimes
from firmware_interfaces.ti_mmwave_frames import Frame, Frames, encode_frame
from firmware_interfaces.ti_mmwave_tlvs import Target
from fusion.types import Detection, FloatArray, Reading, Scan, Sensor

__all__ = ["Decoder", "Frames", "encode_frame", "record"]

MAX_RANGE_M = 1000.0  # no radar of this family reaches half as far; a point beyond is a damaged float
MAX_SPEED_M_S = 200.0
MAX_CLUSTERED_POINTS = 4096  # the largest frames of today carry some 750 points, the longest could carry 3,200
WEIGHED_SNR_DB = (-30.0, 90.0)  # beyond lie damaged numbers; a weight must neither vanish nor be all
SNR_WHERE_NONE_IS_GIVEN_DB = 0.0
MIN_FRAMES_TO_JUDGE = 100  # some seconds
FIRST_PERIOD_NS = 50_000_000  # until it is learned: common configurations make 10 to 30 frames a second
MAX_TOLD = 4  # unknown types in one line for people
BYTES_TO_EXPECT_CR = 65_536  # of random bytes this many lack 0x0D once in e^256


class Decoder:
    """Readings in, scans out."""

    def __init__(
        self,
        sensor: Sensor,
        profile: str = "auto",
        cluster_m: float = 1.0,
        cluster_m_s: float = 1.0,
        min_speed_m_s: float = 0.0,
        doppler_sign: int = 1,
    ) -> None:
        """`doppler_sign` is -1 where the firmware reports closing as positive; TI's report receding as positive.

        Points slower than `min_speed_m_s` are left out; 0 keeps walls and hovering drones alike. Points nearer than
        `cluster_m` and `cluster_m_s` are one detection. The module's text says which values suit what.
        """
        self._sensor, self._mounting = sensor, Mounting(sensor)
        self._times = ScanTimes(sensor.latency_ns, FIRST_PERIOD_NS)
        self._frames = Frames(profile)
        self.counts: Counts = self._frames.counts
        self._cluster_m, self._cluster_m_s = cluster_m, cluster_m_s
        self._min_speed_m_s, self._doppler_sign = min_speed_m_s, doppler_sign
        self._saw_carriage_return = False
        self._last_number: int | None = None
        self._last_ns = 0  # when a frame was last used
        self._came_before = CameBefore()

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished frame."""
        return self._frames.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Scan]:
        """One scan a frame that this reading completes and that is not an old one again.

        Their times grow strictly, see `scan_times.py`; what comes again, see `came_before.py`.
        """
        self._saw_carriage_return = self._saw_carriage_return or 0x0D in reading.data
        told = [framed.message for framed in self._frames.feed(reading.data, reading.monotonic_ns)]
        frames = [frame for frame in told if not self._came_again(frame)]
        numbers = [frame.header.frame_number for frame in frames]
        self._count_missed(numbers, reading.monotonic_ns)
        times_ns = self._times.of(numbers, reading.received_ns)
        return [self._scan(frame, time_ns) for frame, time_ns in zip(frames, times_ns, strict=True)]

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        counts = self.counts
        if (told := diagnose(counts, "TI mmWave frame", "check that this is the data port, and its baud")) is not None:
            return told
        if not self._saw_carriage_return and counts.bytes >= BYTES_TO_EXPECT_CR:
            return (
                f"no byte 0x0D in {counts.bytes} bytes: the port is not raw (CR is turned into LF); values are damaged"
            )
        frames = counts.decoded["frame"]
        if (odd := counts.remarks["object count"]) > 0.02 * frames:
            return f"{odd} of {frames} frames hold another number of points than they state: is the port raw?"
        if (cut := counts.rejected["cut"]) > 0.05 * frames and counts.bytes >= BYTES_TO_EXPECT_CR:
            return (
                f"{cut} frames cut short beside {frames} whole: the port is overrun; switch profiles and heat maps off"
            )
        if (missed := counts.remarks[MISSED]) > 0.05 * frames and frames >= MIN_FRAMES_TO_JUDGE:
            return f"{missed} frames missed beside {frames} whole, by their numbers: the port or the machine is overrun"
        if unread := [name for name in counts.remarks if name.startswith("TLV")]:
            return f"unknown layout, used as far as known: {', '.join(sorted(unread)[:MAX_TOLD])}"
        return None

    def _came_again(self, frame: Frame) -> bool:
        """Whether it says nothing of now, since the same frame has come before."""
        has_points = any(len(points) for points in (frame.points, frame.spherical, frame.extended))
        is_telling = frame.header.cpu_cycles is not None or has_points
        came_again = self._came_before.again(frame.digest, is_telling)
        self.counts.remarks[CAME_AGAIN] += came_again
        return came_again

    def _count_missed(self, numbers: Sequence[int], monotonic_ns: int) -> None:
        """Gaps in the frames' numbers; a large one, or a step back after a silence, is a radar that started anew."""
        was_silent = monotonic_ns - self._last_ns >= RESTART_NS
        for number in numbers:
            gap = 0 if self._last_number is None else number - self._last_number - 1
            self.counts.remarks[MISSED] += gap if 0 < gap < LARGEST_GAP else 0
            self.counts.remarks[STEPPED_BACK] += gap < -1 and not was_silent
            self._last_number, self._last_ns, was_silent = number, monotonic_ns, False

    def _scan(self, frame: Frame, time_ns: int) -> Scan:
        points = self._plausible(body_points(frame))
        return Scan(
            self._sensor.sensor_id,
            time_ns,
            self._mounting.looked(),
            tuple(self._detections(points)) if len(points) else (),
        )

    def _plausible(self, points: FloatArray) -> FloatArray:
        """The points without damaged floats and, where asked for, without what stands still."""
        with np.errstate(invalid="ignore", over="ignore"):
            is_good = (np.abs(points[:, :3]) <= MAX_RANGE_M).all(axis=1) & (np.abs(points[:, 3]) <= MAX_SPEED_M_S)
            is_good &= (points[:, :3] ** 2).sum(axis=1) > 0.0
            self.counts.remarks["implausible point"] += int((~is_good).sum())
            is_good &= np.abs(points[:, 3]) >= self._min_speed_m_s
        return np.asarray(points[is_good][:MAX_CLUSTERED_POINTS])

    def _detections(self, points: FloatArray) -> list[Detection]:
        """One detection a cluster, in the order of the clusters' first points."""
        count, label = self._clusters(points)
        snr_db = points[:, 4]
        has_power = not np.isnan(snr_db).any()
        weight = 10.0 ** (np.clip(snr_db, *WEIGHED_SNR_DB) / 10.0) if has_power else np.ones(len(points))
        total = np.bincount(label, weight, count)
        x, y, z, radial_speed = (np.bincount(label, weight * column, count) / total for column in points.T[:4])
        strongest_db: list[float | None] = [None] * count
        if has_power:
            highest = np.full(count, -np.inf)
            np.maximum.at(highest, label, snr_db)
            strongest_db = highest.tolist()
        measurements = self._mounting.level_all(
            np.arctan2(x, y),
            np.arctan2(z, np.hypot(x, y)),
            np.sqrt(x * x + y * y + z * z),
            self._doppler_sign * radial_speed,
        )
        return [
            Detection(polar, confidence_of(power_db), power_db=power_db)
            for polar, power_db in zip(measurements, strongest_db, strict=True)
        ]

    def _clusters(self, points: FloatArray) -> tuple[int, npt.NDArray[np.int32]]:
        """How many groups, and each point's; a point is within the two distances of another of its group."""
        one, other = cKDTree(points[:, :3]).query_pairs(self._cluster_m, output_type="ndarray").T
        alike = np.abs(points[one, 3] - points[other, 3]) <= self._cluster_m_s
        links = (np.ones(int(alike.sum()), dtype=bool), (one[alike], other[alike]))
        count, label = connected_components(coo_array(links, (len(points), len(points))), directed=False)
        return int(count), label


def confidence_of(snr_db: float | None) -> float:
    """The signal's share in signal plus noise: 0 dB is one half, 10 dB is 0.91; one half where the radar tells none."""
    known_db = SNR_WHERE_NONE_IS_GIVEN_DB if snr_db is None else min(max(snr_db, WEIGHED_SNR_DB[0]), WEIGHED_SNR_DB[1])
    snr = math.pow(10.0, known_db / 10.0)
    return snr / (1.0 + snr)


def body_points(frame: Frame) -> FloatArray:
    """All points of a frame, shape (n, 5): x, y, z m, radial speed m/s, signal-to-noise dB (nan where not told)."""
    with np.errstate(all="ignore"):  # damaged floats are left out later
        cartesian = np.full((len(frame.points), 5), np.nan)
        cartesian[:, :4] = frame.points
        if len(frame.side_info) == len(frame.points):
            cartesian[:, 4] = frame.side_info[:, 0] / 10.0
        if len(frame.extended):
            cartesian = np.concatenate([cartesian, frame.extended[:, :5]])
        if len(frame.spherical) == 0:
            return cartesian
        elevation, azimuth, radial_speed, slant_range, snr = frame.spherical.T
        ground = slant_range * np.cos(elevation)
        snr_db = 10.0 * np.log10(np.where(snr > 0.0, snr, np.nan))
        columns = [ground * np.sin(azimuth), ground * np.cos(azimuth), slant_range * np.sin(elevation)]
        return np.concatenate([cartesian, np.stack([*columns, radial_speed, snr_db], axis=1)])


# Records, as `sarhad decode` prints them


def record(frame: Frame) -> dict[str, Any]:
    """A frame as plain data; see the README for the fields."""
    header = frame.header
    is_tracker = any(tlv_type >= 1000 for tlv_type, _ in frame.tlvs)
    out: dict[str, Any] = {
        "profile": "radar_toolbox_40" if is_tracker and header.profile == "sdk3_oob_40" else header.profile,
        "version": f"{header.version:08x}",
        "total_len": header.total_length,
        "platform": f"{header.platform:x}",
        "frame": header.frame_number,
        "cpu_cycles": header.cpu_cycles,
        "num_obj": header.object_count,
        "num_tlv": header.tlv_count,
        "subframe": header.subframe,
        "tlvs": [{"type": tlv_type, "len": length} for tlv_type, length in frame.tlvs],
        "padding": frame.padding,
        "points": [*_cartesian_records(frame), *_spherical_records(frame), *_extended_records(frame)],
    }
    if frame.targets:
        out["targets"] = [_target_record(target) for target in frame.targets]
    if (s := frame.statistics) is not None:
        out["stats"] = {
            "interframe_proc_us": s.interframe_processing_us,
            "tx_output_us": s.transmit_us,
            "interframe_margin_us": s.interframe_margin_us,
            "interchirp_margin_us": s.interchirp_margin_us,
            "active_cpu_pct": s.active_cpu_percent,
            "interframe_cpu_pct": s.interframe_cpu_percent,
        }
    if frame.temperatures_c is not None:
        out["temperatures_c"] = list(frame.temperatures_c)
    if frame.heights:
        out["heights"] = [{"tid": tid, "max_z": _number(top), "min_z": _number(low)} for tid, top, low in frame.heights]
    if frame.target_index:
        out["target_index"] = list(frame.target_index)
    if frame.presence is not None:
        out["presence"] = frame.presence
    return out


def _cartesian_records(frame: Frame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = [
        {"x": _number(x), "y": _number(y), "z": _number(z), "v": _number(v)} for x, y, z, v in frame.points.tolist()
    ]
    for point, (snr, noise) in zip(records, frame.side_info.tolist(), strict=False):
        point["snr_0p1db"], point["noise_0p1db"] = snr, noise
    return records


def _spherical_records(frame: Frame) -> list[dict[str, Any]]:
    names = ("elev_rad", "azim_rad", "doppler_mps", "range_m", "snr")
    return [dict(zip(names, map(_number, row), strict=True)) for row in frame.spherical.tolist()]


def _extended_records(frame: Frame) -> list[dict[str, Any]]:
    names = ("x", "y", "z", "v", "snr_db", "noise_db")
    return [dict(zip(names, map(_number, row), strict=True)) for row in frame.extended.tolist()]


def _target_record(target: Target) -> dict[str, Any]:
    x, y, z = target.position_m
    vx, vy, vz = target.velocity_m_s
    values = {"x": x, "y": y, "z": z, "vx": vx, "vy": vy, "vz": vz, "confidence": target.confidence}
    return {"tid": target.target_id, **{name: _number(value) for name, value in values.items()}}


def _number(value: float) -> float | None:
    """Six digits behind the point; None for what is no number."""
    return round(value, 6) if math.isfinite(value) else None
