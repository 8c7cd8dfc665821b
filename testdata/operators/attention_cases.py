"""Attention of com.microsoft: its masks, its past, its products of bytes, and the tables of words before it."""

import numpy as np

from case_writer import random

MS = {"domain": "com.microsoft"}
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
HEADS, SIZE = 2, 4
HIDDEN = HEADS * SIZE


def integers(*values, dtype=np.int32):
    return np.array(values, dtype)


def marks(*shape, seed=0):
    return random(*shape, dtype=np.bool_, seed=seed).astype(np.int32)


def fused(add):
    x = random(2, 5, 6)
    for causal in (0, 1):
        for scale in ({}, {"scale": 0.3}):
            add("Attention", 1, [x, random(6, 3 * HIDDEN), random(3 * HIDDEN)], (1, 2), num_heads=HEADS,
                unidirectional=causal, **scale, **CLOSE, **MS)
    add("Attention", 1, [x, random(6, 2 * HIDDEN + 6), random(2 * HIDDEN + 6)], (1, 2), num_heads=HEADS,
        qkv_hidden_sizes=[HIDDEN, HIDDEN, 6], **CLOSE, **MS)
    for bias in ((1, 1, 5, 5), (2, 1, 5, 5), (1, HEADS, 5, 5), (2, HEADS, 5, 5)):
        add("Attention", 1, [x, random(6, 3 * HIDDEN), random(3 * HIDDEN), None, None, random(*bias)],
            (1, 2), num_heads=HEADS, name="bias", **CLOSE, **MS)
    q, k, v = random(2, 5, HIDDEN), random(2, 7, HIDDEN, seed=1), random(2, 7, HIDDEN, seed=2)
    for scale in ({}, {"scale": 0.3}):
        add("MultiHeadAttention", 1, [q, k, v], num_heads=HEADS, **scale, **CLOSE, **MS)
        add("MultiHeadAttention", 1, [q, k, v, random(3 * HIDDEN)], (3, ), num_heads=HEADS, name="bias",
            **scale, **CLOSE, **MS)
    add("MultiHeadAttention", 1, [q, k, v, None, None, random(2, HEADS, 5, 7)], num_heads=HEADS,
        name="mask", **CLOSE, **MS)
    add("MultiHeadAttention", 1, [q, q, q], num_heads=HEADS, unidirectional=1, name="causal", **CLOSE,
        **MS)
    past = [random(2, HEADS, 3, SIZE, seed=seed) for seed in (3, 4)]
    add("MultiHeadAttention", 1, [q, q, q, None, None, None, *past], outputs=3, num_heads=HEADS,
        name="past", **CLOSE, **MS)


def masks(add):
    """A place after the last key of each image, one before the first, marks of keys, and marks for each query."""
    x = random(2, 5, 6)
    weights = [random(6, 3 * HIDDEN), random(3 * HIDDEN)]
    forms = (integers(3, 5), integers(0, 9), integers(3, 5, 1, 2), integers(3, 5, 4, -1),
             integers([1, 1, 1, 0, 0], [0, 0, 3, 1, -1]), integers([1, 0, 1, 1, 1], [0] * 5),
             marks(2, 5, 5, seed=1))
    for mask in forms:
        for causal in (0, 1):
            add("Attention", 1, [x, *weights, mask], (1, 2), num_heads=HEADS, unidirectional=causal, name="mask",
                **CLOSE, **MS)
    add("Attention", 1, [x, *weights, forms[4]], (1, 2), num_heads=HEADS, mask_filter_value=-2.0, name="filter",
        **CLOSE, **MS)
    add("Attention", 1, [x, *weights, forms[4], None, random(1, HEADS, 5, 5)], (1, 2), num_heads=HEADS,
        name="mask_and_bias", **CLOSE, **MS)
    q, k, v = random(2, 5, HIDDEN), random(2, 7, HIDDEN, seed=1), random(2, 7, HEADS * 3, seed=2)
    for mask in (integers(3, 7), marks(2, 7, seed=3), marks(2, 5, 7, seed=4)):
        add("MultiHeadAttention", 1, [q, k, v, None, mask], num_heads=HEADS, name="mask", **CLOSE, **MS)
        add("MultiHeadAttention", 1, [q, k, v, None, mask, random(1, 1, 5, 7)], num_heads=HEADS,
            mask_filter_value=-2.0, name="mask_and_bias", **CLOSE, **MS)


def pasts(add):
    x = random(2, 5, 6)
    weights = [random(6, 3 * HIDDEN), random(3 * HIDDEN)]
    past = random(2, 2, HEADS, 3, SIZE, seed=1)
    for causal in (0, 1):
        for mask in (None, integers(3, 5), marks(2, 8, seed=1), marks(2, 5, 8, seed=2)):
            add("Attention", 1, [x, *weights, mask, past], (1, 2), outputs=2, num_heads=HEADS, unidirectional=causal,
                name="past", **CLOSE, **MS)
    add("Attention", 1, [x, *weights], (1, 2), outputs=2, num_heads=HEADS, name="present", **CLOSE, **MS)
    q = random(2, 5, HIDDEN)
    split = [random(2, HEADS, 3, SIZE, seed=seed) for seed in (3, 4)]
    for mask in (None, marks(2, 8, seed=5)):
        add("MultiHeadAttention", 1, [q, q, q, None, mask, None, *split], outputs=3, num_heads=HEADS,
            unidirectional=1, name="causal_past", **CLOSE, **MS)


def heads_first(add):
    """Keys and values that have their heads, as decoders keep those of an encoder."""
    q = random(2, 5, HIDDEN)
    k, v = (random(2, HEADS, 7, SIZE, seed=seed) for seed in (1, 2))
    for bias in (None, random(3 * HIDDEN, seed=3)):
        for mask in (None, marks(2, 7, seed=4)):
            add("MultiHeadAttention", 1, [q, k, v, bias, mask], num_heads=HEADS, name="heads_first", **CLOSE, **MS)
    add("MultiHeadAttention", 1, [q, k, v], outputs=3, num_heads=HEADS, name="heads_first", **CLOSE, **MS)


def quantized(add):
    """Weights are small: ONNX Runtime's sums of two products saturate on some processors."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 255, (2, 5, 6)).astype(np.uint8)
    w = rng.integers(-30, 30, (6, 3 * HIDDEN)).astype(np.int8)
    bias = random(3 * HIDDEN)
    scales = (np.array(0.02, np.float32), np.abs(random(3 * HIDDEN, seed=1)) * 0.02)
    zero = np.array(120, np.uint8)
    single = np.array(0.01, np.float32)
    past = random(2, 2, HEADS, 3, SIZE, seed=1)
    for scale in scales:
        for mask in (None, integers(3, 5), marks(2, 5, seed=1)):
            add("QAttention", 1, [x, w, bias, single, scale, mask, zero], (1, 2, 3, 4, 6), num_heads=HEADS, **CLOSE,
                **MS)
    add("QAttention", 1, [x, w, bias, single, scales[0], None, zero, np.array(3, np.int8), past],
        (1, 2, 3, 4, 6, 7), outputs=2, num_heads=HEADS, unidirectional=1, name="past", **CLOSE, **MS)


def grouped(add):
    """Heads of keys that groups of queries share, and their cache. Every image is as long as its cache is large: what lies
    behind that is not specified."""
    heads, shared, size = 4, 2, 16
    tables = [np.cos(random(16, 8, seed=7)), np.sin(random(16, 8, seed=7))]
    narrow = [random(2, 4, count * size, seed=count) for count in (heads, shared, shared)]
    packed = [random(2, 4, (heads + 2 * shared) * size), None, None]
    settings = {"num_heads": heads, "kv_num_heads": shared, **CLOSE, **MS}

    def ends(*counts):
        return np.array(counts, np.int32) - 1

    prompt = [None, None, ends(4, 4), np.array(4, np.int32)]
    constants = (5, 6, 7, 8)
    for operands in (narrow, packed):
        add("GroupQueryAttention", 1, [*operands, *prompt], (5, 6), outputs=3, **settings)
        for interleaved in (0, 1):
            add("GroupQueryAttention", 1, [*operands, *prompt, *tables], constants, outputs=3, do_rotary=1,
                rotary_interleaved=interleaved, name="rotary", **settings)
    add("GroupQueryAttention", 1, [*narrow, *prompt], (5, 6), outputs=3, local_window_size=2, name="window", **settings)
    add("GroupQueryAttention", 1, [*narrow, *prompt], (5, 6), outputs=3, causal=0, name="both_ways", **settings)
    add("GroupQueryAttention", 1, [*narrow, *prompt], (5, 6), outputs=3, softcap=0.5, scale=0.7, name="cap", **settings)
    add("GroupQueryAttention", 1, [*narrow, *prompt, None, None, None, random(2, heads, 4, 4)], (5, 6), outputs=3,
        name="bias", **settings)
    step = [random(2, 1, count * size, seed=count) for count in (heads, shared, shared)]
    past = [random(2, shared, 5, size, seed=seed) for seed in (8, 9)]
    for known in (constants, (7, 8)):
        add("GroupQueryAttention", 1, [*step, *past, ends(6, 6), np.array(6, np.int32), *tables], known, outputs=3,
            do_rotary=1, name="step", **settings)
    room = [random(2, shared, 6, size, seed=seed) for seed in (8, 9)]
    add("GroupQueryAttention", 1, [*step, *room, ends(6, 6), np.array(6, np.int32), *tables], constants, outputs=3,
        do_rotary=1, local_window_size=3, name="room", **settings)
    add("GroupQueryAttention", 1, [*[array[:1, :2] for array in narrow], *[array[:1] for array in past], ends(7),
        np.array(7, np.int32), *tables], constants, outputs=3, do_rotary=1, name="several_steps", **settings)


def rotations(add):
    tables = [np.cos(random(12, 4, seed=7)), np.sin(random(12, 4, seed=7))]
    many = np.array([[0, 3, 9, 1, 1], [2, 2, 5, 7, 11]], np.int64)
    for positions in (many, np.array([3], np.int64)):
        for interleaved in (0, 1):
            add("RotaryEmbedding", 1, [random(2, 5, 16), positions, *tables], (2, 3), interleaved=interleaved, **MS)
            add("RotaryEmbedding", 1, [random(2, 2, 5, 8), positions, *tables], (2, 3), interleaved=interleaved,
                **MS)
            add("RotaryEmbedding", 1, [random(2, 5, 24), positions, *tables], (2, 3), interleaved=interleaved,
                num_heads=2, rotary_embedding_dim=8, **MS)


def words(add):
    rng = np.random.default_rng(2)

    def places(end, *shape):
        return rng.integers(0, end, shape).astype(np.int32)

    ids, segments = places(10, 2, 5), places(2, 2, 5)
    tables = [random(10, 8), random(16, 8, seed=1), random(2, 8, seed=2)]
    norm = [random(8, seed=3), random(8, seed=4)]
    constants = (2, 3, 4, 5, 6)
    for mask in (None, integers([1, 1, 1, 0, 0], [1] * 5), integers([1, 0, 1, 2, 1], [3, 1, 0, 0, 1])):
        for positions in (None, places(16, 2, 5), places(16, 1, 5)):
            add("EmbedLayerNormalization", 1, [ids, segments, *tables, *norm, mask, positions], constants, outputs=3,
                **CLOSE, **MS)
    add("EmbedLayerNormalization", 1, [ids, None, *tables[:2], None, *norm], (2, 3, 5, 6), outputs=2, epsilon=0.1,
        name="no_segments", **CLOSE, **MS)

    def scale(values):
        return np.array(values, np.float32)

    byte = [rng.integers(0, 255, shape).astype(np.uint8) for shape in ((10, 8), (16, 8), (2, 8), (8,), (8,))]
    scales = [scale(value) for value in (0.01, 0.02, 0.03, 0.01, 0.02)]
    zeros = [np.array(value, np.uint8) for value in (120, 130, 128, 10, 200)]
    add("QEmbedLayerNormalization", 1, [ids, segments, *byte, integers([1, 1, 1, 0, 0], [1] * 5), *scales, *zeros],
        (2, 3, 4, 5, 6, *range(8, 18)), outputs=2, **CLOSE, **MS)


def few_bits(add):
    rng = np.random.default_rng(3)
    indices = np.array([[0, 3, 19], [7, -1, 3]], np.int64)
    for bits in (2, 4, 8):
        # The last block of a row is not full.
        for numbers in (64, 48):
            blocks = numbers // 16
            table = rng.integers(0, 256, (20, numbers * bits // 8)).astype(np.uint8)
            zeros = rng.integers(0, 256, (20, (blocks * bits + 7) // 8)).astype(np.uint8)
            scales = np.abs(random(20, blocks))
            for given in ([], [zeros]):
                add("GatherBlockQuantized", 1, [table, indices, scales, *given], (0, 2, 3) if given else (0, 2),
                    bits=bits, block_size=16, gather_axis=0, quantize_axis=1, name=f"{bits}_bits", **MS)


def all_cases(add):
    for family in (fused, masks, pasts, heads_first, quantized, grouped, rotations, words, few_bits):
        family(add)
