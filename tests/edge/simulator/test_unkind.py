"""The unkind parts: ground that hides, weather, faults, attackers, clocks. Each shows in the bytes as it should."""

from __future__ import annotations

import importlib
import itertools
import json
import struct

import numpy as np
import pytest

from edge.sensors import PROTOCOLS, decoders_of
from edge.simulator.manoeuvres import Legs, Offset, Wander
from edge.simulator.motion import position_enu_m, positions_and_velocities, velocity_enu_m_s
from edge.simulator.run import readings, sensors_of
from edge.simulator.scenario import ScenarioError, parse_scenario
from edge.simulator.truth import truth_lines
from fusion.frames import LocalFrame
from fusion.types import CLOCK, NODE, Claim, OwnPosition, Scan
from hardware.clock import ClockEvent
from hardware.device import DeviceEvent

POST = """
[scenario]
name = "test"
words = "for tests"
seed = 3
start = "2026-06-21T10:00:00Z"
[site]
id = "test-post"
origin = { latitude_deg = 47.0, longitude_deg = 11.0, height_m = 600.0 }
geoid_height_m = 48.0
[[sensor]]
id = "radar"
protocol = "ti_mmwave"
position = { east_m = 0.0, north_m = 0.0, up_m = 4.0 }
orientation = { heading_deg = 0.0, pitch_deg = 5.0 }
accuracy = { azimuth_deg = 1.0, elevation_deg = 1.5, slant_range_m = 0.5, range_rate_m_s = 0.3 }
coverage = { azimuth_deg = [-60, 60], elevation_deg = [-20, 40], slant_range_m = [2, 900] }
simulate = { snr_db_at_50m = 70.0, false_points_per_frame = 0.0RADAR }
[[sensor]]
id = "camera"
protocol = "yolo"
position = { east_m = 0.0, north_m = 0.0, up_m = 6.0 }
orientation = { heading_deg = 0.0, pitch_deg = 5.0 }
lens = { size_px = [1280, 720], focal_px = [1000.0, 1000.0], center_px = [640.0, 360.0] }
accuracy = { azimuth_deg = 0.15, elevation_deg = 0.15 }
simulate = { detector = { false_per_look = 0.0, best = 1.0, half_px = 1.0 }CAMERA }
[[sensor]]
id = "remote-id"
protocol = "open_drone_id"
simulate = { loss_probability = 0.0RID }
[[sensor]]
id = "sniffer"
protocol = "esp32_remote_id"
simulate = { loss_probability = 0.0 }
[[sensor]]
id = "gnss"
protocol = "gnss"
position = { east_m = 0.0, north_m = 0.0, up_m = 3.0 }
simulate = { speaks = "ubx" }
"""
DRONE = """
[[object]]
id = "quad"
class = "drone"
size_m = 0.5
cross_section_m2 = 0.02
motion = { kind = "hover", point_enu_m = [10, 150, 40] }
broadcast = { serial = "TESTQUAD", operator_id = "OP", operator_enu_m = [50, 60, 0]SAYS }
"""


def scenario_of(more: str = "", drone: str = DRONE, radar: str = "", camera: str = "", rid: str = "", says: str = ""):
    text = POST.replace("RADAR", radar).replace("CAMERA", camera).replace("RID", rid) + drone.replace("SAYS", says)
    return parse_scenario(text + more, "test.toml")


def facts_of(scenario, seconds=10.0, sensor_id=None):
    """What the real decoders make of a run, as (reading, fact)."""
    decoders = decoders_of(scenario.site)
    found = []
    for reading in readings(scenario, seconds=seconds, video=False):
        if reading.sensor_id in decoders and sensor_id in (None, reading.sensor_id):
            found += [(reading, fact) for fact in decoders[reading.sensor_id].feed(reading)]
    return found


def detections_of(scenario, sensor_id, seconds=10.0):
    return [fact.detections for _, fact in facts_of(scenario, seconds, sensor_id) if isinstance(fact, Scan)]


def test_a_ridge_hides_what_flies_low_behind_it_from_every_sensor_and_shows_what_flies_above():
    ridge = """
[terrain]
ridges = [{ from_enu_m = [-300, 100], to_enu_m = [300, 100], height_m = 40.0, width_m = 15.0 }]
"""
    low, high = scenario_of(ridge), scenario_of(ridge, DRONE.replace("150, 40", "150, 60"))
    for sensor_id in ("radar", "camera/vision"):
        assert not any(detections_of(low, sensor_id)), sensor_id
        assert sum(map(len, detections_of(high, sensor_id))) > 60, sensor_id
        assert sum(map(len, detections_of(scenario_of(), sensor_id))) > 60, sensor_id


def test_the_ground_of_an_esri_grid_and_of_an_srtm_tile_stands_where_the_file_says(tmp_path):
    heights = np.full((61, 61), 610)
    heights[:25] = 700  # the northern part is a plateau
    rows = "\n".join(" ".join(map(str, row)) for row in heights)
    grid = "ncols 61\nnrows 61\nxllcenter -3000\nyllcenter -3000\ncellsize 100\nNODATA_value -9999\n"
    (tmp_path / "ground.asc").write_text(grid + rows.replace("610", "-4").replace("700", "96"))
    tile = np.full((1201, 1201), 552, ">i2")  # 552 m above sea level is the ellipsoid's 600: the origin's own height
    tile[:1164] = 652  # north of 47.03 deg: a plateau 100 m higher
    (tmp_path / "N47E010.hgt").write_bytes(tile.tobytes())
    for name, extra, extent in (("ground.asc", 'in = "enu"', 2900), ("N47E010.hgt", "", 1500)):
        text = POST.replace("RADAR", "").replace("CAMERA", "").replace("RID", "")
        text = text.replace("latitude_deg = 47.0", "latitude_deg = 47.03").replace(
            "longitude_deg = 11.0", "longitude_deg = 10.5"
        )
        more = f'[terrain]\npath = "{name}"\nextent_m = {extent}.0\n{extra}\n'
        terrain = parse_scenario(text + more, str(tmp_path / "s.toml")).world.terrain
        near, far = terrain.ground_up_m(np.array([[0.0, -1400.0], [0.0, 1400.0]]))
        expected = (-4.0, 96.0) if name.endswith("asc") else (0.0, 100.0)
        assert (near, far) == pytest.approx(expected, abs=0.3)  # the Earth's curve is 0.15 m in 1.4 km


def test_rain_shortens_radars_and_cameras_and_night_blinds_only_the_visible_camera():
    far = DRONE.replace("10, 150, 40", "10, 600, 60").replace("size_m = 0.5", "size_m = 5.0")
    seen = {}
    for name, scene in {"dry": "", "rain": "rain_mm_h = 50.0", "night": 'light = "night"'}.items():
        scenario = scenario_of(f"[scene]\n{scene}\n", far)
        snr = sensors_of(scenario, video=False)[0].snr_db(600.0, 0.01)
        seen[name] = snr, sum(map(len, detections_of(scenario, "camera/vision", 20.0)))
    # 2 x 0.86 x 50^0.77 dB/km over 600 m
    assert seen["dry"][0] - seen["rain"][0] == pytest.approx(2 * 0.86 * 50**0.77 * 0.6)
    assert seen["rain"][1] < 0.8 * seen["dry"][1]
    assert seen["night"][1] < 0.1 * seen["dry"][1]
    hot = scenario_of('[scene]\nlight = "night"\n', far, camera=", infrared = true")
    assert sum(map(len, detections_of(hot, "camera/vision", 20.0))) > 0.8 * seen["dry"][1]


def test_clutter_sticks_to_its_place_and_a_mirror_shows_a_ghost_in_its_own_direction():
    turbine = '[[clutter]]\nkind = "turbine"\npoints_enu_m = [[60, 120, 30]]\n'
    quiet = [d.measurement for ds in detections_of(scenario_of(turbine, ""), "radar") for d in ds]
    assert len(quiet) > 30
    assert np.std([m.slant_range_m for m in quiet]) < 2.0
    assert np.std([m.range_rate_m_s for m in quiet]) > 10.0  # blades
    ghosts = scenario_of(radar=", mirrors_enu_m = [[120, 90, 8]]")
    found = [d.measurement for ds in detections_of(ghosts, "radar") for d in ds]
    aside = [m for m in found if m.azimuth_rad > 0.7]
    leg_m = np.linalg.norm(np.subtract([10, 150, 40], [120, 90, 8]))
    half_m = (np.linalg.norm([10, 150, 36]) + leg_m + np.linalg.norm([120, 90, 4])) / 2
    assert len(aside) > 20
    assert np.mean([m.slant_range_m for m in aside]) == pytest.approx(half_m, abs=0.5)


def test_a_fault_on_the_line_is_in_the_bytes_between_its_two_moments_only():
    def bytes_of(more):
        found = [r for r in readings(scenario_of(more), seconds=9.0, video=False) if r.sensor_id == "radar"]
        return {round((r.monotonic_ns / 1e9 - 0.02) * 10): r.data for r in found}

    good = bytes_of("")
    for kind, extra in {"frozen": "", "replayed": "back_s = 2.0", "babbling": "", "damaged": "flip_probability = 0.05",
                        "looped": "loop_s = 1.0", "silent": ""}.items():  # fmt: skip
        bad = bytes_of(f'[[fault]]\nsensor = "radar"\nkind = "{kind}"\nfrom_s = 3.0\nuntil_s = 6.0\n{extra}\n')
        same = [k for k in good if bad.get(k) == good[k]]
        assert set(range(30)) <= set(same), kind
        assert set(range(60, 89)) <= set(same), kind
        inside = [bad.get(k) for k in range(31, 60)]
        expected = {
            "frozen": [good[30]] * 29,
            "replayed": [good[k - 20] for k in range(31, 60)],
            "looped": [good[30 + (k - 30) % 10] for k in range(31, 60)],
            "silent": [None] * 29,
        }.get(kind)
        assert inside == expected if expected else not set(inside) & set(good.values()), kind


def test_the_node_tells_of_a_device_that_is_gone_and_back():
    gone = '[[fault]]\nsensor = "radar"\nkind = "unplugged"\nfrom_s = 2.0\nuntil_s = 5.0\n'
    told = [r for r in readings(scenario_of(gone), seconds=8.0, video=False) if r.sensor_id == NODE]
    events = [(r.monotonic_ns / 1e9, DeviceEvent.from_json(r.data).event) for r in told]
    assert events == [(2.0, "lost"), (5.0, "back")]


def test_a_knocked_radar_and_a_lying_one_are_wrong_by_what_the_fault_says():
    askew = '[[fault]]\nsensor = "radar"\nkind = "turned"\nfrom_s = 5.0\nheading_deg = 10.0\nrange_m = 30.0\n'
    found = [
        (r.monotonic_ns, f.detections[0].measurement)
        for r, f in facts_of(scenario_of(askew), 10.0, "radar")
        if f.detections
    ]
    before, after = ([m for t, m in found if (t > 5e9) == late] for late in (False, True))
    turned = np.mean([m.azimuth_rad for m in after]) - np.mean([m.azimuth_rad for m in before])
    longer_m = np.mean([m.slant_range_m for m in after]) - np.mean([m.slant_range_m for m in before])
    assert np.degrees(turned) == pytest.approx(-10.0, abs=0.6)
    assert longer_m == pytest.approx(30.0, abs=0.5)


def test_a_jammed_and_a_spoofed_receiver_say_so_and_a_spoofed_one_is_led_away():
    attack = """
[[fault]]
sensor = "gnss"
kind = "jammed"
from_s = 5.0
until_s = 10.0
[[fault]]
sensor = "gnss"
kind = "spoofed"
from_s = 10.0
drift_m_s = 20.0
"""
    scenario = scenario_of(attack)
    fixes = {round(r.monotonic_ns / 1e9): f for r, f in facts_of(scenario, 21.0, "gnss") if isinstance(f, OwnPosition)}
    # flags come behind the position in a second's messages
    assert [(fixes[s].fix, fixes[s].jammed, fixes[s].spoofed) for s in (4, 8, 15)] == [
        ("3d", False, False), ("none", True, False), ("3d", False, True)
    ]  # fmt: skip
    frame = LocalFrame(scenario.site.origin)
    led_m = frame.geodetic_to_enu(fixes[20].position)[0] - frame.geodetic_to_enu(fixes[4].position)[0]
    assert led_m == pytest.approx(200.0, abs=5.0)
    assert fixes[15].utc_ns == scenario.start_ns + 15_000_000_000


def test_a_lying_broadcast_claims_another_place_to_both_kinds_of_receiver():
    scenario = scenario_of(says=", shifted_enu_m = [300.0, 0.0, 0.0], until_s = 8.0")
    frame = LocalFrame(scenario.site.origin)
    for sensor_id in ("remote-id", "sniffer"):
        claims = [f for _, f in facts_of(scenario, 20.0, sensor_id) if isinstance(f, Claim) and f.position]
        assert 6 <= len({c.time_ns for c in claims}) <= 9, sensor_id
        east_m = [frame.geodetic_to_enu(claim.position)[0] for claim in claims]
        assert east_m == pytest.approx([310.0] * len(claims), abs=4.0)
        assert {claim.identity for claim in claims} == {"TESTQUAD"}


def test_a_ghost_fleet_is_heard_and_neither_seen_nor_true():
    fleet = DRONE.replace('id = "quad"', 'id = "ghost"\nis_real = false\nseen_by = ["remote-id"]').replace("SAYS", "")
    scenario = scenario_of(fleet + "copies = { count = 9, spread_m = 80.0 }\n", "")
    identities = {f.identity for _, f in facts_of(scenario, 5.0, "remote-id") if isinstance(f, Claim)}
    assert len(identities) == 10
    assert not any(detections_of(scenario, "radar", 5.0))
    lines = list(truth_lines(scenario.world, scenario.site.origin, scenario.start_ns, 1.0))
    assert all(json.loads(line)["objects"] == [] for line in lines[1:])


def test_fading_loses_broadcasts_far_away_more_often_than_near():
    def share(away_m):
        moved = DRONE.replace("[10, 150, 40]", f"[10, {away_m}, 40]")
        scenario = scenario_of("", moved, rid=", reach_m = 2000.0, multipath_k_db = 3.0")
        claims = [f for _, f in facts_of(scenario, 60.0, "remote-id") if isinstance(f, Claim) and f.position]
        return len({c.time_ns for c in claims}) / 60

    assert share(200) > 0.97
    assert 0.2 < share(2000) < 0.8  # at its reach about half gets through


def test_a_box_that_boots_in_1970_stamps_so_and_its_sensors_tell_the_true_time():
    scenario = scenario_of('[clock]\nboots_at = "1970-01-01T00:00:20Z"\nsteps = [{ at_s = 13.0, step_s = -3600.0 }]\n')
    found = list(readings(scenario, seconds=20.0, video=False))
    assert found[0].received_ns == 20_000_000_000
    assert all(r.received_ns - r.monotonic_ns == 20_000_000_000 for r in found)
    events = [ClockEvent.from_json(r.data) for r in found if r.sensor_id == CLOCK and r.data]
    assert [(event.event, event.step_s) for event in events] == [("untrusted", None), ("step", -3600.0)]
    fix = [f for _, f in facts_of(scenario, 5.0, "gnss")][-1]
    assert fix.utc_ns > 1_780_000_000_000_000_000
    stamps = [r.monotonic_ns for r in found if r.sensor_id == CLOCK]
    assert all(later > earlier for earlier, later in itertools.pairwise(stamps))


def test_jitter_delays_and_never_reorders_a_line():
    scenario = scenario_of(radar=", jitter_s = 0.2")
    stamps = [r.monotonic_ns for r in readings(scenario, seconds=20.0, video=False) if r.sensor_id == "radar"]
    assert all(later > earlier for earlier, later in itertools.pairwise(stamps))
    late_s = np.array(stamps) / 1e9 - np.arange(len(stamps)) / 10 - 0.02
    assert 0.15 < late_s.mean() < 0.6
    assert late_s.min() >= 0.0


def test_a_declared_detector_finds_the_drone_where_it_is_and_takes_a_decoy_for_one():
    scenario = scenario_of()
    sightings = detections_of(scenario, "camera/vision", 20.0)
    found = [d for ds in sightings for d in ds]
    assert len(sightings) == 199
    assert len(found) > 150
    azimuth = [d.measurement.azimuth_rad for d in found]
    assert np.mean(azimuth) == pytest.approx(np.arctan2(10, 150), abs=0.002)
    decoy = DRONE.replace('class = "drone"', 'class = "unknown"\nshape = "bird"\nlooks_like = "drone"')
    near = scenario_of("", decoy.replace("size_m = 0.5", "size_m = 8.0"))  # 53 pixels: no mistake by smallness
    named = {d.classes[0][0] for ds in detections_of(near, "camera/vision") for d in ds}
    assert named == {"drone"}


def test_legs_fly_what_they_say_and_go_straight_on():
    flight = Legs([0, 0, 50], 90.0, [[10, 10, 0, 0], [9, 10, 10, 0], [5, 10, 0, 2]], 0.0)
    assert velocity_enu_m_s(flight, 5.0) == pytest.approx([10, 0, 0], abs=1e-6)
    assert velocity_enu_m_s(flight, 21.0) == pytest.approx([0, -10, 2], abs=0.2)  # a quarter turn to the right: south
    assert position_enu_m(flight, 10.0) == pytest.approx([100, 0, 50], abs=0.5)
    assert velocity_enu_m_s(flight, 500.0) == pytest.approx([0, -10, 2], abs=0.2)
    times = np.arange(0.0, 40.0, 0.01)
    places, velocities = positions_and_velocities(flight, times)
    assert np.abs(np.diff(places, axis=0)).max() < 0.11  # never a jump: 10 m/s in 0.01 s
    assert np.isfinite(velocities).all()


def test_a_stroll_keeps_its_radius_and_speed_and_a_flock_keeps_together():
    stroll = Wander([5, 5, 20], 10.0, 2.0, np.random.default_rng(1), [0, 0, 0], 60.0)
    times = np.arange(0.0, 600.0, 0.5)
    places, velocities = positions_and_velocities(stroll, times)
    assert np.sqrt((places[:, :2] - 5).var(axis=0)) == pytest.approx([7.0, 7.0], rel=0.25)  # amplitude over root two
    assert 0.7 < np.sqrt((velocities[:, :2] ** 2).mean()) < 2.8
    follower = Offset(stroll, np.array([3.0, 0.0, 0.0]), 0.0, None)
    assert (follower.positions_enu_m(times) - places) == pytest.approx(np.tile([3.0, 0, 0], (len(times), 1)))


def test_every_sensor_can_break_without_breaking_the_decoders():
    protocols = {"radar": "ti_mmwave", "camera": "yolo", "remote-id": "open_drone_id", "sniffer": "esp32_remote_id",
                 "gnss": "gnss"}  # fmt: skip
    for kind in ("babbling", "damaged"):
        more = "".join(f'[[fault]]\nsensor = "{name}"\nkind = "{kind}"\nfrom_s = 1.0\n' for name in protocols)
        facts_of(scenario_of(more), 6.0)
        assert all(importlib.import_module(PROTOCOLS[p].module).Decoder for p in protocols.values())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            '[[fault]]\nsensor = "rader"\nkind = "frozen"\nfrom_s = 1\n',
            'fault 1: sensor is "rader"; expected the id of',
        ),
        (
            '[[fault]]\nsensor = "radar"\nkind = "melted"\nfrom_s = 1\n',
            'fault 1: kind is "melted"; expected one of unp',
        ),
        ('[[fault]]\nsensor = "radar"\nkind = "spoofed"\nfrom_s = 1\n', "expected a fault that ti_mmwave can have"),
        ('[[fault]]\nsensor = "radar"\nkind = "frozen"\nfrom_s = 5\nuntil_s = 4\n', "expected more than from_s, 5"),
        ('[terrain]\npath = "nowhere.asc"\n', 'path is "nowhere.asc"; expected a file that can be read'),
        ('[clock]\nboots_at = "1970"\n', '[clock]: boots_at is "1970"; expected UTC such as'),
        ('[[clutter]]\nkind = "tree"\n', "clutter 1: points_enu_m is None; expected one or more points"),
        ("[weather]\nrain = 1\n", "[weather] is not known here; known are"),
    ],
)
def test_a_mistake_in_the_unkind_parts_is_named_in_one_line(more, says):
    with pytest.raises(ScenarioError) as caught:
        scenario_of(more)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ubx_bytes_are_laid_out_as_the_description_says():
    from edge.simulator.gnss import PVT

    assert PVT.size == 92
    assert struct.calcsize("<IBBBBII") == 16


LISTENERS = """
[[sensor]]
id = "finder"
protocol = "krakensdr"
position = { east_m = 0.0, north_m = 0.0, up_m = 8.0 }
orientation = { heading_deg = 30.0 }
accuracy = { azimuth_deg = 3.0 }
simulate = { latency_s = 0.4, reflected_probability = REFLECTED }
[[sensor]]
id = "ears"
protocol = "odas"
position = { east_m = 0.0, north_m = 0.0, up_m = 2.0 }
orientation = { heading_deg = 20.0 }
accuracy = { azimuth_deg = 4.0, elevation_deg = 4.0 }
simulate = { latency_s = 0.0, false_per_look = 0.0 }
"""


def test_listeners_hear_where_the_radio_is_and_where_the_sound_came_from():
    flying = DRONE.replace('kind = "hover", point_enu_m = [10, 150, 40]', 'kind = "legs", point_enu_m = [-100, 170, 40], '
                           'heading_deg = 90, legs = [[60, 20, 0, 0]]').replace("SAYS", "")  # fmt: skip
    flying += "radio_reach_m = 900.0\nsound_reach_m = 400.0\n"
    scenario = scenario_of(LISTENERS.replace("REFLECTED", "0.0"), flying)
    wrong = {"finder": [], "ears": []}
    for sensor_id, errors in wrong.items():
        for _, scan in facts_of(scenario, 10.0, sensor_id):
            at_s = (scan.time_ns - scenario.start_ns) / 1e9
            if sensor_id == "ears":
                at_s -= np.hypot(-100 + 20 * at_s, 174) / 343.0  # the sound left it so much earlier
            true = np.arctan2(-100 + 20 * at_s, 170)
            errors += [d.measurement.azimuth_rad - true for d in scan.detections]
    assert len(wrong["finder"]) >= 18
    assert len(wrong["ears"]) >= 45
    for sensor_id, errors in wrong.items():
        assert np.degrees(np.mean(errors)) == pytest.approx(0.0, abs=2.0), sensor_id  # 3 to 4 deg of 18 to 45 looks
    bent = scenario_of(LISTENERS.replace("REFLECTED", "1.0"), flying)
    directions = {
        round(np.degrees(d.measurement.azimuth_rad) / 20) for ds in detections_of(bent, "finder", 7.0) for d in ds
    }
    assert len(directions) <= 2  # one wall for eight seconds
    silent = scenario_of(LISTENERS.replace("REFLECTED", "0.0"))
    assert not any(detections_of(silent, "finder"))
    assert not any(detections_of(silent, "ears"))
