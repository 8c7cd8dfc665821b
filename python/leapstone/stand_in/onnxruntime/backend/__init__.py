"""Leapstone's ONNX backend, where programs import onnxruntime's from."""

from leapstone.backend import (  # noqa: F401
    is_compatible,
    prepare,
    run_model,
    run_node,
    supports_device,
)
