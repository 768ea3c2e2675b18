"""Models in ultralytics: `.pt` weights, TensorRT `.engine` files, or any other format it opens.

ultralytics would fetch missing packages, fonts and weights from the network; here it is told to stay offline.
A `.pt` file is a pickle and can run code when it is opened: use only files whose origin is known.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.vision.detector import (
    SAME_OBJECT_IOU,
    Box,
    ModelError,
    Picture,
    Region,
    Rows,
    cut_regions,
    first_line,
    merge,
    place,
    suppress,
    to_box,
)
from edge.vision.margins import Margins
from edge.vision.operating_points import OperatingPoints
from edge.vision.score_shift import ScoreShift
from edge.vision.spectrum import Spectrum


class UltralyticsDetector:
    def __init__(self, path: Path, confidence: float, threads: int, spectrum: Spectrum | None = None) -> None:
        os.environ.update(YOLO_OFFLINE="True", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="False")
        try:
            prepare = importlib.import_module("edge.training.torch_setup").prepare
            prepare(threads)
            yolo = importlib.import_module("ultralytics").YOLO
        except (ImportError, SystemExit) as missing:
            raise ModelError(
                f"{path}: found no ultralytics; install the extra: pip install 'sarhad[ultralytics]'"
            ) from missing
        try:
            self._model: Any = yolo(str(path), task="detect")
            names = self._model.names
        except Exception as broken:  # whatever a damaged pickle or engine raises
            raise ModelError(f"{path}: found no model that ultralytics can load ({first_line(broken)})") from broken
        self.class_names = tuple(names[number] for number in range(len(names)))
        self.model_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.provider = "ultralytics"
        self.temperature, self.usual, self.margins, self.closer_look = 1.0, None, Margins(), None
        self.wing_beats, self.score_shift, self.operating_points = None, ScoreShift(), OperatingPoints()
        self.confidence, self.spectrum = confidence, spectrum

    def look(
        self, image_bgr: Picture, regions: Sequence[Region] | None = None, *, every_class: bool = False
    ) -> list[Box]:
        """As any detector; but ultralytics tells the likeliest class only, also with `every_class`."""
        size_px = (image_bgr.shape[1], image_bgr.shape[0])
        found = [place(self._rows(piece), region, size_px) for region, piece in cut_regions(image_bgr, regions)]
        return [to_box(row, self.class_names) for row in merge(found)] if found else []

    def _rows(self, piece: Picture) -> Rows:
        """Boxes in one padded region; its size is the model's input size, so nothing is scaled."""
        result = self._model.predict(piece, imgsz=piece.shape[:2], conf=self.confidence, verbose=False)[0].boxes
        x, y, w, h = result.xywh.cpu().numpy().reshape(-1, 4).T
        confidence, kind = result.conf.cpu().numpy(), result.cls.cpu().numpy()
        rows = np.stack([x - w / 2, y - h / 2, w, h, confidence, kind, np.zeros(len(x))], axis=1)
        return suppress(rows.astype(np.float32), SAME_OBJECT_IOU)
