"""Operators of transformers and of sound: Attention, RotaryEmbedding, Einsum, DFT, STFT, windows, and ONNX Runtime's fusions."""

import numpy as np

from case_writer import random, versions

MICROSOFT = "com.microsoft"


def attention(add):
    settings = {"rtol": 1e-4, "atol": 1e-5}
    for opset in versions("Attention"):
        for heads, shared in ((3, 3), (4, 2), (4, 1)):
            q, k, v = random(2, heads, 5, 8), random(2, shared, 7, 8, seed=1), random(2, shared, 7, 6, seed=2)
            masks = (None, random(5, 7, seed=3), random(2, 1, 5, 7, seed=3),
                     random(5, 7, seed=4) > -1)
            for mask in masks:
                for causal in (0, 1):
                    add("Attention", opset, [q, k, v, mask], is_causal=causal, reference=True,
                        **settings)
            for mode in range(4):
                add("Attention", opset, [q, k, v, masks[1]], qk_matmul_output_mode=mode, outputs=4,
                    softcap=2.0 if mode == 1 else 0.0, reference=True, **settings)
            past = [random(2, shared, 4, 8, seed=5), random(2, shared, 4, 6, seed=6)]
            for causal in (0, 1):
                add("Attention", opset, [q, k, v, None, *past], outputs=3, is_causal=causal,
                    scale=0.3, reference=True, **settings)
            flat = [array.transpose(0, 2, 1, 3).reshape(array.shape[0], array.shape[2], -1)
                    for array in (q, k, v)]
            add("Attention", opset, flat, q_num_heads=heads, kv_num_heads=shared, reference=True,
                **settings)
            add("Attention", opset, [*flat, None, *past], outputs=3, q_num_heads=heads,
                kv_num_heads=shared, is_causal=1, reference=True, **settings)
            if opset >= 24:
                lengths = np.array([7, 3])
                for causal in (0, 1):
                    add("Attention", opset, [q, k, v, None, None, None, lengths], is_causal=causal,
                        reference=True, **settings)
        for interleaved in (0, 1):
            angles = random(10, 4, seed=7)
            positions = np.array([[0, 3, 9, 1], [2, 2, 5, 7]])
            tables = [np.cos(angles), np.sin(angles)]
            add("RotaryEmbedding", opset, [random(2, 3, 4, 8), *tables, positions],
                interleaved=interleaved, reference=True)
            add("RotaryEmbedding", opset, [random(2, 4, 24), *tables, positions], num_heads=3,
                interleaved=interleaved, reference=True)
            add("RotaryEmbedding", opset, [random(2, 3, 4, 12), *tables, positions],
                rotary_embedding_dim=8, interleaved=interleaved, reference=True)


def sums(add):
    equations = (
        ("i,i->", ((5,), (5,))), ("ii->i", ((4, 4),)), ("ii", ((4, 4),)), ("ij->", ((3, 4),)),
        ("ij->j", ((3, 4),)), ("i,j->ij", ((3,), (4,))), ("ij,jk", ((3, 4), (4, 5))),
        ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))), ("...ij,...jk->...ik", ((2, 3, 4), (4, 5))),
        ("...ij->...ji", ((2, 3, 4),)), ("bhid,bhjd->bhij", ((2, 3, 4, 5), (2, 3, 6, 5))),
        ("ij,jk,kl->il", ((3, 4), (4, 5), (5, 2))), ("ab,bc,cd,de->ae", ((2, 3), (3, 4), (4, 5), (5, 2))),
        ("ijk,jil->kl", ((3, 4, 5), (4, 3, 2))), ("bi,bj->bij", ((2, 3), (2, 4))),
        ("ij,ij->ij", ((3, 4), (3, 4))), ("abc,cb->a", ((2, 3, 4), (4, 3))),
        ("iij,j->i", ((3, 3, 4), (4,))), ("a...,a...->...", ((2, 3, 4), (2, 3, 4))),
        ("Ab,bC->AC", ((2, 3), (3, 4))), (" i j , j k -> k i ", ((3, 4), (4, 5))),
    )
    for opset in versions("Einsum"):
        for equation, shapes in equations:
            for dtype in (np.float32, np.float64, np.int32):
                operands = [random(*shape, seed=index, high=5).astype(dtype)
                            for index, shape in enumerate(shapes)]
                add("Einsum", opset, operands, equation=equation, name=np.dtype(dtype).name,
                    reference=True)
    # Narrow integers wrap.
    for equation, shapes in equations:
        for dtype, high in ((np.int8, 90), (np.uint8, 200), (np.int16, 20000), (np.uint16, 50000)):
            operands = [random(*shape, seed=index, low=0 if dtype in (np.uint8, np.uint16) else -high, high=high)
                        .astype(dtype) for index, shape in enumerate(shapes)]
            add("Einsum", 12, operands, equation=equation, name=np.dtype(dtype).name, reference=True)


def spectra(add):
    for length in (1, 2, 7, 8, 12, 30, 64):
        for parts in (1, 2):
            x = random(2, length, 3, parts)
            for inverse in (0, 1):
                if inverse and parts == 1:
                    continue
                settings = {"inverse": inverse, "rtol": 1e-4, "atol": 1e-5, "reference": True}
                add("DFT", 17, [x], axis=1, **settings)
                add("DFT", 20, [x, None, np.array(1)], (2,), **settings)
                for cut in (5, 16):
                    add("DFT", 20, [x, np.array(cut), np.array(1)], (1, 2), **settings)
            if parts == 1:
                add("DFT", 17, [x], axis=1, onesided=1, rtol=1e-4, atol=1e-5, reference=True)
    for frame, step in ((8, 3), (16, 16), (11, 4)):
        signal = random(2, 50, 1)
        window = np.hanning(frame).astype(np.float32)
        for onesided in (0, 1):
            for inputs in ([signal, np.array(step), window, None],
                           [signal, np.array(step), None, np.array(frame)]):
                add("STFT", 17, inputs, (1, 3), onesided=onesided, rtol=1e-4, atol=1e-5)
    for operator in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            for size in (2, 10, 33):
                for output in (1, 11):
                    add(operator, 17, [np.array(size)], (0,), periodic=periodic,
                        output_datatype=output, atol=1e-6)
    add("MelWeightMatrix", 17, [np.array(8), np.array(16), np.array(8192), np.array(0.0, np.float32),
        np.array(8192 / 2, np.float32)], (0, 1, 2, 3, 4), reference=True)
    for output in (2, 3, 4, 5, 6, 7, 10, 11, 12, 13):
        add("MelWeightMatrix", 17, [np.array(20), np.array(64), np.array(8192), np.array(0.0, np.float32),
            np.array(8192 / 2, np.float32)], (0, 1, 2, 3, 4), output_datatype=output, reference=True,
            name=f"type{output}", rtol=2e-3)


def fusions(add):
    x = random(2, 4, 8)
    add("Gelu", 1, [x], domain=MICROSOFT)
    add("FastGelu", 1, [x], domain=MICROSOFT, rtol=1e-4)
    add("FastGelu", 1, [x, random(8)], domain=MICROSOFT, rtol=1e-4)
    add("BiasGelu", 1, [x, random(8)], domain=MICROSOFT)
    add("QuickGelu", 1, [x], domain=MICROSOFT, rtol=1e-4)
    for more in ([], [random(8, seed=3)], [random(8, seed=3), random(8, seed=4)]):
        add("SkipLayerNormalization", 1, [x, random(2, 4, 8, seed=1), random(8, seed=2), *more],
            domain=MICROSOFT, epsilon=1e-5, rtol=1e-4)
    add("SkipSimplifiedLayerNormalization", 1, [x, random(2, 4, 8, seed=1), random(8, seed=2)],
        domain=MICROSOFT, epsilon=1e-5, rtol=1e-4)
    for left, right in (((3, 5), (5, 4)), ((2, 3, 5), (2, 5, 4)), ((2, 3, 5), (5, 4))):
        for flags in ((0, 0), (0, 1), (1, 0), (1, 1)):
            a, b = random(*left), random(*right, seed=1)
            a, b = (a.swapaxes(-1, -2) if flags[0] else a).copy(), (b.swapaxes(-1, -2) if flags[1] else b).copy()
            for constants in ((), (1,)):
                add("FusedMatMul", 1, [a, b], constants, transA=flags[0], transB=flags[1], alpha=0.5,
                    domain=MICROSOFT, rtol=1e-4)
    image, filters = random(1, 3, 6, 6), random(4, 3, 3, 3, seed=1)
    for activation, parameters in (("Relu", None), ("Sigmoid", None), ("Tanh", None),
                                   ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.7]),
                                   ("HardSigmoid", [0.3, 0.4])):
        settings = {"activation": activation}
        if parameters:
            settings["activation_params"] = parameters
        add("FusedConv", 1, [image, filters, random(4, seed=2)], (1, 2), domain=MICROSOFT,
            pads=[1, 1, 1, 1], rtol=1e-4, name=activation, **settings)
    add("FusedConv", 1, [image, filters, random(4, seed=2), random(1, 4, 6, 6, seed=3)], (1, 2),
        domain=MICROSOFT, pads=[1, 1, 1, 1], rtol=1e-4, activation="Relu")
    add("SwiGLU", 28, [x, random(2, 4, 8, seed=1)], alpha=1.5, reference=True)


def losses(add):
    for opset in versions("NegativeLogLikelihoodLoss"):
        for shape in ((5, 4), (3, 4, 6), (2, 4, 3, 5)):
            x, target = random(*shape), np.abs(random(shape[0], *shape[2:], seed=1) * 2).astype(np.int64) % 4
            for reduction in ("none", "mean", "sum"):
                for weights in ([], [np.abs(random(4, seed=2)) + 0.1]):
                    for ignored in ({}, {"ignore_index": 2}):
                        for operator in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"):
                            add(operator, opset, [x, target, *weights], reduction=reduction,
                                rtol=1e-4, **ignored)


def all_cases(add):
    for family in (attention, sums, spectra, fusions, losses):
        family(add)
