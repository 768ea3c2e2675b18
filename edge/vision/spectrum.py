"""Which spectrum a picture is of: what is warm is not what is dark, so each half of a model knows one of them.

    picture ─▶ how many of its places have a colour? ─▶ "visible" or "infrared"        or what the site file says of the camera

An encoder that rounds both colour channels of grey down by one step still leaves it without colour (ITU-R BT.601). Of the
real clips (daylight) no infrared frame has more than 0.2 % of its places in colour, no visible one less than 27 %: of a camera
like these the site file need not say it. It must of one that shows warmth in colours, or the visible world in grey.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

Spectrum: TypeAlias = Literal["visible", "infrared"]
SPECTRA: tuple[Spectrum, ...] = get_args(Spectrum)
COLOURED = 2.0  # steps of both colour channels together, from which a place has a colour
VISIBLE_SHARE = 0.05  # of all places; words that a camera writes in colour over its picture are fewer
EVERY_PX = 8  # places so far apart tell the colour of a picture
RED, BLUE = 0.713, 0.564  # of their difference from the brightness: the colour channels Cr and Cb
OF_BRIGHTNESS = np.array([0.114, 0.587, 0.299], np.float32)  # blue, green, red


def spectrum_of(picture_bgr: npt.NDArray[np.uint8]) -> Spectrum:
    """Of a picture (height, width, 3) by its colours alone."""
    places = picture_bgr[::EVERY_PX, ::EVERY_PX].astype(np.float32)
    brightness = places @ OF_BRIGHTNESS
    colour = np.hypot(BLUE * (places[..., 0] - brightness), RED * (places[..., 2] - brightness))
    return "visible" if float((colour > COLOURED).mean()) > VISIBLE_SHARE else "infrared"
