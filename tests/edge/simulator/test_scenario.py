"""Scenario files: the shipped one is good, and a mistake is one line that names file, place, found and expected."""

from __future__ import annotations

import pytest

from edge.simulator.scenario import ScenarioError, parse_scenario, read_scenario
from edge.simulator.site_text import site_text
from edge.site_file import parse_site


def test_the_demo_has_two_drones_of_which_one_is_silent_a_bird_and_four_sensors(demo):
    drones = [thing for thing in demo.world.objects if thing.class_name == "drone"]
    assert [thing.broadcast is not None for thing in drones] == [True, False]
    assert [thing.class_name for thing in demo.world.objects].count("bird") == 1
    assert [entry.protocol for entry in demo.site.sensors] == ["ti_mmwave", "yolo", "open_drone_id", "gnss"]


def test_both_drones_stay_within_the_radars_coverage_and_mostly_in_the_picture(demo, entry_of, sensor_of):
    from edge.simulator.mount import Mount, covers

    radar, camera = entry_of("ti_mmwave").sensor, sensor_of("yolo")
    mount = Mount(radar)
    drones = [number for number, thing in enumerate(demo.world.objects) if thing.class_name == "drone"]
    in_picture = []
    for tenth in range(600):
        sightings = demo.world.at(tenth / 10)
        assert all(covers(radar.coverage, mount.see(sightings[number])) for number in drones)
        sprites = [sprite for sprite in camera.sprites(tenth / 10) if sprite.class_name == "drone"]
        in_picture += [0 < sprite.x_px < 1280 and 0 < sprite.y_px < 720 for sprite in sprites]
        assert all(sprite.width_px > 10 for sprite in sprites)
    assert sum(in_picture) / len(in_picture) > 0.95


def test_no_two_objects_come_closer_than_the_radar_can_tell_apart(demo):
    import itertools

    import numpy as np

    nearest_m = min(
        float(np.linalg.norm(one.position_enu_m - other.position_enu_m))
        for tenth in range(6000)
        for one, other in itertools.combinations(demo.world.at(tenth / 10), 2)
    )
    assert nearest_m > 3.0


def test_the_site_text_gives_back_the_same_site(demo):
    again = parse_site(site_text(demo.tables), "again")
    assert (again.site_id, again.origin, again.sensors) == (demo.site.site_id, demo.site.origin, demo.site.sensors)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"none\.toml: cannot be read"):
        read_scenario(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("found", "instead", "says"),
    [
        ('class = "bird"', 'class = "brid"', 'object "gull": class is "brid"; expected one of drone, bird'),
        ("size_m = 1.2\n", "", 'object "gull": size_m is missing'),
        ("size_m = 1.2", "size_m = -1", 'object "gull": size_m is -1; expected a number above 0'),
        ('kind = "flapping"', 'kind = "flaping"', 'object "gull": motion.kind is "flaping"; expected one of circuit'),
        ("speed_m_s = 8.0, ", "", 'object "gull": motion.speed_m_s is missing'),
        ("points_enu_m = [[-30, 76, 28],", "points_enu_m = [[-30, 76],", "motion.points_enu_m is [[-30, 76]"),
        ('id = "gull"', 'id = "quad-silent"', 'object "quad-silent": this id is used twice'),
        ("seed = 7", "seed = -7", "[scenario]: seed is -7; expected a whole number at least 0"),
        ('start = "2026-06-21T20:00:00Z"', 'start = "noon"', '[scenario]: start is "noon"; expected UTC'),
        ('light = "day"', 'light = "noon"', '[scene]: light is "noon"; expected one of day, dusk'),
        ("latitude_deg = -48.8767", "latitude_deg = -148.8767", "latitude_deg is -148.8767; expected"),
        ("[scenario]", "[scenery]", "[scenario] is missing"),
        ("heading_deg = 0.0, pitch_deg = 8.0", "heading_deg = 500.0, pitch_deg = 8.0", "heading_deg is 500"),
    ],
)
def test_a_mistake_is_named_in_one_line(demo_path, found, instead, says):
    text = demo_path.read_text()
    assert found in text
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text.replace(found, instead, 1), "demo.toml")
    message = str(caught.value)
    assert message.startswith("demo.toml: ")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("found", "instead", "says"),
    [
        ("snr_db_at_50m = 26.0", 'snr_db_at_50m = "26"', 'sensor "radar-north": simulate.snr_db_at_50m is "26"'),
        ("loss_probability = 0.05", "loss = 0.05", 'sensor "remote-id": simulate.loss is not known here'),
        ("clutter_enu_m = [[34.0,", "clutter_enu_m = [[", 'sensor "radar-north": simulate.clutter_enu_m is'),
    ],
)
def test_a_mistake_in_what_really_happens_is_named_too(demo_path, found, instead, says):
    from edge.simulator.run import sensors_of

    text = demo_path.read_text()
    assert found in text
    scenario = parse_scenario(text.replace(found, instead, 1), "demo.toml")
    with pytest.raises(ScenarioError) as caught:
        sensors_of(scenario, video=False)
    assert says in str(caught.value)
