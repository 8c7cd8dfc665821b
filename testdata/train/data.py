"""What the small networks learn: scikit-learn's handwritten digits, and pictures of shapes drawn
here."""

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

DIGIT_SIDE = 32
PICTURE_SIDE = 128
SHAPES_SIZE = (61, 75)  # rows, columns: odd at every level of a U-Net


def digit_picture(digit):
    """An 8x8 digit enlarged to a smooth grey picture of 128x128."""
    grey = Image.fromarray(np.clip(digit * 255 / 16, 0, 255).astype(np.uint8))
    return grey.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BICUBIC)


def digits(seed):
    """((pictures, images, labels) for training, the same held out): images (N, 1, 32, 32) in [0,
    1]."""
    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    pictures = [digit_picture(data.images[index]) for index in order]
    small = [picture.resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.BILINEAR)
             for picture in pictures]
    images = np.stack([np.asarray(picture) for picture in small])[:, None].astype(np.float32) / 255
    labels = data.target[order]
    return ((pictures[300:], images[300:], labels[300:]),
            (pictures[:300], images[:300], labels[:300]))


def colour(rng):
    return tuple(int(value) for value in rng.integers(0, 256, 3))


def draw_shapes(rng, scale=1):
    """A picture of ellipses, rectangles and triangles on a gradient with lines, and their mask."""
    rows, columns = (side * scale for side in SHAPES_SIZE)
    near, far = rng.uniform(0, 255, (2, 3))
    ramp = np.linspace(0, 1, columns)[None, :, None] * np.ones((rows, 1, 1))
    background = near + (0.4 * (far - near)) * ramp
    picture = Image.fromarray(background.astype(np.uint8))
    mask = Image.new("L", (columns, rows))
    drawing, marking = ImageDraw.Draw(picture), ImageDraw.Draw(mask)
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(0, 1, 4) * (columns, rows, columns, rows)
        drawing.line(list(points), fill=colour(rng), width=scale)
    for _ in range(rng.integers(1, 4)):
        x, y = rng.uniform(0.15, 0.85, 2) * (columns, rows)
        width, height = rng.uniform(0.1, 0.24, 2) * min(rows, columns)
        fill = colour(rng)
        while abs(np.array(fill) - background.mean((0, 1))).sum() < 150:
            fill = colour(rng)
        box = [x - width, y - height, x + width, y + height]
        kind = rng.integers(3)
        for target, value in ((drawing, fill), (marking, 255)):
            if kind == 0:
                target.ellipse(box, fill=value)
            elif kind == 1:
                target.rectangle(box, fill=value)
            else:
                target.polygon([(x, box[1]), (box[0], box[3]), (box[2], box[3])], fill=value)
    noisy = np.asarray(picture) + rng.normal(0, 6, (rows, columns, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), mask


def shapes(seed, count):
    """`count` pictures as (N, 3, 61, 75) in [0, 1] and masks (N, 1, 61, 75) of 0 and 1."""
    rng = np.random.default_rng(seed)
    pairs = [draw_shapes(rng) for _ in range(count)]
    images = np.stack([np.asarray(picture).transpose(2, 0, 1) for picture, _ in pairs])
    masks = np.stack([np.asarray(mask)[None] for _, mask in pairs])
    return images.astype(np.float32) / 255, (masks > 127).astype(np.float32)
