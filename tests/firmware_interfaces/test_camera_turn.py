"""How a camera is turned, from what its landmarks tell: where it points, how sure that is, and what health says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from firmware_interfaces.camera_turn import CREEP_RAD_S, CameraTurn
from firmware_interfaces.decoder import Rejected
from fusion.frames import body_to_level
from fusion.types import Accuracy, Orientation, Pointing, Sensor

S = 1_000_000_000
MOUNTING = Orientation(math.radians(80.0), math.radians(6.0), 0.0)
CAMERA = Sensor("camera", (0.0, 0.0, 4.0), MOUNTING, Accuracy(0.002, 0.002, None, None))
SIGMA_RAD = math.radians(0.03)


def told(right_deg: float = 0.0, up_deg: float = 0.0, roll_deg: float = 0.0, is_learned: bool = True) -> dict[str, Any]:
    angles = zip(("right_rad", "up_rad", "roll_rad"), np.radians([right_deg, up_deg, roll_deg]).tolist(), strict=True)
    return {"is_learned": is_learned, "landmarks": 12, "agreeing": 11, **dict(angles), "sigma_rad": [SIGMA_RAD] * 3}


NOTHING = {"right_rad": None, "up_rad": None, "roll_rad": None, "sigma_rad": None, "landmarks": 12, "agreeing": 0}
HIDDEN, LEARNING = {"is_learned": True, **NOTHING}, {"is_learned": False, **NOTHING}


def heard(turn: CameraTurn, told: dict[str, Any], time_s: float) -> Pointing:
    pointing = turn.heard(told, round(time_s * S))
    assert pointing is not None
    return pointing


def degrees(orientation: Orientation) -> tuple[float, float, float]:
    angles = (orientation.heading_rad, orientation.pitch_rad, orientation.roll_rad)
    return tuple(math.degrees(angle) for angle in angles)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("turned", "heading_deg", "pitch_deg", "roll_deg"),
    [
        ((0.0, 0.0, 0.0), 80.0, 6.0, 0.0),
        ((2.0, 0.0, 0.0), 82.0, 6.0, 0.2),  # about its own axis, which leans back by 6 degrees: sin 6 of 2 is roll
        ((0.0, 1.5, 0.0), 80.0, 7.5, 0.0),
        ((0.0, 0.0, 3.0), 80.0, 6.0, 3.0),
    ],
)
def test_a_turn_is_taken_about_the_camera_s_own_axes(
    turned: tuple[float, ...], heading_deg: float, pitch_deg: float, roll_deg: float
) -> None:
    pointing = heard(CameraTurn(CAMERA), told(*turned), 1.0)
    assert degrees(pointing.orientation) == pytest.approx((heading_deg, pitch_deg, roll_deg), abs=0.02)
    assert (pointing.sensor_id, pointing.time_ns) == ("camera", S)
    assert pointing.sigma_rad == pytest.approx(SIGMA_RAD)


def test_what_stood_ahead_is_seen_left_of_the_middle_when_the_camera_has_turned_right() -> None:
    pointing = heard(CameraTurn(CAMERA), told(right_deg=1.0), 1.0)
    ahead = body_to_level(MOUNTING) @ [0.0, 1.0, 0.0]
    now = body_to_level(pointing.orientation).T @ ahead
    assert now == pytest.approx([-math.sin(math.radians(1.0)), 1.0, 0.0], abs=2e-4)


def test_while_nothing_is_learned_the_site_file_counts() -> None:
    turn = CameraTurn(CAMERA)
    assert turn.heard(LEARNING, S) is None
    assert turn.diagnosis() is None


def test_without_landmarks_it_points_as_in_the_last_minute_and_less_sure_by_its_sway_and_the_hours() -> None:
    turn = CameraTurn(CAMERA)
    for number in range(240):
        heard(turn, told(right_deg=1.0 + 0.3 * math.sin(number)), number / 4)
    soon, later = heard(turn, HIDDEN, 61.0), heard(turn, HIDDEN, 61.0 + 36_000.0)
    assert degrees(soon.orientation)[0] == pytest.approx(81.0, abs=0.05)
    assert math.degrees(soon.sigma_rad) == pytest.approx(math.hypot(0.3 / math.sqrt(2.0), 0.03), abs=0.02)
    assert later.sigma_rad == pytest.approx(math.hypot(soon.sigma_rad, 36_000.0 * CREEP_RAD_S), rel=0.01)
    assert "have not been found for 600 min" in (turn.diagnosis() or "")
    heard(turn, told(right_deg=1.0), 36_100.0)
    assert "not been found" not in (turn.diagnosis() or "")


def test_sway_is_no_news_and_a_camera_that_stays_turned_is_told_until_it_is_back() -> None:
    turn = CameraTurn(CAMERA)

    def minute(begin_s: int, right_deg: float, up_deg: float = 0.0) -> str | None:
        for number in range(240):
            swing = 0.6 * math.sin(number)
            heard(turn, told(right_deg + swing, up_deg - swing), begin_s + number / 4)
        return turn.diagnosis()

    assert minute(0, 0.0) is None
    said = minute(60, 1.3, -0.4)
    assert said is not None
    assert "turned by 1.3 degrees right and 0.4 degrees down for 1 min" in said
    assert "align it anew" in said
    assert minute(120, 0.05) is None


def test_a_process_that_begins_anew_does_not_make_a_turned_camera_straight() -> None:
    turn = CameraTurn(CAMERA)
    for number in range(100):
        heard(turn, told(right_deg=2.0), float(number))
    while_learning = heard(turn, LEARNING, 101.0)
    again = heard(turn, told(right_deg=0.1), 170.0)  # the new zero is where it hangs now
    assert degrees(while_learning.orientation)[0] == pytest.approx(82.0, abs=0.02)
    assert degrees(again.orientation)[0] == pytest.approx(82.1, abs=0.02)
    assert again.sigma_rad > 2.0 * SIGMA_RAD  # it may have moved meanwhile


def test_what_was_unsure_of_a_turn_stays_so_when_landmarks_are_learned_anew() -> None:
    turn, unsure_rad = (
        CameraTurn(CAMERA),
        math.radians(0.7),
    )  # a scene that drifts: its turn is as unsure as it is large
    for number in range(100):
        heard(turn, {**told(right_deg=0.7), "sigma_rad": [unsure_rad] * 3}, float(number))
    while_learning = heard(turn, LEARNING, 101.0)
    again = heard(turn, told(), 170.0)
    assert degrees(again.orientation)[0] == pytest.approx(80.7, abs=0.02)
    assert while_learning.sigma_rad > unsure_rad
    assert again.sigma_rad > unsure_rad


def test_turns_against_the_picture_of_the_alignment_are_all_there_is() -> None:
    turn = CameraTurn(CAMERA)
    by_alignment = {"by_alignment": True}
    for number in range(100):
        heard(turn, {**told(right_deg=2.0), **by_alignment}, float(number))
    heard(turn, LEARNING, 101.0)
    again = heard(turn, {**told(right_deg=2.1), **by_alignment}, 170.0)
    assert degrees(again.orientation)[0] == pytest.approx(82.1, abs=0.02)  # not twice
    assert "aligned: turned by more" not in (turn.diagnosis() or "")
    heard(turn, {**told(), "by_alignment": False}, 171.0)
    assert "does not show what the picture shows by which it was aligned" in (turn.diagnosis() or "")


def test_once_turns_are_against_the_alignment_those_of_before_count_no_longer() -> None:
    turn = CameraTurn(CAMERA)
    for number in range(60):
        heard(turn, {**told(right_deg=0.1), "by_alignment": False}, float(number))  # since a start at night
    for number in range(60, 70):
        heard(turn, {**told(right_deg=2.1), "by_alignment": True}, float(number))
    hidden = heard(turn, HIDDEN, 71.0)
    assert degrees(hidden.orientation)[0] == pytest.approx(82.1, abs=0.02)
    assert turn.diagnosis() is None or "aligned: turned by more" not in turn.diagnosis()


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        {},
        {"is_learned": 1},
        {**told(), "right_rad": None},
        {**told(), "up_rad": "1"},
        {**told(), "up_rad": math.nan},
        {**told(), "roll_rad": 4.0},
        {**told(), "sigma_rad": [0.1, 0.1]},
        {**told(), "sigma_rad": [0.1, 0.1, -0.1]},
        {**told(), "sigma_rad": None},
    ],
)
def test_what_is_no_turn_is_refused(wrong: Any) -> None:
    with pytest.raises(Rejected):
        CameraTurn(CAMERA).heard(wrong, S)
