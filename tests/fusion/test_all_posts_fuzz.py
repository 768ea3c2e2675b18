"""Hostile numbers of every kind, of two posts, and the tracker of all goes on: by seeds; and the worst claims alone."""

from __future__ import annotations

import random

import msgspec
import pytest

from center.detected import detected_object
from fusion.admission import wrong_claim
from fusion.all_posts import AllPosts, Arrived
from fusion.scan_messages import (
    LookMessage,
    MeasuredMessage,
    ScanMessage,
    ScansMessage,
    SensorDescription,
    SensorsMessage,
)
from fusion.wire import ClaimMessage, rfc3339

T = 1_800_000_000_000_000_000
STEP_NS = 250_000_000
EXTREMES = (0.0, 1e-300, 1e-12, 1e-3, 5.0, 90.0, -5.0, 1e4, 1e6, -1e6, 1e20, -1e20, 1e154, -1e154, 1e308, -1e308)


class Liar:
    """A post by a seed: now and then one of its numbers is an extreme one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.share = self.random.choice((0.0, 0.05, 0.3))

    def number(self, sane: float | None, share: float | None = None) -> float | None:
        share = self.share if share is None else share
        return self.random.choice(EXTREMES) if self.random.random() < share else sane

    def limits(self, low: float, high: float) -> tuple[float, float] | None:
        if self.random.random() < 0.2:
            start = self.random.uniform(-1e3, 1e3)
            return start, start + self.random.choice((1e-9, 1.0, 1e4))
        return None if self.random.random() < 0.1 else (low, high)

    def sensor(self, name: str) -> SensorDescription:
        chance = self.random.choice
        return SensorDescription(
            *(name, 35.0 + self.random.uniform(-0.1, 0.1), 45.0 + self.random.uniform(-0.1, 0.1)),
            *(self.number(value, 0.05) for value in (5.0, 0.0, 0.0, 0.0)),
            position_sigma_m=self.number(1.0, 0.1),
            mounting_sigma_deg=self.number(0.3, 0.1),
            is_aligned=chance((True, False)),
            azimuth_sigma_deg=chance((None, 0.5, 1e-9)),
            elevation_sigma_deg=chance((None, 0.5, 1e6)),
            slant_range_sigma_m=chance((None, 5.0, 1e-9)),
            range_rate_sigma_m_s=chance((None, 0.5, 1e6)),
            azimuth_deg=self.limits(-180.0, 180.0),
            elevation_deg=self.limits(-10.0, 80.0),
            slant_range_m=self.limits(10.0, 9_000.0),
            detection_probability=chance((None, 0.0, 0.9, 1.0)),
            detection_probability_by_pixels=chance((None, ((0.0, 0.1), (10.0, 0.9)))),
            pixels_per_deg=chance((None, 20.0, 1e-9, 1e6)),
            at_night=chance((None, "same", "none")),
            false_alarms_per_scan=chance((None, 0.0, 0.1, 1e6)),
        )

    def measured(self) -> MeasuredMessage:
        kind, gauss = self.random.random(), self.random.gauss
        more = {
            "confidence": self.number(0.8),
            "classes": self.random.choice(({}, {"drone": 0.9}, {"drone": 1e308, "bird": -1.0})),
            "angular_size_deg": self.number(None),
        }
        if kind < 0.3:
            whole = self.random.random() < 0.5
            point = tuple(self.number(500.0 + gauss(0.0, 5.0)) for _ in range(3 if whole else 2))
            covariance = tuple(
                self.number(value) for value in ((1.0, 0.0, 0.0, 1.0, 0.0, 1.0) if whole else (1.0, 0.0, 1.0))
            )
            if whole and self.random.random() < 0.05:
                covariance = (1.0, 0.94, -1e200, 0.9, -1e200, 1.0)  # its determinant is no number
            return MeasuredMessage(position_enu_m=point, covariance_m2=covariance, **more)
        pairs = ((45.0 + gauss(0.0, 0.3), 0.5), (10.0, 0.5), (1_000.0 + gauss(0.0, 5.0), 5.0), (3.0, 0.5))
        kept = [pair if place == 0 or self.random.random() < 0.6 else (None, None) for place, pair in enumerate(pairs)]
        return MeasuredMessage(
            *(value if value is None else self.number(value) for pair in kept for value in pair), **more
        )

    def scan(self, time_ns: int) -> ScanMessage:
        look = LookMessage(*(self.number(value) for value in (0.0, 0.0, 0.0)), (-90.0, 90.0), (-10.0, 80.0), (5.0, 9e3))
        return ScanMessage(
            self.random.choice(("s0", "s1", "unknown")),
            rfc3339(time_ns - self.random.randrange(0, 2 * STEP_NS)),
            tuple(self.measured() for _ in range(self.random.randrange(4))),
            looked=self.random.choice((None, (look,))),
            looked_everywhere=self.random.random() < 0.7,
        )

    def claim(self, time_ns: int) -> ClaimMessage:
        return ClaimMessage(
            *("s0", rfc3339(time_ns), "remote_id", f"t{self.random.randrange(3)}", "agrees", False),
            latitude_deg=self.number(35.005),
            longitude_deg=self.number(45.005),
            height_m=self.number(100.0),
            horizontal_sigma_m=self.number(3.0),
            vertical_sigma_m=self.number(3.0),
            velocity_enu_m_s=(self.number(1.0), self.number(1.0), self.number(None)),
            text=self.random.choice((None, "x" * 60_000)),
        )

    def message(self, site_id: str, time_ns: int) -> ScansMessage:
        message = ScansMessage(
            *(1, site_id, "run", rfc3339(time_ns)),
            scans=tuple(self.scan(time_ns) for _ in range(3)),
            claims=tuple(self.claim(time_ns) for _ in range(self.random.randrange(3))),
            clock_error_s=self.number(0.01),
        )
        return msgspec.json.decode(msgspec.json.encode(message), type=ScansMessage)


@pytest.mark.parametrize("seed", range(8))
def test_no_number_that_can_be_sent_ends_the_tracker_of_all(seed):
    liar, tracker, described = Liar(seed), AllPosts(), 0
    while described < 2:
        sensors = tuple(liar.sensor(name) for name in ("s0", "s1"))
        try:
            tracker.describe(SensorsMessage(1, "ab"[described], "run", rfc3339(T), 35.0, 45.0, 0.0, sensors), T)
            described += 1
        except ValueError:  # such sensors are refused
            pass
    for step in range(1, 17):
        now_ns = T + step * STEP_NS
        tracker.take([Arrived(liar.message(site_id, now_ns), now_ns) for site_id in "ab"])
        for one in tracker.look(now_ns):
            assert len(msgspec.msgpack.encode(detected_object(one))) < 4_000
    assert tracker.worked_in > 0


RADAR = SensorDescription(
    *("radar", 35.0, 45.0, 5.0, 0.0, 0.0, 0.0),
    azimuth_sigma_deg=0.5,
    elevation_sigma_deg=0.5,
    slant_range_sigma_m=5.0,
    azimuth_deg=(-180.0, 180.0),
    elevation_deg=(-10.0, 80.0),
    slant_range_m=(10.0, 10_000.0),
    detection_probability=0.9,
    false_alarms_per_scan=0.1,
)


@pytest.mark.parametrize(
    "fields",
    [
        {"horizontal_sigma_m": 1e200},
        {"horizontal_sigma_m": 1e20, "vertical_sigma_m": 1e-3},
        {"vertical_sigma_m": 1e200},
        {"height_m": 1e154},
        {"velocity_enu_m_s": (1e200, 1e200, 1e308)},
        {"operator_latitude_deg": 1e20, "operator_longitude_deg": 0.0},
        {"identity": "x" * 60_000},
        {"sensor_id": "of nobody"},
    ],
)
def test_a_claim_that_cannot_be_is_refused_and_another_posts_object_stays(fields):
    tracker = AllPosts()
    for site_id in ("good", "evil"):
        tracker.describe(SensorsMessage(1, site_id, "run", rfc3339(T), 35.0, 45.0, 0.0, (RADAR,)), T)
    for step in range(16):
        now_ns = T + step * STEP_NS
        scan = ScanMessage(
            "radar", rfc3339(now_ns), (MeasuredMessage(45.0, 0.5, 5.0, 0.5, 3e3, 5.0),), looked_everywhere=True
        )
        told = {"sensor_id": "radar", "latitude_deg": 35.01, "longitude_deg": 45.01, "height_m": 100.0} | fields
        claim = ClaimMessage(
            time=rfc3339(now_ns), protocol="remote_id", transmitter="t", agreement="", authenticated=False, **told
        )
        messages = [
            ScansMessage(1, "good", "run", rfc3339(now_ns), (scan,)),
            ScansMessage(1, "evil", "run", rfc3339(now_ns), (), (claim,)),
        ]
        tracker.take([Arrived(message, now_ns) for message in messages])
    assert len(tracker.look(now_ns)) == 1
    assert [(site_id, count) for (site_id, _), count in tracker.refused.items()] == [("evil", 16)]


def test_a_claim_that_tells_no_accuracy_by_a_zero_is_taken():
    told = ("radar", rfc3339(T), "remote_id", "t", "", False)
    assert wrong_claim(ClaimMessage(*told, horizontal_sigma_m=0.0, vertical_sigma_m=0.0)) is None
    assert wrong_claim(ClaimMessage(*told, horizontal_sigma_m=-1.0)) == "of an accuracy that is none"
