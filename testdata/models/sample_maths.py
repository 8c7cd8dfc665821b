"""The arithmetic that carries calibration samples through a network while it is being built.

Goals, in order: plain numpy; fast enough for an Inception-ResNet in seconds; nothing that the ten
networks do not use.

A sample is an array of shape (channels, images, height, width): with the channels first, a
convolution over all images is one matrix product. After pooling and flattening it is (features,
images).
"""

import numpy as np


def pad(sample, padding, value=0.0):
    """Pads height and width by (top, left, bottom, right)."""
    top, left, bottom, right = padding
    if not any(padding):
        return sample
    widths = ((0, 0), (0, 0), (top, bottom), (left, right))
    return np.pad(sample, widths, constant_values=np.float32(value))


def windows(sample, kernel, stride):
    """A view of shape (channels, images, rows, columns, kernel height, kernel width)."""
    view = np.lib.stride_tricks.sliding_window_view(sample, kernel, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def depthwise(sample, weight, stride):
    """Each channel with its own kernel; weight is (channels, 1, kernel height, kernel width)."""
    taps = windows(sample, weight.shape[2:], stride)
    result = np.zeros(taps.shape[:4], np.float32)
    for row in range(weight.shape[2]):
        for column in range(weight.shape[3]):
            result += weight[:, 0, row, column, None, None, None] * taps[..., row, column]
    return result


def convolve(sample, weight, stride, padding, groups):
    """A convolution with one group, or with one per channel."""
    sample = pad(sample, padding)
    if groups > 1:
        if groups != len(sample) or len(weight) != groups:
            raise ValueError("a grouped convolution must be depthwise")
        return depthwise(sample, weight, stride)
    taps = windows(sample, weight.shape[2:], stride)
    columns = taps.transpose(0, 4, 5, 1, 2, 3).reshape(weight[0].size, -1)
    return (weight.reshape(len(weight), -1) @ columns).reshape(len(weight), *taps.shape[1:4])


def upsample_with(sample, weight):
    """ConvTranspose of kernel 2x2 and stride 2; weight is (input, output channels, 2, 2)."""
    channels, images, height, width = sample.shape
    blocks = weight.reshape(channels, -1).T @ sample.reshape(channels, -1)
    blocks = blocks.reshape(-1, 2, 2, images, height, width).transpose(0, 3, 4, 1, 5, 2)
    return blocks.reshape(weight.shape[1], images, 2 * height, 2 * width)


def max_pool(sample, kernel, stride, padding):
    padded = pad(sample, padding, -np.inf)
    return windows(padded, (kernel, kernel), (stride, stride)).max(axis=(4, 5))


def average_pool(sample, kernel, stride, padding, count_padding):
    view = windows(pad(sample, padding), (kernel, kernel), (stride, stride))
    total = view.sum(axis=(4, 5), dtype=np.float32)
    if count_padding:
        return total / np.float32(kernel * kernel)
    ones = pad(np.ones((1, 1, *sample.shape[2:]), np.float32), padding)
    return total / windows(ones, (kernel, kernel), (stride, stride)).sum(axis=(4, 5))


def sigmoid(sample):
    return 1 / (1 + np.exp(-sample))


def hard_sigmoid(sample):
    return np.clip(sample / 6 + 0.5, 0, 1).astype(np.float32)
