"""`python -m edge.training --out DIR`: from clips and chance to a model that can ship.

    clips ─▶ pool of frames ─┐
    rendered worlds ─▶ pool ─┼─▶ 40 000 pictures ─▶ checkpoint ─▶ DIR/sarhad-eyes-1.onnx ─▶ figures on the val days

Pools are kept in DIR/cache and used again. `--export-only` makes the ONNX file and the figures from the last checkpoint,
also while training still runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from pathlib import Path

from edge.training.clips import build_pool, data_folder, read_clips

FRAMES_PER_CLIP = 24  # of about 300: neighbours show the same
WORLDS = 120  # of 24 crops
NAME = "sarhad-eyes-1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m edge.training", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for pools, checkpoints and the model")
    parser.add_argument(
        "--data", type=Path, default=data_folder(), help="the Svanström folder (or $SARHAD_VISION_DATA)"
    )
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end in this time, whatever was seen by then")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="begin_at", type=Path, help="go on from this checkpoint")
    parser.add_argument("--falls-from", type=float, default=0.6, help="share of the course with a constant rate")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--spectrum", choices=["both", "infrared", "visible"], default="both", help="what it is to see")
    parser.add_argument("--every", type=int, default=5, help="evaluate on every n-th frame")
    parser.add_argument("--score-shift", type=float, default=0.0, help="added to every score's logarithm of odds")
    parser.add_argument("--export-only", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cache = arguments.out / "cache"
    checkpoint = arguments.out / "checkpoint.pt"
    if not arguments.export_only:
        build_pools(arguments.data, cache, arguments.seed)
        from edge.training.train import Course, train

        course = Course(
            arguments.images,
            arguments.minutes,
            learning_rate=arguments.learning_rate,
            falls_from=arguments.falls_from,
            seed=arguments.seed,
            spectrum=arguments.spectrum,
        )
        train(cache, arguments.out, course, arguments.begin_at)
    from edge.training.export import export

    onnx_path = arguments.out / f"{NAME}.onnx"
    export(checkpoint, onnx_path, arguments.score_shift)
    calibrate(onnx_path, arguments.data, arguments.every)
    finish(onnx_path, arguments.data, arguments.every)


def build_pools(data: Path, cache: Path, seed: int) -> None:
    """Make the pools that are not there yet."""
    from edge.training.rendered import build_rendered_pool

    cache.mkdir(exist_ok=True)
    clips = [clip for clip in read_clips(data, "train") if not clip.is_apart]
    for modality in ("ir", "visible"):
        if not (cache / f"{modality}.npy").exists():
            build_pool(cache / f"{modality}.npy", [c for c in clips if c.modality == modality], FRAMES_PER_CLIP)
    if not (cache / "rendered.npy").exists():
        build_rendered_pool(cache / "rendered.npy", WORLDS, seed)


def calibrate(onnx_path: Path, data: Path, every: int) -> None:
    """Write the temperature of tracklets' classes and the classes' operating points into the file."""
    from edge.training.calibrate import examples, fit
    from edge.training.evaluate import SCORED, clips_of
    from edge.training.metadata import describe
    from edge.training.operating import points_of
    from edge.vision.detector import load_detector
    from edge.vision.operating_points import ENTRY

    calibration = fit(*examples(load_detector(onnx_path, SCORED), clips_of(data, "apart"), every))
    describe(onnx_path, class_temperature=str(calibration["temperature"]), calibration=json.dumps(calibration))
    points = points_of(load_detector(onnx_path, SCORED), clips_of(data, "apart"), every)
    describe(onnx_path, **{ENTRY: json.dumps(points)})


def finish(onnx_path: Path, data: Path, every: int) -> None:
    """Measure on the val days, write what was measured and what was seen at training into the file, and its card."""
    from edge.training import demo_scenes
    from edge.training.card import write_card
    from edge.training.evaluate import SCORED, evaluate
    from edge.training.metadata import describe, metadata_of
    from edge.training.seen import seen_at_training
    from edge.vision.detector import load_detector
    from edge.vision.image_tracks import SURE
    from edge.vision.usual import ENTRY

    describe(onnx_path, **{ENTRY: seen_at_training(load_detector(onnx_path, SURE), read_clips(data, "train"))})
    detector = load_detector(onnx_path, SCORED)
    measured = evaluate(detector, read_clips(data, "val"), every) | {"rendered": demo_scenes.measure(detector)}
    describe(
        onnx_path,
        detection_probability=json.dumps(measured["detection_probability"]),
        measured=json.dumps(measured),
        measured_on="Svanström val days: real clips, daylight, up to 200 m; not measured: night and beyond",
    )
    shipped = onnx_path.read_bytes()
    sha256 = hashlib.sha256(shipped).hexdigest()
    metadata = metadata_of(onnx_path)
    training = json.loads(metadata["training"])
    clips = [*read_clips(data, "train"), *read_clips(data, "val")]
    onnx_path.with_suffix(".md").write_text(write_card(NAME, shipped, sha256, measured, training, clips, metadata))
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
