"""A model of one's own, opened before it is trusted: can it be loaded, and are its classes known here?

    model = { path = "theirs.onnx", sha256 = "..." }                     any YOLO .onnx; .pt and .engine with the extra
    protocol_options = { classes = { uav = "drone", plane = "airplane" } }

A class without a meaning here counts as unknown. What is recorded are the model's own names, so that a replay with another
mapping reads them anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.site_file import SensorEntry, Site
from edge.site_keys import Place, SiteFileError
from fusion.types import CLASSES


def check_models(site: Site, name: str) -> list[str]:
    """What to know of the models that the site names. Raises SiteFileError where one cannot be used."""
    found = []
    for entry in site.sensors:
        if entry.model is not None and entry.model.path is not None:
            place = Place(name, f'sensor "{entry.sensor.sensor_id}"')
            told = class_warnings(class_names(entry, place), entry.protocol_options.get("classes") or {})
            found += [f'sensor "{entry.sensor.sensor_id}": {text}' for text in told]
    return found


def class_names(entry: SensorEntry, place: Place) -> Sequence[str]:
    from edge.vision.detector import ModelError, load_detector

    assert entry.model is not None
    assert entry.model.path is not None
    try:
        return load_detector(entry.model.path, entry.model.confidence).class_names
    except ModelError as wrong:
        raise SiteFileError(str(place.error(f"model.path: {wrong}"))) from wrong


def class_warnings(names: Sequence[str], classes: Mapping[str, str]) -> list[str]:
    """names: the model's; classes: what the site file calls them."""
    found = []
    if unknown := [name for name in names if classes.get(name, name) not in CLASSES]:
        found.append(
            f"the model's {', '.join(unknown)} count as unknown; protocol_options.classes may call them "
            + " or ".join(CLASSES[:-1])
        )
    if strange := [name for name in classes if name not in names]:
        found.append(f"classes names {', '.join(strange)}, which the model does not tell: it tells {', '.join(names)}")
    return found
