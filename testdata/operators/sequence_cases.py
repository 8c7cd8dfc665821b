"""Operators of sequences and optionals. What is empty tells no type: operator tests have it."""

import numpy as np

from case_writer import random, versions
from shape_cases import longs

TYPES = (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)
# A sequence's places, from both ends.
PLACES = (0, 1, 2, -1, -2, -3)


def items(add):
    for dtype in TYPES:
        label = np.dtype(dtype).name
        sequence = [random(2, 3, dtype=dtype), random(1, dtype=dtype), random(0, 4, dtype=dtype)]
        tensor = random(3, 1, dtype=dtype)
        add("SequenceConstruct", 11, sequence, name=label)
        add("SequenceLength", 11, [sequence], name=label)
        add("SequenceErase", 11, [sequence], name=label)
        add("SequenceInsert", 11, [sequence, tensor], name=label)
        for place in PLACES:
            for position in (np.int32(place), np.int64(place)):
                add("SequenceAt", 11, [sequence, np.asarray(position)], (1,), name=label)
                add("SequenceErase", 11, [sequence, np.asarray(position)], name=label)
                add("SequenceInsert", 11, [sequence, tensor, np.asarray(position)], name=label)
        add("SequenceInsert", 11, [sequence, tensor, np.asarray(np.int64(3))], name=label)


def pieces(add):
    for dtype in TYPES:
        label = np.dtype(dtype).name
        x = random(2, 5, 3, dtype=dtype)
        for opset in versions("SplitToSequence"):
            for axis in (0, 1, 2, -1, -3):
                for keepdims in (0, 1):
                    add("SplitToSequence", opset, [x], axis=axis, keepdims=keepdims, name=label)
            for size in (np.int32(2), np.int64(1), np.int64(4), np.int64(9)):
                add("SplitToSequence", opset, [x, np.asarray(size)], axis=1, name=label)
            for sizes in (longs(5), longs(2, 3), longs(1, 0, 4), longs(3, 2).astype(np.int32)):
                add("SplitToSequence", opset, [x, sizes], axis=-2, keepdims=0, name=label)
        alike = [x, random(2, 5, 3, dtype=dtype, seed=1), random(2, 5, 3, dtype=dtype, seed=2)]
        for axis in (0, 1, 2, -1, -2, -3):
            add("ConcatFromSequence", 11, [alike], axis=axis, name=label)
        for axis in (0, 1, 2, 3, -1, -2, -3, -4):
            add("ConcatFromSequence", 11, [alike], axis=axis, new_axis=1, name=label)
        add("ConcatFromSequence", 11, [[x, x[:, :0], x[:, :2]]], axis=1, name=label)


def optionals(add):
    sequence = [random(2, 3), random(1)]
    for opset in versions("OptionalHasElement", 18):
        for value in (random(2), sequence):
            add("OptionalHasElement", opset, [value])
        add("OptionalHasElement", opset, [])
    for opset in versions("OptionalGetElement", 18):
        for value in (random(2), sequence):
            add("OptionalGetElement", opset, [value])
    for opset in versions("Identity", 14):
        add("Identity", opset, [sequence])


def all_cases(add):
    for family in (items, pieces, optionals):
        family(add)
