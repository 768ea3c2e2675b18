"""What the simulated sensors put on their lines is what the real decoders get out of it."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from edge.sensors import PROTOCOLS
from fusion.frames import LocalFrame, enu_to_polar
from fusion.types import Claim, OwnPosition, Reading


@pytest.fixture
def feed(demo):
    """A sensor's decoder, fed with the bytes of its looks."""

    def decode(sensor, looks):
        entry = next(entry for entry in demo.site.sensors if entry.sensor.sensor_id == sensor.sensor_id)
        decoder = importlib.import_module(PROTOCOLS[entry.protocol].module).Decoder(entry.sensor)
        facts = []
        for number in looks:
            time_s = number / sensor.rate_hz
            time_ns = demo.start_ns + round(time_s * 1e9)
            received_ns = time_ns + round(sensor.latency_s * 1e9)
            data = sensor.emit(number, time_s, time_ns)
            facts += decoder.feed(Reading(sensor.sensor_id, received_ns, received_ns - demo.start_ns, None, None, data))
        assert not decoder.counts.rejected, decoder.counts
        return facts

    return decode


def test_a_radar_sees_every_object_where_it_is_within_its_stated_accuracy(demo, entry_of, sensor_of, feed):
    mounted = entry_of("ti_mmwave").sensor
    radar = sensor_of("ti_mmwave", false_points_per_frame=0.0, clutter_probability=0.0)
    scans = feed(radar, range(600))
    assert len(scans) == 600
    errors, seen, due = [], 0, 0
    for number, scan in enumerate(scans):
        assert scan.time_ns == demo.start_ns + number * 100_000_000
        for sighting in demo.world.at(number / 10):
            azimuth, elevation, slant_range = enu_to_polar(sighting.position_enu_m - np.asarray(mounted.position_enu_m))
            due += 1
            near = [d.measurement for d in scan.detections if abs(d.measurement.slant_range_m - slant_range) < 3.0
                    and abs(d.measurement.azimuth_rad - azimuth) < 0.15]  # fmt: skip
            seen += bool(near)
            errors += [
                (m.azimuth_rad - azimuth, m.elevation_rad - elevation, m.slant_range_m - slant_range) for m in near[:1]
            ]
    assert 0.75 < seen / due < 0.98  # three small objects at 45 to 105 m
    sigma = np.std(errors, axis=0)
    # the sensor is within its stated accuracy; the cluster's centroid adds little
    assert np.degrees(sigma[:2]) == pytest.approx([1.5, 2.0], rel=0.15)
    assert sigma[2] == pytest.approx(0.5, rel=0.2)
    assert np.abs(np.mean(errors, axis=0)[2]) < 0.1


def test_a_radar_sees_less_the_farther_and_the_smaller(sensor_of):
    from edge.simulator.radar import detection_probability

    radar = sensor_of("ti_mmwave")
    probabilities = [detection_probability(radar.snr_db(away_m, 0.02)) for away_m in (20, 60, 100, 120, 300)]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > 0.99
    assert probabilities[-1] == 0.0
    assert radar.snr_db(50.0, 0.1) - radar.snr_db(50.0, 0.01) == pytest.approx(10.0)
    assert radar.snr_db(50.0, 0.01) - radar.snr_db(100.0, 0.01) == pytest.approx(40 * math.log10(2))


def test_false_points_come_as_often_as_said_and_nowhere_outside_the_coverage(entry_of, sensor_of, feed):
    from dataclasses import replace

    from edge.simulator.world import World

    radar = sensor_of("ti_mmwave", false_points_per_frame=2.0, clutter_enu_m=[])
    radar._look_at(World(()))  # nothing flies
    scans = feed(radar, range(400))
    found = [detection.measurement for scan in scans for detection in scan.detections]
    assert len(found) / len(scans) == pytest.approx(2.0, abs=0.25)  # 3.5 sigma of a Poisson mean over 400 frames
    farthest = entry_of("ti_mmwave").sensor.coverage.slant_range_m[1]
    assert all(m.slant_range_m <= farthest + 0.01 for m in found)
    assert replace(scans[0]).looked is not None


def test_remote_id_claims_what_the_drone_believes_of_itself(demo, sensor_of, feed):
    receiver = sensor_of("open_drone_id", loss_probability=0.0)
    claims = [fact for fact in feed(receiver, range(20)) if isinstance(fact, Claim) and fact.position]
    (cooperative,) = [thing for thing in demo.world.objects if thing.broadcast]
    frame = LocalFrame(demo.site.origin)
    heard = {round((claim.time_ns - demo.start_ns) / 1e9): claim for claim in claims}
    assert len(heard) >= 19
    for second, claim in heard.items():
        assert (claim.identity, claim.identity_type, claim.category) == ("SRHD8DEMO0001", "serial", "multirotor")
        sighting = next(s for s in demo.world.at(second) if s.object is cooperative)
        wrong_m = frame.geodetic_to_enu(claim.position) - sighting.position_enu_m
        assert np.linalg.norm(wrong_m[:2]) < 2 * math.sqrt(2) * 1.5 + 0.02  # the wander's amplitude in both axes
        assert claim.velocity_enu_m_s[:2] == pytest.approx(tuple(sighting.velocity_enu_m_s[:2]), abs=0.2)
        assert claim.horizontal_sigma_m > 1.5  # the code that holds is the next coarser one
    last = claims[-1]
    assert last.operator_id == "DEMO-OPERATOR-1"
    assert frame.geodetic_to_enu(last.operator_position)[:2] == pytest.approx([60.0, 240.0], abs=0.05)


def test_lost_broadcasts_are_lost(sensor_of, feed):
    deaf = sensor_of("open_drone_id", loss_probability=1.0)
    assert not [fact for fact in feed(deaf, range(5)) if isinstance(fact, Claim)]


def test_the_same_look_gives_the_same_bytes_whoever_asked_before(sensor_of):
    one, other = sensor_of("ti_mmwave"), sensor_of("ti_mmwave")
    for number in (0, 1, 2):
        other.emit(number, number / 10, 0)
    assert one.emit(30, 3.0, 0) == other.emit(30, 3.0, 0)
    assert one.emit(30, 3.0, 0) != one.emit(31, 3.1, 0)


def test_the_receiver_of_the_post_knows_where_it_is_and_what_time_it_is(demo, entry_of, sensor_of, feed):
    fixes = [fact for fact in feed(sensor_of("gnss"), range(60)) if isinstance(fact, OwnPosition) and fact.position]
    assert len(fixes) >= 58
    frame = LocalFrame(demo.site.origin)
    wrong_m = np.array([frame.geodetic_to_enu(fix.position) for fix in fixes]) - entry_of("gnss").sensor.position_enu_m
    assert np.abs(wrong_m).max(axis=0) == pytest.approx(
        [1.7, 1.7, 3.5], rel=0.35
    )  # the wander's amplitude is 1.41 sigma
    assert np.abs(np.diff(wrong_m, axis=0)).max() < 0.6  # it wanders, it does not jump
    last = fixes[-1]
    assert last.utc_ns is not None
    assert (last.utc_ns - demo.start_ns) / 1e9 == pytest.approx(59.0, abs=1.1)
