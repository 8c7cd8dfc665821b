"""Leapstone's classes, where programs import onnxruntime's from."""

from leapstone import *  # noqa: F403
