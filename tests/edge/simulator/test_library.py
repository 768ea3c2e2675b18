"""The scenario library: complete, readable, repeatable. What becomes of each: `sarhad scenarios`; a handful is played here."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from edge.simulator.expect import expectation_of
from edge.simulator.looks import LookingCamera
from edge.simulator.outcome import Followed, Outcome, Seconds, play
from edge.simulator.posts import POST_EVERY_M, post_of
from edge.simulator.radar import Radar
from edge.simulator.run import readings, sensors_of
from edge.simulator.scenario import LIBRARY, ScenarioError, parse_scenario, read_scenario
from edge.simulator.verdict import claims_failed, counts_failed, judge, objects_failed, post_failed

FILES = sorted(LIBRARY.glob("*.toml"))


@pytest.fixture(scope="module")
def library():
    return {path.stem: read_scenario(path) for path in FILES}


def test_there_are_forty_scenarios_with_expectations_and_eight_hours_of_nothing(library):
    assert len(library) >= 40
    for name, scenario in library.items():
        assert scenario.name == name
        assert sensors_of(scenario, video=False)
        expectation_of(scenario)
    quiet_s = sum(scenario.duration_s for name, scenario in library.items() if name.startswith("quiet-"))
    assert quiet_s >= 8 * 3600
    for name, scenario in library.items():
        if name.startswith("quiet-"):
            expected = expectation_of(scenario)
            assert (expected.drones_at_most, expected.false_drones_at_most) == (0, 0)
            assert not [thing for thing in scenario.world.objects if thing.class_name == "drone"]


@pytest.mark.parametrize(
    "name", ["ghost-fleet", "storm-on-the-mast", "jittery-lines", "radar-babbling", "sniffer-post"]
)
def test_one_seed_is_one_run_byte_for_byte(name, library):
    one, again, other = (list(readings(library[name], seed, 4.0, video=False)) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    assert [r.monotonic_ns for r in one] == sorted(r.monotonic_ns for r in one)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("behind-the-ridge", 30.0),
        ("hover-near", 20.0),
        ("fog", 20.0),
        ("radar-frozen", 32.0),
        ("radar-knocked-askew", 30.0),
        ("injected-video", 15.0),
        ("remote-id-lie", 12.0),
        ("boot-in-1970", 60.0),  # all of it: from 3 to 9 s its detector takes the drone for a bird
    ],
)
def test_a_scenario_ends_as_its_user_needs(name, seconds, library):
    assert judge(replace(library[name], duration_s=seconds)).failures == ()


def test_the_simulated_detector_says_of_each_box_what_its_tracklet_says(library):
    looks = [reading for reading in readings(library["hover-near"], 3, 10.0, video=False) if "/" in reading.sensor_id]
    found = [one for look in looks for one in json.loads(look.data)["detections"] if one["tracklet"]]
    follow, _ = Counter(one["tracklet"] for one in found).most_common(1)[0]
    drone = [one["classes"]["drone"] for one in found if one["tracklet"] == follow]
    assert len(drone) > 20
    assert max(drone[5:]) > 0.6
    assert all(sum(one["classes"].values()) == pytest.approx(1.0, abs=0.01) for one in found)


def test_an_expectation_that_is_not_met_is_told_with_what_was_found(library):
    scenario = library["behind-the-ridge"]
    wishes = {"expect": {"object": [{"id": "quad"}], "troubled": ["radar-north"], "agrees": ["NOBODY"]}}
    short = replace(scenario, duration_s=12.0, tables=scenario.tables | wishes)
    failures = judge(short).failures
    assert failures == (
        "quad: never tracked; expected within 10 s",
        "claim NOBODY was not heard; expected that it agrees",
        "radar-north was never reported as not well; expected so",
    )


def expected_of(library, **wishes):
    scenario = library["remote-id-lie"]
    return expectation_of(replace(scenario, tables=scenario.tables | {"expect": wishes}))


def test_late_lost_misnamed_and_renumbered_tracks_each_fail(library):
    row = {"id": "quad", "by_s": 5.0, "share": 0.9, "called": "drone", "not_called": "bird", "numbers_at_most": 1}
    expected = expected_of(library, object=[row])
    seconds = list(range(3, 60))
    good = Outcome(objects={"quad": Followed(seconds, Counter({1: 57}), ["drone"] * 57)})
    assert list(objects_failed(expected, good)) == []
    late = Outcome(objects={"quad": Followed(seconds[10:], Counter({1: 30, 2: 17}), ["bird"] * 30 + ["drone"] * 17)})
    assert [text.split(":")[1].split()[0] for text in objects_failed(expected, late)] == [
        "first", "tracked", "called", "called", "went"
    ]  # fmt: skip


def test_drones_of_nothing_are_counted_by_their_seconds(library):
    tracks = {
        1: Seconds(all=50, as_drone=50, as_drone_without=3),  # a true one that strayed
        2: Seconds(all=9, of_nothing=9, as_drone=9, as_drone_without=9),
        3: Seconds(all=9, of_nothing=9),  # of nothing, and not called a drone
        4: Seconds(all=1, of_nothing=1, as_drone=1, as_drone_without=1),  # a flicker
    }
    outcome = Outcome(tracks=tracks)
    assert (outcome.false_drones(), outcome.false_tracks(), outcome.drones()) == ([2], [2, 3], [1, 2])
    failed = list(counts_failed(expected_of(library, false_tracks_at_most=1, drones_at_most=2), outcome))
    assert [text.split(" (")[0] for text in failed] == [
        "1 tracks called drone where no drone was", "2 confirmed tracks of nothing"
    ]  # fmt: skip


def test_claims_and_health_are_held_against_what_was_told(library):
    told = Outcome(
        claims={"LIAR": Counter(agrees=9), "HONEST": Counter(contradicts=9)},
        states={"radar-north": Counter(ok=50), "gnss": Counter(ok=40, lost=10)},
    )
    expected = expected_of(
        library, contradicted=["LIAR"], never_agrees=["LI"], never_contradicted=["HONEST"], troubled=["radar-north"],
        healthy=["gnss"], own_position="spoofed",
    )  # fmt: skip
    assert len(list(claims_failed(expected, told))) == 3
    assert len(list(post_failed(expected, told))) == 3


def test_a_lie_is_counted_as_told_by_the_post(library):
    outcome = play(replace(library["remote-id-lie"], duration_s=15.0))
    assert outcome.claims["LYINGQUAD00001"].total() > 3
    assert outcome.claims["LYINGQUAD00001"]["agrees"] == 0
    assert outcome.objects["quad"].tracked_s


def test_a_second_post_sees_the_same_objects_from_its_own_place(library):
    scenario = library["sixty-objects"]
    one, other = post_of(scenario, 0), post_of(scenario, 3)
    assert other.site.site_id != one.site.site_id
    here, there = (post.world.moments(np.array([20.0]))[0].position_enu_m for post in (one, other))
    moved = here - there
    assert moved[:, 0] == pytest.approx([3 * POST_EVERY_M] * len(moved), abs=3.0)  # 4.5 km turn the frame by 0.04 deg
    assert np.abs(moved[:, 1:]).max() < 8.0
    apart = [np.linalg.norm(places[0] - places[1:], axis=1) for places in (here, there)]
    assert apart[0] == pytest.approx(apart[1], abs=1e-3)


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ("", "[expect] is missing; expected what must come of this scenario"),
        ('[expect]\nobject = [{ id = "ufo" }]', '[expect] object 1: id is "ufo"; expected the id of an [[object]]'),
        ('[expect]\ntroubled = ["ladar"]', '[expect]: troubled is "ladar"; expected ids of sensors: radar-north'),
        ("[expect]\nfalse_drones = 1", "[expect]: false_drones is not known here"),
    ],
)
def test_a_mistake_in_an_expectation_is_named_in_one_line(expect, says):
    text = (LIBRARY / "hover-near.toml").read_text().split("[expect]")[0] + expect
    with pytest.raises(ScenarioError) as caught:
        expectation_of(parse_scenario(text, "hover-near.toml"))
    assert says in str(caught.value)


SEEN_PROBABILITY = 0.3  # of one look: several looks a second make that enough to follow


def seen_share(scenario, one, from_s, kinds=(Radar, LookingCamera)):
    """Share of an object's window in which some sensor could see it, by the simulator's own models."""
    moments = scenario.world.moments(np.arange(from_s + 0.5, one.until_s, 4.0))
    index = [thing.object_id for thing in scenario.world.objects].index(one.object_id)
    sensors = [sensor for sensor in sensors_of(scenario, video=False) if isinstance(sensor, kinds)]
    return np.mean([max(s.chances(m)[index] for s in sensors) > SEEN_PROBABILITY for m in moments])


def test_what_must_be_tracked_can_be_seen_and_what_must_not_cannot(library):
    for name, scenario in library.items():
        for one in expectation_of(scenario).objects:
            share = seen_share(scenario, one, one.from_s)
            assert (share >= one.share) if one.is_tracked else (share == 0.0), (name, one.object_id, share)
            if one.called is not None:  # only a camera tells classes
                share = seen_share(scenario, one, one.called_from_s, LookingCamera)
                assert share > 0.4, (name, one.object_id, share)
