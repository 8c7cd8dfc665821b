"""ResNet-50 as ONNX Runtime's quantiser writes it: bytes between QuantizeLinear and DequantizeLinear.

Weights are int8 with a scale for each channel, activations uint8 with the range that seeded pictures
have, biases int32. BatchNormalization goes into the weights first, as the quantiser asks for.
"""

import logging
import pathlib
import tempfile

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

import pictures

CALIBRATION_PICTURES = 6
# Of calibration; references have others.
SEED = 7000


class Pictures(quantization.CalibrationDataReader):
    """Seeded pictures, one at a time, for a model of one input."""

    def __init__(self, path):
        (model_input,) = onnx.load(path, load_external_data=False).graph.input
        height, width = (d.dim_value for d in model_input.type.tensor_type.shape.dim[2:])
        samples = pictures.batch(SEED, CALIBRATION_PICTURES, height, width)
        self.feeds = iter({model_input.name: np.ascontiguousarray(s[None])} for s in samples)

    def get_next(self):
        return next(self.feeds, None)


def quantize(source, target):
    """Writes the model at `source` quantised to `target`."""
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        converted = pathlib.Path(folder) / "converted.onnx"
        prepared = pathlib.Path(folder) / "prepared.onnx"
        # Scales of channels came with opset 13.
        onnx.save(onnx.version_converter.convert_version(onnx.load(source), 13), converted)
        quant_pre_process(str(converted), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared), str(target), Pictures(prepared),
            quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8)
