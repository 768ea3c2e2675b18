"""The model's card: what it was made from, how it was measured, and what nobody has measured.

Written by `python -m edge.training` from the figures themselves, so that the card and the file agree.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from edge.training.clips import CLASSES, Clip
from edge.training.drawn_boxes import MARGIN_PX
from edge.vision import operating_points, patches, score_shift, shapes

CARD = """# {name}

Finds drones, birds, airplanes and helicopters in one picture, visible or infrared.

- File: `{name}.onnx`, {megabytes:.1f} MB, SHA-256 `{sha256}`
- Input `images` (batch, 3, height, width), RGB 0..1, height and width multiples of 32; output boxes (centre x, y, width,
  height, pixels) and a probability per class. Pixels are never shrunk: larger pictures are looked at in regions.
- A box's sides are those of the object and about {visible_margin:g} px (visible) or {infrared_margin:g} px (infrared), as
  people drew them; entry `box_margin_px` of the metadata tells, so that it is taken off where an angular size is told.
- {halves}{notes}
- Licence: AGPL-3.0-or-later (trained with ultralytics, which is AGPL-3.0). Trained from random weights.

## Made from

- Svanström et al., "A Dataset for Multi-Sensor Drone Detection", Data in Brief 2021, doi 10.5281/zenodo.5500576, CC0:
  {train_clips} clips of the days {train_days}.
- Scenes rendered by `edge/simulator/scenery.py`, through an H.264 encoder, as the demo's camera sends them.
- {images} pictures of 320x256, from random weights:
{parts}
  {apart}
  Each part goes on from the one before; `scenes.py` holds what was shown in the last, the file's metadata (entry
  `training`) all settings. A part that ends by `--minutes` sees as many pictures as its machine can show it.

## Measured

On {val_clips} clips of the days {val_days},
one frame in {every}. The split is by recording day; the clips of one day share
their backgrounds. Exception: the helicopters of 2020-03-25 15:20 are of a training day, of another flight. Real clips,
daylight, up to 200 m.

| | average precision, IoU 0.5 | linked, as `sarhad detect` writes it | found within 8 px, confidence 0.25 |
|---|---|---|---|
{rows}

- Mean of the four classes, both modalities together: {mean}; linked: {linked_mean}
- False alarms of class drone on clips without a drone: {alarms} a minute at 30 frames/s, frame by frame, at confidence 0.25
- Clips whose confidence-weighted majority class is right: {right}; linked: {linked_right}
- Frames so far apart show no wings beat and few closer looks; every frame linked has its figures in `edge/training/README.md`.

Rendered scenes like the demo's (1280x720 through H.264, drones of 12 to 40 px, birds of 10 to 30 px, other worlds than
those trained on), confidence 0.25:

{rendered}

Thin: visible bird, airplane and helicopter have 2, 3 and 5 clips there, so their figures may change with one clip.
The recipe was chosen by figures on these same clips, looked at several times while it was trained, and so was how loosely
visible boxes are drawn; on days nobody has looked at, expect somewhat less.

## Detection probability by pixels on target

`[[px, probability], …]`, px: geometric mean of the box's sides (boxes are drawn loosely; the object fills about half);
found within 8 px as any class, in one frame, at confidence 0.25. Visible and infrared together, by day.

    {table}

Night: not measured. Beyond 200 m: not measured. Rain, fog, snow, insects: not measured. Objects under 8 px: not measured.
"""

ONE = {
    "halves": "One model for both spectra.",
    "apart": "The clips of 2020-03-25 after 14:00 were held apart: they chose the temperature of tracklets' classes.",
}
PAIR = {
    "halves": "Two models, one for pictures in colour and one for grey ones, which are taken for infrared.",
    "apart": "The clips of 2020-03-25 after 14:00 trained nothing of the infrared half; the visible half's first six parts\n"
    "  saw them. Every score of the visible half was then moved by {shift} in its logarithm of odds, for fewer false tracks.",
}

# of each entry of the metadata that a model may have
NOTES = {
    patches.ENTRY: """
- A third network, entry `closer_look` of the metadata, 46 000 weights, tells from up to eight views of one object what it is,
  in pictures in colour. Made by `python -m edge.training.closer --out CLOSER.onnx --into MODEL.onnx` of the visible
  training clips that are not held apart; that it counts as much as all votes was chosen on those held apart.""",
    shapes.ENTRY: """
- Entry `wing_beats` of the metadata, 25 numbers, tells in grey pictures whether an object is a bird, by how its shape changes
  from look to look. Made by `python -m edge.training.wings --into MODEL.onnx` of the infrared training clips that are not
  held apart.""",
    score_shift.ENTRY: """
- Entry `score_shift` tells by how much the halves' scores were moved; of a file's tracklets they are moved back.""",
    operating_points.ENTRY: """
- Entry `operating_points` tells from which confidence each class is best believed, by spectrum; what `sarhad detect` writes
  is moved so that it is 0.25. Made by `python -m edge.training.operating --model MODEL.onnx` of the clips held apart.""",
}


def pair_of(training: dict[str, Any]) -> dict[str, str]:
    return PAIR | {"apart": PAIR["apart"].format(shift=training["visible"].get("score_shift", 0.0))}


def write_card(
    name: str,
    onnx: bytes,
    sha256: str,
    measured: dict[str, Any],
    training: dict[str, Any],
    clips: Sequence[Clip],
    entries: Collection[str] = (),
) -> str:
    """The card as Markdown; entries: of the file's metadata."""
    kind = pair_of(training) if "infrared" in training else ONE
    halves = {
        half: parts_of(of_half)
        for half, of_half in (training if "infrared" in training else {"both": training}).items()
    }
    told = [
        f"  - {half}, {number}. {part['images']}: `{command_of(number, part['course'])}`"
        for half, parts in halves.items()
        for number, part in enumerate(parts, 1)
    ]
    return CARD.format(
        name=name,
        **kind,
        visible_margin=MARGIN_PX["visible"],
        infrared_margin=MARGIN_PX["ir"],
        megabytes=len(onnx) / 1e6,
        sha256=sha256,
        train_clips=sum(c.split == "train" for c in clips),
        train_days=days(clips, "train"),
        val_clips=measured["clips"],
        val_days=days(clips, "val"),
        images=f"{sum(part['images'] for parts in halves.values() for part in parts):,}".replace(",", " "),
        parts="\n".join(told),
        every=measured["every"],
        rows=table_rows(measured),
        mean=measured["map50_four_classes"],
        alarms=measured["drone_false_alarms_per_minute_on_other_clips"],
        right=measured["clips_with_right_majority_class"],
        linked_mean=measured["linked"]["map50_four_classes"],
        linked_right=measured["linked"]["clips_with_right_majority_class"],
        notes="".join(note for entry, note in NOTES.items() if entry in entries),
        rendered="\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in measured["rendered"].items()),
        table=json.dumps(measured["detection_probability"]),
    )


def parts_of(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The courses a model has gone through, the last one last."""
    return [*training.get("earlier", []), {"course": training["course"], "images": training["images"]}]


def command_of(number: int, course: dict[str, Any]) -> str:
    """How a part of the training is run again."""
    begin = "" if number == 1 else " --from CHECKPOINT"
    options = "--images {images} --minutes {minutes:g} --learning-rate {learning_rate:g}"
    options += " --falls-from {falls_from:g} --seed {seed}" if "falls_from" in course else " --seed {seed}"
    if course.get("spectrum", "both") != "both":
        options += " --spectrum {spectrum}"
    return "python -m edge.training --out DIR " + options.format(**course) + begin


def table_rows(measured: dict[str, Any]) -> str:
    kinds = [f"{modality} {name}" for modality in ("ir", "visible") for name in CLASSES]
    columns = measured["ap50"], measured["linked"]["ap50"], measured["centre_recall"]
    return "\n".join(
        f"| {kind.replace('ir ', 'infrared ')} | {' | '.join(str(column.get(kind)) for column in columns)} |"
        for kind in kinds
    )


def days(clips: Sequence[Clip], split: str) -> str:
    return ", ".join(sorted({clip.day for clip in clips if clip.split == split}))
