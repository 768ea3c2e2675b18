"""One file for both spectra answers as the half it chose: no clips, no torch."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

onnx = pytest.importorskip("onnx", reason="the `train` extra is not installed")

from onnx import TensorProto, helper  # noqa: E402

from edge.training.spectra import GREY, join  # noqa: E402
from edge.vision.detector import GREY_INPUT  # noqa: E402


def write_model(path: Path, factor: float, name: str) -> Path:
    """A model that multiplies its picture, flattened, by a factor."""
    nodes = [
        helper.make_node("Mul", ["images", "factor"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "shape"], ["output0"]),
    ]
    weights = [
        helper.make_tensor("factor", TensorProto.FLOAT, [], [factor]),
        helper.make_tensor("shape", TensorProto.INT64, [3], [0, 3, -1]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 3, "places"])
    model = helper.make_model(
        helper.make_graph(nodes, name, [images], [output], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    for key, value in (("names", "{0: 'drone'}"), ("training", f'{{"images": {factor}}}')):
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    visible, infrared = (write_model(folder / f"{n}.onnx", n, "same name") for n in (2.0, 3.0))
    join(visible, infrared, folder / "joined.onnx")
    return folder / "joined.onnx"


@pytest.mark.parametrize(("colour", "factor"), [(0.0, 3.0), (0.5 * GREY, 3.0), (2.0 * GREY, 2.0), (0.5, 2.0)])
def test_the_colour_of_a_picture_chooses_its_model(joined: Path, colour: float, factor: float) -> None:
    session = onnxruntime.InferenceSession(str(joined))
    pictures = np.full((2, 3, 8, 12), 0.25, np.float32)
    pictures[:, 0] += np.float32(colour)
    (told,) = session.run(None, {"images": pictures})
    assert np.allclose(told, factor * pictures.reshape(2, 3, -1))


@pytest.mark.parametrize(("limit", "factor"), [(-1.0, 2.0), (2.0, 3.0)])
def test_who_knows_the_spectrum_tells_it(joined: Path, limit: float, factor: float) -> None:
    session = onnxruntime.InferenceSession(str(joined))
    assert [one.name for one in session.get_inputs()] == ["images"]  # the other need not be told
    for pictures in (np.full((1, 3, 8, 12), 0.25, np.float32), np.eye(3, dtype=np.float32).reshape(1, 3, 1, 3)):
        (told,) = session.run(None, {"images": pictures, GREY_INPUT: np.array(limit, np.float32)})
        assert np.allclose(told, factor * pictures.reshape(1, 3, -1))


def test_the_file_tells_how_both_halves_were_trained(joined: Path) -> None:
    told = {entry.key: entry.value for entry in onnx.load(str(joined)).metadata_props}
    assert told["names"] == "{0: 'drone'}"
    assert told["training"] == '{"visible": {"images": 2.0}, "infrared": {"images": 3.0}}'
    assert told["score_shift"] == '{"visible": 0.0, "infrared": 0.0}'


def test_the_file_tells_by_how_much_each_half_s_scores_were_moved(tmp_path: Path) -> None:
    visible, infrared = (write_model(tmp_path / f"{n}.onnx", n, "same name") for n in (2.0, 3.0))
    moved = onnx.load(str(visible))
    next(entry for entry in moved.metadata_props if entry.key == "training").value = '{"score_shift": -0.4}'
    onnx.save(moved, str(visible))
    join(visible, infrared, tmp_path / "joined.onnx")
    told = {entry.key: entry.value for entry in onnx.load(str(tmp_path / "joined.onnx")).metadata_props}
    assert told["score_shift"] == '{"visible": -0.4, "infrared": 0.0}'
