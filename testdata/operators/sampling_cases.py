"""Operators that read images at places of their inputs, and those that keep as many results as the data says."""

import numpy as np

from case_writer import random, versions


def grids(add):
    for opset in versions("GridSample"):
        modes = ("bilinear", "nearest", "bicubic") if opset < 20 else ("linear", "nearest", "cubic")
        for mode in modes:
            for padding in ("zeros", "border", "reflection"):
                for corners in (0, 1):
                    settings = {"mode": mode, "padding_mode": padding, "align_corners": corners,
                                "rtol": 1e-4, "atol": 1e-4, "name": f"{mode}_{padding}"}
                    for low, high in ((-1, 1), (-3, 3)):
                        add("GridSample", opset, [random(2, 3, 5, 6),
                            random(2, 4, 7, 2, low=low, high=high)], **settings)
                    if opset >= 20 and mode != "cubic":
                        add("GridSample", opset, [random(1, 2, 4, 5, 6),
                            random(1, 3, 4, 2, 3, low=-1.5, high=1.5)], **settings)
    places = random(2, 4, 7, 2, low=-1.5, high=1.5)
    for dtype in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.bool_,
                  np.float64, np.complex64, object):
        x = np.random.default_rng(3).integers(0, 2 if dtype == np.bool_ else 120, (2, 3, 5, 6))
        x = x.astype(str).astype(object) if dtype is object else x.astype(dtype)
        label = "string" if dtype is object else np.dtype(dtype).name
        for opset in (16, 20):
            for padding in ("border", "reflection") + (("zeros",) if dtype is not object else ()):
                add("GridSample", opset, [x, places], mode="nearest", padding_mode=padding,
                    name=f"nearest_{label}")
    for types in ((np.float32, np.float64), (np.float64, np.float32)):
        for mode in ("linear", "cubic"):
            add("GridSample", 20, [random(2, 3, 5, 6, dtype=types[0]), places.astype(types[1])], mode=mode,
                name=f"{mode}_mixed", reference=True, rtol=1e-4, atol=1e-4)
    for corners in (0, 1):
        for size, theta in (((2, 3, 4, 5), (2, 2, 3)), ((1, 2, 3, 4, 5), (1, 3, 4))):
            add("AffineGrid", 20, [random(*theta), np.array(size, np.int64)], (1,),
                align_corners=corners, reference=True)


def regions(add):
    x = random(2, 3, 10, 12)
    rois = np.array([[0, 0, 9, 9], [1.5, 2.25, 7, 6], [-3, -2, 14, 30], [5, 5, 5, 5]], np.float32)
    images = np.array([0, 1, 1, 0], np.int64)
    for opset in versions("RoiAlign"):
        for mode in ("avg", "max"):
            for ratio in (0, 1, 3):
                for height, width, scale in ((1, 1, 1.0), (3, 5, 1.0), (2, 2, 0.5)):
                    forms = (None,) if opset < 16 else (None, "output_half_pixel")
                    for form in forms:
                        settings = {"coordinate_transformation_mode": form} if form else {}
                        add("RoiAlign", opset, [x, rois, images], mode=mode, sampling_ratio=ratio,
                            output_height=height, output_width=width, spatial_scale=scale,
                            rtol=1e-4, **settings)
    boxes = np.array([[0, 0, 0, 9, 9], [1, 1, 2, 7, 6], [1, 3, 3, 11, 9]], np.float32)
    for shape in ((1, 1), (3, 2), (7, 7)):
        for scale in (1.0, 0.5):
            add("MaxRoiPool", 1, [x, boxes], pooled_shape=shape, spatial_scale=scale)


def suppression(add):
    corners = np.sort(random(2, 30, 2, 2, low=0, high=10), axis=2)
    boxes = corners.reshape(2, 30, 4)
    scores = random(2, 3, 30, low=0, high=1)
    for opset in (10, 11):
        for limit in (0, 1, 5, 100):
            for overlap in (0.0, 0.3, 0.7):
                for threshold in (None, 0.4):
                    more = [] if threshold is None else [np.array([threshold], np.float32)]
                    for centred in (0, 1):
                        add("NonMaxSuppression", opset, [boxes, scores, np.array([limit]),
                            np.array([overlap], np.float32), *more], (2, 3),
                            center_point_box=centred)
    add("NonMaxSuppression", 11, [boxes, scores])


def chosen(add):
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_):
        x = random(3, 4, 5, dtype=dtype)
        label = np.dtype(dtype).name
        for opset in (9, 11):
            add("Compress", opset, [x, np.arange(40) % 3 == 0], name=label)
            for axis in (0, 1, 2) + ((-1, -2) if opset >= 11 else ()):
                add("Compress", opset, [x, np.array([True, False, True])], axis=axis, name=label)
    for dtype in (np.float32, np.float64, np.int64, np.int8):
        x = np.round(random(4, 5, 3, low=-2, high=2)).astype(dtype)
        label = np.dtype(dtype).name
        for ordered in (0, 1):
            add("Unique", 11, [x], outputs=4, sorted=ordered, name=label)
            for axis in (0, 1, -1):
                add("Unique", 11, [x[:, :2, :1]], outputs=4, axis=axis, sorted=ordered, name=label)


def deformable(add):
    for opset in versions("DeformConv"):
        for group, shared, attributes, size in (
                (1, 1, {"pads": [1, 1, 1, 1]}, (7, 8)), (2, 2, {"strides": [2, 1]}, (3, 6)),
                (1, 4, {"dilations": [2, 2], "pads": [2, 2, 2, 2]}, (7, 8))):
            x, w = random(2, 4, 7, 8), random(6, 4 // group, 3, 3, seed=1)
            offsets = random(2, shared * 18, *size, seed=2)
            mask = random(2, shared * 9, *size, seed=3)
            for more in ([], [random(6, seed=4)], [random(6, seed=4), mask]):
                add("DeformConv", opset, [x, w, offsets, *more], group=group, offset_group=shared,
                    rtol=1e-4, atol=1e-5, **attributes)


def all_cases(add):
    for family in (grids, regions, suppression, chosen, deformable):
        family(add)
