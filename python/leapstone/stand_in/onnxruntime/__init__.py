"""Leapstone under onnxruntime's name, for programs that are run by leapstone.as_onnxruntime."""

from leapstone import *  # noqa: F403

# Programs reach the exception classes as attributes, without importing where they are.
from . import capi  # noqa: F401

# The version of onnxruntime whose surface this is: programs compare it with what they need.
__version__ = "1.32.0"
