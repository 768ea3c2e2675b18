"""What a receiver of broadcasts hears: who transmits, from where, and whether it gets through.

    margin_db = 20·log10(reach / distance) + fading − hill          heard above 0, and not lost by chance

`reach_m` is where a transmitter is just heard in the open. Without `multipath_k_db` nothing fades; with it, reflections add up
by the Rician law with that ratio of direct to reflected power (6 dB: an open field; 0 dB: among buildings). A hill between
costs `HILL_LOSS_DB`, about what diffraction over one ridge leaves at 2.4 GHz.

Sources: ITU-R P.525 (free space), P.526 (diffraction over one knife edge), P.1057 (Nakagami-Rice).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edge.simulator.chance import chance_of
from edge.simulator.motion import positions_and_velocities
from edge.simulator.world import Broadcast, Moment, World
from edge.site_keys import Key
from fusion.types import FloatArray, Sensor

HEARING_KEYS = (
    Key("loss_probability", "number", "that a broadcast is not heard", 0.05, at_least=0.0, at_most=1.0),
    Key("reach_m", "number", "beyond it nothing is heard", 3000.0, above=0.0),
    Key(
        "multipath_k_db",
        "number",
        "direct over reflected power; left out: no fading",
        None,
        at_least=-20.0,
        at_most=40.0,
    ),
)
HILL_LOSS_DB = 18.0
AT_REACH_DBM = -95.0  # what a common receiver just decodes
WANDER_S = (37.0, 53.0, 71.0)  # periods of the drone's own slow error in east, north, up


class Hearing:
    def __init__(self, world: World, sensor: Sensor, values: Mapping[str, Any], seed: int) -> None:
        self._world, self._here = world, np.asarray(sensor.position_enu_m)
        self._loss_probability, self._reach_m = values["loss_probability"], values["reach_m"]
        self._k_db, self._seed = values["multipath_k_db"], seed
        visible = world.visible_to(sensor.sensor_id)
        self._talking = [
            (index, thing.broadcast)
            for index, thing in enumerate(world.objects)
            if thing.broadcast is not None and visible[index]
        ]

    def heard(
        self, now: Moment, chance: np.random.Generator
    ) -> Iterator[tuple[Broadcast, FloatArray, FloatArray, float]]:
        """Each broadcast that gets through: what it says, where and how fast it claims to be, power received in dBm."""
        for index, broadcast in self._talking:
            luck, fading_db = chance.random(), self._fading_db(chance)
            if not now.exists[index] or not broadcast.from_s <= now.time_s < broadcast.until_s:
                continue
            true_enu_m = now.position_enu_m[index]
            away_m = float(np.linalg.norm(true_enu_m - self._here))
            margin_db = 20 * math.log10(self._reach_m / max(away_m, 1.0)) + fading_db
            if not self._world.is_seen(self._here, true_enu_m[None])[0]:
                margin_db -= HILL_LOSS_DB
            if margin_db < 0.0 or luck < self._loss_probability:
                continue
            told = true_enu_m, now.velocity_enu_m_s[index]
            if broadcast.delay_s > 0.0:
                then_s = np.array([now.time_s - broadcast.delay_s])
                place, velocity = positions_and_velocities(self._world.objects[index].motion, then_s)
                told = place[0], velocity[0]
            yield broadcast, told[0] + np.asarray(broadcast.shifted_enu_m), told[1], AT_REACH_DBM + margin_db

    def _fading_db(self, chance: np.random.Generator) -> float:
        """Power of a direct ray and of reflections from all around, against their mean."""
        if self._k_db is None:
            return 0.0
        k = 10 ** (self._k_db / 10)
        real, imaginary = chance.standard_normal(2) * math.sqrt(0.5 / (1 + k))
        return 10 * math.log10(max((real + math.sqrt(k / (1 + k))) ** 2 + imaginary**2, 1e-9))


def error_m(broadcast: Broadcast, time_s: float, seed: int) -> FloatArray:
    """How wrong the drone's own satellite receiver is now, ENU."""
    phase = chance_of(seed, broadcast.serial).uniform(0.0, 2 * math.pi, 3)
    sigma = np.array([broadcast.horizontal_sigma_m] * 2 + [broadcast.vertical_sigma_m])
    return np.asarray(sigma * math.sqrt(2.0) * np.sin(2 * math.pi * time_s / np.asarray(WANDER_S) + phase))
