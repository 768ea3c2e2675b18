"""Tracking scenarios on demand: `python benchmarks/scenario_generator.py KIND [KIND ...] --seed S --out DIR`.

Writes one directory a kind and seed, `DIR/<kind>_s<seed>/` with scenario.json, measurements.jsonl.gz and truth.npz, in the
format that `sarhad track` and `sarhad score` read (`edge/tracking_scenarios.py`). All of it is simulated and seeded (PCG64):
the same kind and seed give the same bytes. So no score need rest on files that somebody has looked at. `--list` tells the
kinds; each is a few lines below.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tracking_flight import (
    BIRD,
    FIXED_WING,
    MULTIROTOR,
    Flight,
    close_encounter,
    come_and_go,
    cross,
    fly,
    join,
    leave_area,
    swarm,
)
from benchmarks.tracking_sensors import (
    Sky,
    Spoof,
    Truly,
    as_declared,
    as_json,
    full_set,
    observe,
    plane_sensor,
    position_sensor,
)

TRUTH_STEP_S = 0.5
RADIUS_M = 3000.0
SCENARIO_FILE, MEASUREMENTS_FILE, TRUTH_FILE = "scenario.json", "measurements.jsonl.gz", "truth.npz"
PLANE_MODEL = {
    "kind": "constant_velocity", "acceleration_psd": 0.02, "survival_probability": 0.99,
    "birth": {"mean": [100.0, 0.0, 100.0, 0.0], "sigma": [150.0, 1.0, 150.0, 1.0], "order": ["e", "ve", "n", "vn"],
              "expected_first_scan": 3.0, "expected_per_scan": 0.005},
}  # fmt: skip
BIASES = {"radar0": {"az": np.radians(0.6), "r": 8.0}, "cam0": {"az": np.radians(0.25)}}
DELAYS = {
    "radar0": {"mean": 0.15}, "cam0": {"mean": 0.2, "late_prob": 0.05, "late": [0.5, 2.0]}, "rf0": {"mean": 0.3},
    "rid0": {"mean": 0.5},
}  # fmt: skip
DROPOUTS = {"radar0": ((40.0, 50.0),), "cam0": ((30.0, 60.0),), "rid0": ((70.0, 100.0),)}


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes one kind of scenario."""

    words: str
    flight: Callable[[np.random.Generator], Flight]
    sensors: Callable[[], list[dict[str, Any]]] = full_set
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)  # by sensor: what is true but not declared
    spoofs: int = 0
    radius_m: float = RADIUS_M
    gospa_c_m: float = 50.0
    model: dict[str, Any] | None = None
    seed_of: str | None = None  # the kind whose chance it shares: a twin


def mixed(
    count: int, duration_s: float = 120.0, radius_m: float = RADIUS_M, pairs: int | None = None, step_s: float = 0.1
):
    """60 % multirotors, 20 % fixed wing, 20 % birds; one pair in ten crosses, some come late or leave early."""

    def flight(random: np.random.Generator) -> Flight:
        shares = np.array([round(0.6 * count), round(0.2 * count)])
        kinds = np.repeat([MULTIROTOR, FIXED_WING, BIRD], [*shares, count - shares.sum()]).astype(np.int8)
        made = fly(random.permutation(kinds), duration_s, radius_m, random, step_s)
        cross(made, max(1, count // 10) if pairs is None else pairs, random)
        come_and_go(made, random, 0.25, 0.2)
        leave_area(made, radius_m * 1.1)
        return made

    return flight


def swarms(*sizes: int) -> Callable[[np.random.Generator], Flight]:
    return lambda random: swarm(sizes, 120.0, RADIUS_M, random, 0.1)


def crowd(drones: int, birds: int, duration_s: float) -> Callable[[np.random.Generator], Flight]:
    """Many birds, some drones, all there all the time."""

    def flight(random: np.random.Generator) -> Flight:
        parts = [
            fly(np.full(count, kind, np.int8), duration_s, RADIUS_M, random, 0.25)
            for count, kind in ((drones, MULTIROTOR), (birds, BIRD))
        ]
        return join(*parts)

    return flight


def without_radar() -> list[dict[str, Any]]:
    return [sensor for sensor in full_set() if sensor["type"] != "radar"]


def for_all(count: int) -> dict[str, Kind]:
    """The full sensor set on `count` objects, and as many radar plots of nothing as declared, half of it, twice of it."""
    return {
        f"fuse_n{count}": Kind(f"{count} objects, full sensor set, everything as declared", mixed(count)),
        f"fuse_n{count}_clutter_half": Kind(
            f"{count} objects, radar clutter half the declared", mixed(count), changes={"radar0": {"clutter": 5.0}}
        ),
        f"fuse_n{count}_clutter_twice": Kind(
            f"{count} objects, radar clutter twice the declared", mixed(count), changes={"radar0": {"clutter": 20.0}}
        ),
    }


def scaled(count: int) -> Kind:
    """One 3-D position sensor over an area that grows with the number: the density stays that of the tracking data."""
    radius_m = 7000.0 * (count / 500.0) ** 0.5
    duration_s = 60.0 if count <= 500 else 30.0
    return Kind(
        f"{count} objects, one position sensor, {duration_s:.0f} s",
        mixed(count, duration_s, radius_m, pairs=0, step_s=0.5),
        lambda: [position_sensor(radius_m, 0.1 * count)],
        radius_m=radius_m,
    )


MUCH_CLUTTER = {
    "radar0": {"clutter": 25.0},
    "cam0": {"clutter": 0.5},
    "cam1": {"clutter": 0.5},
    "rf0": {"clutter": 0.75},
}
SEES_LESS = {"radar0": {"pd": 0.7}, "cam0": {"pd": 0.5}, "cam1": {"pd": 0.5}}
BIASED = {sensor: {"bias": bias} for sensor, bias in BIASES.items()}
DELAYED = {sensor: {"delay": delay} for sensor, delay in DELAYS.items()}
DOWN = {sensor: {"dropouts": times} for sensor, times in DROPOUTS.items()}


def merged(*changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    together: dict[str, dict[str, Any]] = {}
    for change in changes:
        for sensor, values in change.items():
            together.setdefault(sensor, {}).update(values)
    return together


KINDS: dict[str, Kind] = {
    **for_all(5),
    **for_all(20),
    **for_all(100),
    "pd_n20": Kind("20 objects, radar sees 0.7 of 0.85 declared, cameras 0.5 of 0.7", mixed(20), changes=SEES_LESS),
    "clutter_n20": Kind("20 objects, clutter 2.5 times the declared on every sensor", mixed(20), changes=MUCH_CLUTTER),
    "crossings_n20": Kind("20 objects in 10 pairs that each meet within metres", mixed(20, pairs=10)),
    "swarm_n40": Kind("a swarm of 40 that parts at half time", swarms(40)),
    "swarms_n40": Kind("swarms of 20, 12 and 8, each parting at half time", swarms(20, 12, 8)),
    "delays_n20": Kind("20 objects, every sensor late, some pictures by up to 2 s", mixed(20), changes=DELAYED),
    "delays_n20_twin": Kind("delays_n20 without its delays", mixed(20), seed_of="delays_n20"),
    "bias_n20": Kind("20 objects, radar and one camera off by undeclared angles and metres", mixed(20), changes=BIASED),
    "bias_n20_twin": Kind("bias_n20 with its biases taken off", mixed(20), seed_of="bias_n20"),
    "dropouts_n20": Kind("20 objects, radar, one camera and Remote ID silent for a while each", mixed(20), changes=DOWN),
    "spoof_n20": Kind("20 objects, three ghosts and three drones lying in Remote ID", mixed(20), spoofs=6),
    "no_radar_n5": Kind("5 objects, two cameras, direction finder, Remote ID", mixed(5), without_radar),
    "no_radar_n20": Kind("20 objects, two cameras, direction finder, Remote ID", mixed(20), without_radar),
    "everything_n20": Kind(
        "20 objects, sees less, more clutter, delays, biases, drop-outs, spoofs and crossings at once",
        mixed(20, pairs=10),
        changes=merged(MUCH_CLUTTER, SEES_LESS, DELAYED, BIASED, DOWN),
        spoofs=4,
    ),
    "crowd_n550": Kind(
        "50 drones, 500 birds, 2000 radar plots of nothing a scan, 60 s",
        crowd(50, 500, 60.0),
        lambda: full_set(clutter=2000.0),
    ),
    **{f"scale_n{count}": scaled(count) for count in (100, 500, 1000, 2000, 5000)},
    "close_2d": Kind(
        "four targets in the plane, once within a metre or two of one another; Pd 0.9, clutter 10",
        lambda random: close_encounter(random),
        lambda: [plane_sensor()],
        gospa_c_m=10.0,
        model=PLANE_MODEL,
    ),
}  # fmt: skip


def generate(name: str, seed: int, out: Path) -> Path:
    """Write one scenario into `out`; returns its directory. Raises KeyError for an unknown kind, OSError."""
    kind = KINDS[name]
    chance = np.random.SeedSequence([zlib.crc32((kind.seed_of or name).encode()), seed])
    flight_chance, sky_chance, *sensor_chances = [np.random.default_rng(child) for child in chance.spawn(10)]
    flight = kind.flight(flight_chance)
    sky = sky_over(flight, kind, sky_chance)
    sensors = kind.sensors()
    truly = {s["id"]: changed(as_declared(s), kind.changes.get(s["id"], {})) for s in sensors}
    messages = [
        message
        for sensor, random in zip(sensors, sensor_chances, strict=False)
        for message in observe(sensor, truly[sensor["id"]], sky, random)
    ]
    messages.sort(key=lambda message: (message.arrived_s, message.time_s, message.sensor_id))
    directory = out / f"{name}_s{seed}"
    directory.mkdir(parents=True, exist_ok=True)
    _write_scenario(directory, kind, flight, sensors)
    _write_messages(directory, messages)
    _write_truth(directory, seed, sky, truly, messages)
    return directory


def changed(truly: Truly, changes: dict[str, Any]) -> Truly:
    fields = {name: getattr(truly, name) for name in ("pd", "clutter", "bias", "delay", "dropouts")}
    return Truly(**(fields | changes))


def sky_over(flight: Flight, kind: Kind, random: np.random.Generator) -> Sky:
    """Who emits and who carries Remote ID: 60 and 40 % of the drones; and who lies."""
    count = len(flight.classes)
    emits = (random.random(count) < 0.6) & (flight.classes == MULTIROTOR)
    carries = (random.random(count) < 0.4) & (flight.classes != BIRD)
    numbers = random.integers(0, 1 << 24, count)
    names = [f"RID-{n:06X}" if c else "" for n, c in zip(numbers, carries, strict=True)]
    spoofs: list[Spoof] = []
    liars = random.permutation(np.flatnonzero(carries)).tolist()
    for k in range(kind.spoofs):
        azimuth, distance_m, heading = (
            random.uniform(-np.pi, np.pi),
            random.uniform(300.0, 2000.0),
            random.uniform(0, 6.28),
        )
        speed_m_s, from_s = random.uniform(3.0, 15.0), random.uniform(20.0, 50.0)
        velocity = (speed_m_s * np.sin(heading), speed_m_s * np.cos(heading), 0.0)
        if k % 2 == 1 and liars:
            liar = int(liars.pop())
            spoofs.append(Spoof(names[liar], liar, from_s, 110.0, (0.0, 0.0, 0.0), velocity))
            continue
        start_m = (distance_m * np.sin(azimuth), distance_m * np.cos(azimuth), random.uniform(40.0, 120.0))
        spoofs.append(Spoof(f"RID-{random.integers(0, 1 << 24):06X}", -1, from_s, 100.0, start_m, velocity))
    return Sky(flight, emits, names, tuple(spoofs))


def _write_scenario(directory: Path, kind: Kind, flight: Flight, sensors: list[dict[str, Any]]) -> None:
    end_s = float(flight.times_s[-1])
    scenario = {
        "format": 1, "name": directory.name, "simulated": kind.words, "duration": end_s,
        "frame": {"type": "ENU", "origin": {"lat": 60.0, "lon": 25.0, "alt": 0.0}, "units": "m, s, rad"},
        "radius": kind.radius_m, "score_times": [float(s) for s in range(0 if kind.model else 1, int(end_s) + 1)],
        "sensors": sensors, "gospa": {"c": kind.gospa_c_m, "p": 2, "alpha": 2},
        "hints": "declared sensor parameters may differ from reality",
    }  # fmt: skip
    if kind.model is not None:
        scenario["model"] = kind.model
    (directory / SCENARIO_FILE).write_text(json.dumps(scenario, indent=1) + "\n")


def _write_messages(directory: Path, messages: list[Any]) -> None:
    lines = (
        json.dumps(
            {"seq": number, "t": m.time_s, "ta": m.arrived_s, "s": m.sensor_id, "d": m.detections},
            separators=(",", ":"),
        )
        for number, m in enumerate(messages)
    )
    with (directory / MEASUREMENTS_FILE).open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        packed.writelines(f"{line}\n".encode() for line in lines)


def _write_truth(directory: Path, seed: int, sky: Sky, truly: dict[str, Truly], messages: list[Any]) -> None:
    flight = sky.flight
    every = max(1, round(TRUTH_STEP_S / float(flight.times_s[1] - flight.times_s[0])))
    counts = [len(message.origins) for message in messages]
    true = {"seed": seed, "true": {name: as_json(value) for name, value in truly.items()}}
    np.savez_compressed(
        directory / TRUTH_FILE,
        t=flight.times_s[::every],
        x=flight.states[::every],
        cls=flight.classes,
        mode=flight.modes[::every],
        emits=sky.emits,
        rid=np.array(sky.remote_ids, dtype="U10"),
        origin=np.array([origin for message in messages for origin in message.origins], np.int32),
        origin_ptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        true_json=json.dumps(true | {"spoofed": [as_json(spoof) for spoof in sky.spoofs]}),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="which to write, or 'all'")
    parser.add_argument("--seed", type=int, action="append", help="may be given more than once; default 1")
    parser.add_argument("--out", type=Path, help="the folder that gets the scenarios' directories")
    parser.add_argument("--list", action="store_true", help="tell the kinds and end")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:24} {kind.words}" for name, kind in KINDS.items()))
        return 0
    names = list(KINDS) if arguments.kinds == ["all"] else arguments.kinds
    unknown = [name for name in names if name not in KINDS]
    if unknown or not names or arguments.out is None:
        found = f"found kind {unknown[0]!r}" if unknown else "found no kind" if not names else "found no --out"
        print(f"scenario_generator: {found}; expected kinds as --list tells them, and --out DIR", file=sys.stderr)
        return 2
    for name in names:
        for seed in arguments.seed or [1]:
            print(generate(name, seed, arguments.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
