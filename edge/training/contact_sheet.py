"""What a model gets wrong, to be looked at: misses and false alarms on labelled clips, as one page or one picture.

    python -m edge.training.contact_sheet --model MODEL.onnx --out SHEET.html|SHEET.png [--split val|apart|train] [--every N]

Each frame stands alone, at the confidence at which the post takes notice. An object whose centre no box is near is missed; a
box that is near no object is a false alarm; a box near an object of another class is that object called something else. Cases
are gathered by what was there and what was told; of each clip the sheet shows the worst one (the surest box, the largest
object that was missed), so that one bad clip does not fill the page.

    ┌────────────┐  white: the label · coloured: the box that was told
    │   ┌──┐     │  enlarged three times; beneath it clip, frame, confidence, side in pixels
    └────────────┘
"""

from __future__ import annotations

import argparse
import base64
import html
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge.training.clips import CLASSES, Boxes, Clip, Picture, data_folder, read_frames, read_labels
from edge.training.evaluate import CENTRE_PX, NOTICED, clips_of
from edge.vision.detector import SHIPPED_MODEL, Box, Detector, load_detector
from edge.vision.drawing import COLOURS

CUT_PX, ENLARGED = 64, 3  # of the original's pixels that a case shows, and how many pixels each becomes
COLUMNS = 6
CAPTION_PX = 34
NOTHING = "nothing"
Kind = tuple[str, str, str]  # modality, what was there, what was told


@dataclass(frozen=True, slots=True)
class Case:
    """One mistake: where, how bad, and what it looks like."""

    clip: str
    frame: int
    badness: float  # confidence of the box, or the missed object's side in pixels by a thousand
    words: str
    picture: Picture


@dataclass(slots=True)
class Mistakes:
    """All cases of one kind: how many, and each clip's worst."""

    count: int = 0
    worst: dict[str, Case] = field(default_factory=dict)

    def add(self, case: Case) -> None:
        self.count += 1
        if case.clip not in self.worst or case.badness > self.worst[case.clip].badness:
            self.worst[case.clip] = case


@dataclass(slots=True)
class Sheet:
    """Mistakes by kind, beside how many objects of each modality and class there were to be found."""

    mistakes: dict[Kind, Mistakes] = field(default_factory=lambda: defaultdict(Mistakes))
    objects: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    frames: int = 0

    def kinds(self) -> list[Kind]:
        """Most frequent first; what has to do with drones before the rest."""
        return sorted(self.mistakes, key=lambda kind: ("drone" not in kind[1:], -self.mistakes[kind].count, kind))

    def title(self, kind: Kind) -> str:
        modality, there, told = kind
        mistakes, clips = self.mistakes[kind].count, len(self.mistakes[kind].worst)
        if there == NOTHING:
            return f"{modality}: {told} where nothing is, {mistakes} in {self.frames} frames, {clips} clips"
        what = "missed" if told == NOTHING else f"called {told}"
        return f"{modality}: {there} {what}, {mistakes} of {self.objects[modality, there]}, {clips} clips"


def gather(detector: Detector, clips: Iterable[Clip], every: int) -> Sheet:
    """Look at every n-th frame of the clips, each by itself."""
    sheet = Sheet()
    for clip in clips:
        labels = read_labels(clip.labels)
        for frame, picture in read_frames(clip.video, every):
            truth = labels.get(frame, np.zeros((0, 5), np.float32))
            sheet.frames += 1
            for row in truth:
                sheet.objects[clip.modality, CLASSES[int(row[0])]] += 1
            told = [box for box in detector.look(picture) if box.confidence >= NOTICED]
            for there, name, label, box in mistakes_of(truth, told):
                case = case_of(clip.name, frame, picture, label, box)
                sheet.mistakes[clip.modality, there, name].add(case)
    return sheet


def mistakes_of(truth: Boxes, told: list[Box]) -> Iterator[tuple[str, str, Boxes | None, Box | None]]:
    """What was there, what was told, the label and the box; what is right is left out. The surest boxes choose first."""
    free = set(range(len(truth)))
    for box in sorted(told, key=lambda one: -one.confidence):
        centre = np.array([box.x_px + box.width_px / 2, box.y_px + box.height_px / 2])
        apart = {i: float(np.hypot(*(truth[i, 1:3] + truth[i, 3:5] / 2 - centre))) for i in free}
        reach = {i: max(CENTRE_PX, 0.5 * float(np.sqrt(truth[i, 3] * truth[i, 4]))) for i in free}
        near = min((i for i in free if apart[i] <= reach[i]), key=lambda i: apart[i], default=None)
        if near is None:
            yield NOTHING, box.class_name, None, box
            continue
        free.remove(near)
        if CLASSES[int(truth[near, 0])] != box.class_name:
            yield CLASSES[int(truth[near, 0])], box.class_name, truth[near], box
    for index in sorted(free):
        yield CLASSES[int(truth[index, 0])], NOTHING, truth[index], None


def case_of(clip: str, frame: int, picture: Picture, label: Boxes | None, box: Box | None) -> Case:
    w, h = place_of(label, box)[2:]
    side_px = float(np.sqrt(w * h))
    sure = "" if box is None else f" {box.confidence:.2f}"
    badness = side_px / 1000 if box is None else box.confidence
    return Case(clip, frame, badness, f"{clip} #{frame}{sure} {side_px:.0f} px", cut(picture, label, box))


def place_of(label: Boxes | None, box: Box | None) -> tuple[float, float, float, float]:
    if label is not None:
        x, y, w, h = (float(value) for value in label[1:])
        return x, y, w, h
    assert box is not None
    return box.x_px, box.y_px, box.width_px, box.height_px


def cut(picture: Picture, label: Boxes | None, box: Box | None) -> Picture:
    """The surroundings of a case, enlarged pixel by pixel; larger objects are shown smaller, never cut off."""
    x, y, w, h = place_of(label, box)
    side = max(CUT_PX, int(1.6 * max(w, h)))
    left, top = int(x + w / 2 - side / 2), int(y + h / 2 - side / 2)
    padded = cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_CONSTANT, value=(60, 60, 60))
    piece = padded[top + side : top + 2 * side, left + side : left + 2 * side]
    scale = ENLARGED * CUT_PX / side
    shown = cv2.resize(piece, (ENLARGED * CUT_PX, ENLARGED * CUT_PX), interpolation=cv2.INTER_NEAREST)
    if label is not None:
        frame(shown, (x - left, y - top, w, h), scale, (255, 255, 255))
    if box is not None:
        at = (box.x_px - left, box.y_px - top, box.width_px, box.height_px)
        frame(shown, at, scale, COLOURS.get(box.class_name, (255, 80, 255)))
    return np.asarray(shown, np.uint8)


def frame(shown: Picture, at: tuple[float, float, float, float], scale: float, colour: tuple[int, int, int]) -> None:
    x, y, w, h = (round(scale * value) for value in at)
    cv2.rectangle(shown, (x, y), (x + w, y + h), colour, 1)


def as_page(sheet: Sheet, title: str) -> str:
    """One page that holds its pictures."""
    parts = []
    for kind in sheet.kinds():
        parts.append(f"<h2>{html.escape(sheet.title(kind))}</h2>")
        for case in by_badness(sheet.mistakes[kind]):
            packed = base64.b64encode(cv2.imencode(".png", case.picture)[1].tobytes()).decode()
            caption = html.escape(case.words)
            image = f'<img src="data:image/png;base64,{packed}" alt="{caption}">'
            parts.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
    style = "body{font:14px sans-serif}figure{display:inline-block;margin:4px;width:192px}figcaption{font-size:11px}"
    heading = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{heading}</title><style>{style}</style>'
        f"<h1>{heading}</h1>{''.join(parts)}</html>\n"
    )


def as_picture(sheet: Sheet) -> Picture:
    """The same as one picture: a row or more for each kind."""
    side = ENLARGED * CUT_PX
    rows: list[Picture] = []
    for kind in sheet.kinds():
        rows.append(line(sheet.title(kind), COLUMNS * side, 0.6))
        cases = by_badness(sheet.mistakes[kind])
        for start in range(0, len(cases), COLUMNS):
            blank = np.full((side + CAPTION_PX, COLUMNS * side, 3), 255, np.uint8)
            for column, case in enumerate(cases[start : start + COLUMNS]):
                blank[:side, column * side : (column + 1) * side] = case.picture
                blank[side:, column * side : (column + 1) * side] = line(case.words, side, 0.33)
            rows.append(blank)
    return np.concatenate(rows) if rows else line("no mistakes", COLUMNS * side, 0.6)


def line(words: str, width: int, scale: float) -> Picture:
    strip = np.full((CAPTION_PX, width, 3), 255, np.uint8)
    cv2.putText(strip, words, (3, CAPTION_PX - 12), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def by_badness(mistakes: Mistakes) -> list[Case]:
    return sorted(mistakes.worst.values(), key=lambda case: (-case.badness, case.clip))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m edge.training.contact_sheet", description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--split", choices=["val", "apart", "train"], default="val")
    parser.add_argument("--every", type=int, default=30)
    parser.add_argument("--out", type=Path, required=True, help="SHEET.html or SHEET.png")
    arguments = parser.parse_args()
    detector = load_detector(arguments.model, NOTICED)
    sheet = gather(detector, clips_of(arguments.data, arguments.split), arguments.every)
    title = (
        f"{arguments.model.name} {detector.model_sha256[:12]} on {arguments.split}: real clips, daylight, up to 200 m"
    )
    if arguments.out.suffix == ".png":
        cv2.imwrite(str(arguments.out), as_picture(sheet))
    else:
        arguments.out.write_text(as_page(sheet, title))
    for kind in sheet.kinds():
        print(sheet.title(kind))


if __name__ == "__main__":
    main()
