"""Finding drones, birds, airplanes and helicopters in one picture, visible or infrared.

    picture ──▶ regions at native pixels, padded to 32 ──▶ model, equal sizes in one batch ──▶ boxes ──▶ one box an object

A region is never shrunk: at half size a far drone is gone. Where regions overlap, or one cuts an object in two, the
boxes are merged. The same picture, model and regions give the same boxes on the same machine, with any neighbours.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.vision import margins, operating_points, patches, score_shift, shapes, usual
from edge.vision.margins import Margins
from edge.vision.operating_points import OperatingPoints
from edge.vision.patches import CloserLook
from edge.vision.score_shift import ScoreShift
from edge.vision.shapes import WingBeats
from edge.vision.spectrum import Spectrum, spectrum_of
from edge.vision.usual import Usual

SHIPPED_MODEL = Path(__file__).with_name("models") / "sarhad-eyes-1.onnx"
CONFIDENCE = 0.25
STRIDE_PX = 32  # regions are padded to multiples of the model's coarsest stride
LARGEST_BATCH = 4  # regions looked at in one run: more gain nothing on a CPU and cost memory
SAME_OBJECT_IOU = 0.5  # two boxes that share more than this show one object
SAME_PIECE = 0.7  # a box this much inside a surer one is a piece of it
LARGEST_BOX_COUNT = 300  # a picture of a flock; more is a broken model
# of a model of two halves, an input: the mean difference of a picture's colours, in 0..1, up to which it counts as infrared
GREY_INPUT = "grey"
BELOW_ALL, ABOVE_ALL = -1.0, 2.0
EDGE_PX = 2.0  # a box this close to its region's edge may be cut off

Picture = npt.NDArray[np.uint8]  # (height, width, 3), BGR
# (n, 7 + classes): x, y, width, height, confidence, class number, 1 where a region's edge cut it, score of every class
Rows = npt.NDArray[np.float32]
PLAIN_COLUMNS = 7  # of a model that does not tell the scores
Entry = TypeVar("Entry")


class ModelError(ValueError):
    """A model file that cannot be used; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Box:
    """One object: x, y of the top left corner, in pixels of the whole picture."""

    class_name: str
    confidence: float
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    class_scores: tuple[float, ...] = ()  # of each of the model's classes at this place; empty where it does not tell


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a picture, whole pixels."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    def inside(self, size_px: tuple[int, int]) -> Region | None:
        """The part of it within a picture of this width and height; None where there is none."""
        left, top = max(self.x_px, 0), max(self.y_px, 0)
        right = min(self.x_px + self.width_px, size_px[0])
        bottom = min(self.y_px + self.height_px, size_px[1])
        return Region(left, top, right - left, bottom - top) if left < right and top < bottom else None


class Detector(Protocol):
    confidence: float  # boxes less sure are not reported
    spectrum: Spectrum | None  # of all pictures it is shown; None: each picture's colours tell
    model_sha256: str
    provider: str  # what computes: CPUExecutionProvider, ultralytics, …
    class_names: tuple[str, ...]
    usual: Usual | None  # what it saw at training; None where it does not tell
    margins: Margins  # by which its boxes are larger than what they show
    closer_look: CloserLook | None  # at several looks of one object; None where it has no such network
    wing_beats: WingBeats | None  # at how one object's shape changes; None where it tells no bird by that
    score_shift: ScoreShift  # by which its scores were moved
    operating_points: OperatingPoints  # from which confidence each class should be believed
    temperature: float  # by which the mean of many looks' class scores is to be divided; 1: never calibrated

    def look(
        self, image_bgr: Picture, regions: Sequence[Region] | None = None, *, every_class: bool = False
    ) -> list[Box]:
        """What is in these regions of the picture, or in all of it; surest first.

        One box an object, of its likeliest class; with `every_class`, one for each class it may be."""
        ...


class OnnxDetector:
    """A YOLO model in ONNX Runtime, with non-maximum suppression of our own."""

    def __init__(self, path: Path, confidence: float, threads: int, spectrum: Spectrum | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        model = read_model(path)
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as broken:  # onnxruntime has no common class for what can be wrong with a file
            raise ModelError(f"{path}: found no model that ONNX Runtime can load ({first_line(broken)})") from broken
        self.model_sha256 = hashlib.sha256(model).hexdigest()
        self.provider = self._session.get_providers()[0]
        self.class_names = class_names_of(path, self._session)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.temperature = temperature_of(path, metadata)
        self.usual, self.margins = usual_of(path, metadata), margins_of(path, metadata)
        self.wing_beats = entry_of(path, metadata, shapes.ENTRY, WingBeats.read, "weights")
        self.score_shift = entry_of(path, metadata, score_shift.ENTRY, ScoreShift.read, "logarithms")
        self.operating_points = entry_of(
            path, metadata, operating_points.ENTRY, OperatingPoints.read, "confidences by class"
        )
        self.closer_look = closer_look_of(path, metadata, len(self.class_names))
        self.confidence, self.spectrum = confidence, spectrum
        self._has_halves = GREY_INPUT in {one.name for one in self._session.get_overridable_initializers()}

    def look(
        self, image_bgr: Picture, regions: Sequence[Region] | None = None, *, every_class: bool = False
    ) -> list[Box]:
        half = self._half(image_bgr)
        cuts = cut_regions(image_bgr, regions)
        size_px = (image_bgr.shape[1], image_bgr.shape[0])
        found = []
        for batch in batches(cuts):
            output = self._session.run(None, {"images": to_input([piece for _, piece in batch])} | half)[0]
            for raw, (region, _) in zip(output, batch, strict=True):
                found.append(place(rows_of(raw, self.confidence, every_class), region, size_px))
        return [to_box(row, self.class_names) for row in merge(found, every_class)]

    def _half(self, image_bgr: Picture) -> dict[str, npt.NDArray[np.float32]]:
        """Which half of a model that has two is to look: by the whole picture, for a region of it may be a pale sky."""
        if not self._has_halves:
            return {}
        is_visible = spectrum_shown(self, image_bgr) == "visible"
        return {GREY_INPUT: np.array(BELOW_ALL if is_visible else ABOVE_ALL, np.float32)}


def load_detector(
    path: Path | str = SHIPPED_MODEL,
    confidence: float = CONFIDENCE,
    *,
    threads: int = 1,
    backend: str | None = None,
    spectrum: Spectrum | None = None,
) -> Detector:
    """Open a model: `.onnx` in ONNX Runtime; `.pt`, `.engine` and, on request (`backend="ultralytics"`), `.onnx` in
    ultralytics. Raises ModelError where the file is missing, damaged or of another kind."""
    path = Path(path)
    if path.suffix not in {".onnx", ".pt", ".engine"}:
        raise ModelError(f"{path}: found a name ending in {path.suffix or 'nothing'}, expected .onnx, .pt or .engine")
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected a detection model")
    if path.suffix == ".onnx" and backend != "ultralytics":
        return OnnxDetector(path, confidence, threads, spectrum)
    from edge.vision.ultralytics_detector import UltralyticsDetector

    return UltralyticsDetector(path, confidence, threads, spectrum)


def spectrum_shown(detector: Detector, picture_bgr: Picture) -> Spectrum:
    """Of this picture: as the detector was told, else by the picture's colours."""
    return detector.spectrum or spectrum_of(picture_bgr)


def read_model(path: Path) -> bytes:
    data = path.read_bytes()
    if len(data) < 1000:  # an empty or cut file, or a pointer of a large-file store
        raise ModelError(f"{path}: found {len(data)} bytes, expected an ONNX model")
    return data


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def class_names_of(path: Path, session: object) -> tuple[str, ...]:
    """The model's own class names, from its metadata; checked against what it puts out."""
    inputs, outputs = session.get_inputs(), session.get_outputs()  # type: ignore[attr-defined]
    if len(inputs) != 1 or inputs[0].name != "images" or len(inputs[0].shape) != 4 or len(outputs[0].shape) != 3:
        found = [(i.name, i.shape) for i in inputs]
        raise ModelError(f"{path}: found inputs {found}, expected one, images (batch, 3, height, width)")
    metadata = session.get_modelmeta().custom_metadata_map  # type: ignore[attr-defined]
    try:
        names = ast.literal_eval(metadata["names"])
        names = tuple(names[number] for number in range(len(names)))
    except (KeyError, ValueError, SyntaxError) as missing:
        raise ModelError(f"{path}: found no class names in the metadata, expected an entry `names`") from missing
    channels = outputs[0].shape[1]
    if isinstance(channels, int) and channels != 4 + len(names):
        raise ModelError(f"{path}: found {channels} output rows, expected 4 and {len(names)} classes")
    return names


def temperature_of(path: Path, metadata: dict[str, str]) -> float:
    written = metadata.get("class_temperature", "1")
    try:
        temperature = float(written)
    except ValueError:
        temperature = 0.0
    if not 0.01 <= temperature <= 100.0:
        raise ModelError(f"{path}: class_temperature in the metadata is {written}, expected a number from 0.01 to 100")
    return temperature


def entry_of(path: Path, metadata: dict[str, str], name: str, read: Callable[[str | None], Entry], what: str) -> Entry:
    """What an entry of the metadata tells; `read` knows what its absence means. Raises ModelError."""
    try:
        return read(metadata.get(name))
    except (ValueError, TypeError, KeyError, OverflowError) as wrong:  # the last of a number of hundreds of digits
        raise ModelError(f"{path}: {name} in the metadata is not ours ({wrong}); expected {what}") from wrong


def usual_of(path: Path, metadata: dict[str, str]) -> Usual | None:
    """What the model saw at training. Raises ModelError."""
    return entry_of(path, metadata, usual.ENTRY, Usual.read, "histograms")


def margins_of(path: Path, metadata: dict[str, str]) -> Margins:
    return entry_of(path, metadata, margins.ENTRY, Margins.read, "pixels")


def closer_look_of(path: Path, metadata: dict[str, str], classes: int) -> CloserLook | None:
    """The network that tells these many classes, tried once. Raises ModelError."""
    try:
        network = CloserLook.read(metadata.get(patches.ENTRY))
        told = classes if network is None else len(network.log_probabilities([patches.BLANK]))
    except Exception as broken:  # onnxruntime has no common class for what can be wrong with a file
        raise ModelError(f"{path}: {patches.ENTRY} in the metadata is no network ({first_line(broken)})") from broken
    if told != classes:
        raise ModelError(
            f"{path}: {patches.ENTRY} in the metadata tells {told} classes; expected the model's {classes}"
        )
    return network


def cut_regions(image_bgr: Picture, regions: Sequence[Region] | None) -> list[tuple[Region, Picture]]:
    """Each region with its pixels, padded to a multiple of 32 by repeating the last row and column."""
    height, width = image_bgr.shape[:2]
    wanted = [Region(0, 0, width, height)] if regions is None else [r.inside((width, height)) for r in regions]
    cuts = []
    for region in wanted:
        if region is None:
            continue
        piece = image_bgr[region.y_px : region.y_px + region.height_px, region.x_px : region.x_px + region.width_px]
        below, right = -region.height_px % STRIDE_PX, -region.width_px % STRIDE_PX
        if below or right:
            piece = cv2.copyMakeBorder(piece, 0, below, 0, right, cv2.BORDER_REPLICATE)
        cuts.append((region, np.asarray(piece, np.uint8)))
    return cuts


def batches(cuts: list[tuple[Region, Picture]]) -> list[list[tuple[Region, Picture]]]:
    """Regions of equal size together, at most LARGEST_BATCH at a time."""
    together = []
    for size in sorted({piece.shape for _, piece in cuts}):
        same = [cut for cut in cuts if cut[1].shape == size]
        together += [same[start : start + LARGEST_BATCH] for start in range(0, len(same), LARGEST_BATCH)]
    return together


def to_input(pieces: list[Picture]) -> npt.NDArray[np.float32]:
    """Pictures of one size as the model takes them: (n, 3, height, width), RGB, 0..1."""
    return np.asarray(cv2.dnn.blobFromImages(pieces, 1 / 255, swapRB=True), np.float32)


def rows_of(output: npt.NDArray[np.float32], confidence: float, every_class: bool = False) -> Rows:
    """The model's output for one region, (4 + classes, places), as rows of boxes sure enough."""
    scores = output[4:]
    sure = scores >= confidence
    if not every_class:
        sure &= np.arange(len(scores))[:, None] == scores.argmax(axis=0)
    kinds, places = np.nonzero(sure)
    x, y, w, h = output[:4, places]
    columns = [x - w / 2, y - h / 2, w, h, scores[kinds, places], kinds, np.zeros(len(kinds)), *scores[:, places]]
    rows = np.stack(columns, axis=1).astype(np.float32)
    return suppress(rows, SAME_OBJECT_IOU, every_class=every_class, blended=True)


def place(rows: Rows, region: Region, size_px: tuple[int, int]) -> Rows:
    """Boxes of a region in the picture's pixels, clipped to it; those cut off by the region's edge are marked."""
    rows = rows.copy()
    right, bottom = rows[:, 0] + rows[:, 2], rows[:, 1] + rows[:, 3]
    cut = (rows[:, 0] < EDGE_PX) & (region.x_px > 0)
    cut |= (rows[:, 1] < EDGE_PX) & (region.y_px > 0)
    cut |= (right > region.width_px - EDGE_PX) & (region.x_px + region.width_px < size_px[0])
    cut |= (bottom > region.height_px - EDGE_PX) & (region.y_px + region.height_px < size_px[1])
    left, top = np.maximum(rows[:, 0], 0), np.maximum(rows[:, 1], 0)
    rows[:, 2] = np.minimum(right, region.width_px) - left
    rows[:, 3] = np.minimum(bottom, region.height_px) - top
    rows[:, 0], rows[:, 1] = left + region.x_px, top + region.y_px
    rows[:, 6] = cut
    return rows[(rows[:, 2] > 1) & (rows[:, 3] > 1)]


def merge(found: list[Rows], every_class: bool = False) -> Rows:
    """One box an object (and class) over all regions, surest first."""
    rows = np.concatenate(found) if found else np.zeros((0, PLAIN_COLUMNS), np.float32)
    if len(found) > 1:
        rows = suppress(rows, SAME_OBJECT_IOU, SAME_PIECE, every_class)
    return rows[np.argsort(-rows[:, 4], kind="stable")][:LARGEST_BOX_COUNT]


def suppress(
    rows: Rows, iou_limit: float, piece_limit: float = 2.0, every_class: bool = False, blended: bool = False
) -> Rows:
    """Keep the best of boxes that show the same object, or a piece of it: whole before cut, then the surest.

    With `every_class`, boxes of different classes do not compete. `blended`: the box kept is the mean of those it stands
    for. Source: Solovyev et al. (2021), "Weighted boxes fusion"."""
    rows = rows[np.lexsort((-rows[:, 4], rows[:, 6]))]
    areas = rows[:, 2] * rows[:, 3]
    kept: list[Rows] = []
    alive = np.ones(len(rows), bool)
    for index in range(len(rows)):
        if not alive[index]:
            continue
        x, y, w, h = rows[index, :4]
        across = np.minimum(rows[:, 0] + rows[:, 2], x + w) - np.maximum(rows[:, 0], x)
        down = np.minimum(rows[:, 1] + rows[:, 3], y + h) - np.maximum(rows[:, 1], y)
        shared = np.maximum(across, 0) * np.maximum(down, 0)
        iou = shared / np.maximum(areas + w * h - shared, 1e-6)
        piece = shared / np.maximum(np.minimum(areas, w * h), 1e-6)
        same = (iou > iou_limit) | (piece > piece_limit)
        if every_class:
            same &= rows[:, 5] == rows[index, 5]
        same[index] = True  # also of a box without an area
        kept.append(blend(rows[index], rows[alive & same]) if blended else rows[index])
        alive &= ~same
    return np.array(kept, np.float32).reshape(-1, rows.shape[1])


def blend(best: Rows, same: Rows) -> Rows:
    """The best row with the middle and the sides of all, each by its confidence; sides by their logarithms."""
    weights = same[:, 4] + 1e-6
    middle = np.average(same[:, :2] + same[:, 2:4] / 2, axis=0, weights=weights)
    sides = np.exp(np.average(np.log(np.maximum(same[:, 2:4], 1e-3)), axis=0, weights=weights))
    return np.concatenate([middle - sides / 2, sides, best[4:]]).astype(np.float32)


def to_box(row: npt.NDArray[np.float32], class_names: Sequence[str]) -> Box:
    x, y, w, h, confidence, kind = (float(value) for value in row[:6])
    scores = tuple(round(float(score), 4) for score in row[PLAIN_COLUMNS:])
    return Box(class_names[int(kind)], round(confidence, 4), round(x, 2), round(y, 2), round(w, 2), round(h, 2), scores)
