"""What a box shows, without sky, size and light, and the network that tells from several such views what it is.

    box ─▶ patch of 48x48, three extents wide, grey ─▶ its middle, 24x24 ─▶ less a plane through the rim ─▶ of one contrast

The network is ONNX, as base64 the entry `closer_look` of the detector's own metadata: input `views` (looks, 1, 24, 24) of one
object, output logarithms of its classes' probabilities, (classes,). Trained by `edge/training/closer.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from edge.vision.detector import Box, Picture

ENTRY = "closer_look"  # of a model file's metadata
PATCH_PX, VIEW_PX, SHOWN = 48, 24, 2 / 3  # stored; what the network sees, and which part of a side that shows
EXTENTS, BESIDE_PX = 3.0, 8.0  # a patch is so many extents wide, and so many pixels more
MARGIN_SHARE, LEAST_EXTENT, LEAST_EXTENT_PX = 0.8, 0.3, 3.0  # how much of the margin is surely none of the object
RIM_PX = 2  # of a view: sky
FAINTEST = 2.0  # grey levels added to the contrast by which a view is divided: noise is not blown up

Patch = npt.NDArray[np.uint8]
BLANK: Patch = np.zeros((PATCH_PX, PATCH_PX), np.uint8)
Values = npt.NDArray[np.float32]


def patch_of(picture_bgr: Picture, box: Box, margin_px: float) -> Patch:
    """The box's surroundings, grey, PATCH_PX wide; beyond the picture its last pixels are repeated."""
    side = float(np.sqrt(box.width_px * box.height_px))
    extent = max(side - MARGIN_SHARE * margin_px, LEAST_EXTENT * side, LEAST_EXTENT_PX)
    wide = EXTENTS * extent + BESIDE_PX
    x, y, scale = box.x_px + box.width_px / 2, box.y_px + box.height_px / 2, PATCH_PX / wide
    left, top, reach = int(np.floor(x - wide / 2)) - 1, int(np.floor(y - wide / 2)) - 1, int(np.ceil(wide)) + 3
    rows = np.clip(np.arange(top, top + reach), 0, picture_bgr.shape[0] - 1)
    columns = np.clip(np.arange(left, left + reach), 0, picture_bgr.shape[1] - 1)
    # what lies beyond is repeated when grey: of a large box that is most
    inside = picture_bgr[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    grey = cv2.cvtColor(inside, cv2.COLOR_BGR2GRAY)[:, columns - columns[0]][rows - rows[0]]
    if scale < 1:
        grey, (left, top) = (
            cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA),
            (
                left * scale,
                top * scale,
            ),
        )
        move = np.array([[1, 0, PATCH_PX / 2 - x * scale + left], [0, 1, PATCH_PX / 2 - y * scale + top]])
    else:
        move = np.array([[scale, 0, PATCH_PX / 2 - scale * (x - left)], [0, scale, PATCH_PX / 2 - scale * (y - top)]])
    patch = cv2.warpAffine(grey, move, (PATCH_PX, PATCH_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(patch, np.uint8)


MIDDLE = VIEW_PX / (PATCH_PX * SHOWN) * np.array([[1, 0], [0, 1]], float)


def middle_of(patch: Patch, turned: npt.NDArray[np.float64] = MIDDLE, moved_px: Sequence[float] = (0, 0)) -> Values:
    """A view of a patch's middle, (VIEW_PX, VIEW_PX); turned: (2, 2), from patch to view, about both middles."""
    middle = np.full(2, PATCH_PX / 2 - 0.5)
    offset = np.full(2, VIEW_PX / 2 - 0.5) + np.asarray(moved_px) - turned @ middle
    move = np.concatenate([turned, offset[:, None]], axis=1)
    whole = np.asarray(patch, np.float32)
    view = cv2.warpAffine(whole, move, (VIEW_PX, VIEW_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(view, np.float32)


def plane_operator() -> tuple[npt.NDArray[np.bool_], Values, Values]:
    """The rim of a view, flat, and what makes a plane of it: terms (places, 3) and their pseudo-inverse at the rim."""
    y, x = np.mgrid[-1 : 1 : VIEW_PX * 1j, -1 : 1 : VIEW_PX * 1j]
    terms = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)
    rim = np.ones((VIEW_PX, VIEW_PX), bool)
    rim[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] = False
    return rim.ravel(), terms.astype(np.float32), np.linalg.pinv(terms[rim.ravel()]).astype(np.float32)


RIM, TERMS, FITTED = plane_operator()


def without_sky(views: Values) -> Values:
    """What stands out of a plane through each view's rim, grey levels; (n, VIEW_PX, VIEW_PX) as they came."""
    flat = views.reshape(len(views), -1)
    return np.asarray(flat - flat[:, RIM] @ FITTED.T @ TERMS.T, np.float32).reshape(views.shape)


def of_one_contrast(views: Values) -> Values:
    """As the network takes them, (n, 1, VIEW_PX, VIEW_PX)."""
    contrast = np.sqrt(np.mean(views**2, axis=(1, 2), keepdims=True)) + FAINTEST
    return np.asarray((views / contrast)[:, None], np.float32)


class CloserLook:
    """The network."""

    def __init__(self, onnx: bytes) -> None:
        """Raises what ONNX Runtime raises where it is none."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])

    def log_probabilities(self, patches: Sequence[Patch]) -> npt.NDArray[np.float64]:
        """Of what these patches of one object show, (classes,), in the detector's order."""
        views = of_one_contrast(without_sky(np.stack([middle_of(patch) for patch in patches])))
        return np.asarray(self._session.run(None, {"views": views})[0], np.float64)

    @classmethod
    def read(cls, written: str | None) -> CloserLook | None:
        """Of a model file's entry; None where there is none. Raises ValueError where it is not base64."""
        return None if written is None else cls(base64.b64decode(written, validate=True))
