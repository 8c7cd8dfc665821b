"""What Pillow makes of pictures that this script draws: expected.npz, for the tests of LeapstoneImage.

Keys of the archive:
  file:NAME            a picture's file, as bytes
  decoded:NAME         its pixels as Pillow (or, where Pillow cuts them, numpy) has them: height, width, channels
  oriented:NAME        the same, turned as its EXIF orientation says
  rgb:NAME, gray:NAME  Pillow's convert("RGB") and convert("L")
  source:NAME          a picture to work on
  resized:NAME:FILTER:HEIGHTxWIDTH, cropped:NAME:HEIGHTxWIDTH
  tensor:NAME:PRESET:CHANNELSxHEIGHTxWIDTH   a preset's tensor for a model's input of that size

    python make_expected.py        needs numpy and pillow; writes expected.npz beside itself
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
           "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def draw(height, width, channels, seed):
    """Waves with edges and a little noise: smooth and hard places for every filter."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for channel in range(channels):
        wave = np.sin(x / (5 + 2 * channel) + y / (9 - channel)) * 90 + 128
        wave[(x // 11 + y // 7 + channel) % 5 == 0] = 255 * (channel % 2)
        planes.append(wave + rng.normal(0, 2, wave.shape))
    return np.clip(np.stack(planes, -1), 0, 255).round().astype(np.uint8)


def pixels(image):
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def pillow(array):
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def encode(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, interlace=0):
    """A PNG of a kind that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b""))


def interlaced(array):
    """Adam7: seven passes over an 8 by 8 grid."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for y, x, down, right in passes:
        for row in array[y::down, x::right]:
            if row.size:
                rows += b"\0" + row.tobytes()
    return png(array.shape[1], array.shape[0], 8, 2, rows, interlace=1)


def decoding(out):
    def add(name, data, decoded, also=True):
        out[f"file:{name}"] = np.frombuffer(data, np.uint8)
        out[f"decoded:{name}"] = decoded
        if also:
            image = pillow(decoded)
            out[f"rgb:{name}"], out[f"gray:{name}"] = pixels(image.convert("RGB")), pixels(image.convert("L"))

    for name, channels in (("png-gray", 1), ("png-gray-alpha", 2), ("png-rgb", 3), ("png-rgba", 4)):
        array = draw(19, 23, channels, channels)
        add(name, encode(Image.fromarray(array[..., 0] if channels == 1 else array), "PNG"), array)
    rgb = draw(19, 23, 3, 9)
    palette = Image.fromarray(rgb).quantize(17)
    add("png-palette", encode(palette, "PNG"), pixels(palette.convert("RGB")))
    data = encode(palette, "PNG", transparency=3)
    add("png-palette-alpha", data, pixels(Image.open(io.BytesIO(data)).convert("RGBA")))
    bits = Image.fromarray(draw(19, 23, 1, 5)[..., 0]).convert("1")
    add("png-1-bit", encode(bits, "PNG"), pixels(bits.convert("L")))
    wide = np.random.default_rng(3).integers(0, 1 << 16, (7, 9, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    add("png-16-bit-rgb", png(9, 7, 16, 2, rows), (wide >> 8).astype(np.uint8))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide[..., 0])
    add("png-16-bit-gray", png(9, 7, 16, 0, rows), (wide[..., :1] >> 8).astype(np.uint8))
    add("png-interlaced", interlaced(rgb), rgb)
    add("ppm", b"P6\n# a comment\n23 19\n255\n" + rgb.tobytes(), rgb)
    add("pgm-16-bit", b"P5 9 7 65535\n" + wide[..., 0].astype(">u2").tobytes(),
        pixels(Image.fromarray(((wide[..., 0].astype(np.int64) * 255 + 32767) // 65535).astype(np.uint8))))

    for name, mode, options in (
            ("jpeg-420", "RGB", {"subsampling": 2}), ("jpeg-444", "RGB", {"subsampling": 0}),
            ("jpeg-progressive", "RGB", {"progressive": True}), ("jpeg-gray", "L", {}), ("jpeg-cmyk", "CMYK", {})):
        image = Image.fromarray(draw(37, 43, 4 if mode == "CMYK" else 3, 11), "CMYK" if mode == "CMYK" else None)
        data = encode(image if mode == "CMYK" else image.convert(mode), "JPEG", quality=90, **options)
        opened = Image.open(io.BytesIO(data))
        add(name, data, pixels(opened.convert("RGB") if mode == "CMYK" else opened), also=False)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"jpeg-orientation-{orientation}"
        data = encode(Image.fromarray(draw(9, 14, 3, 20)), "JPEG", quality=95, subsampling=0, exif=exif)
        add(name, data, pixels(Image.open(io.BytesIO(data))), also=False)
        out[f"oriented:{name}"] = pixels(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))


def center_crop(image, height, width):
    """torchvision.transforms.functional.center_crop: black borders where the picture is smaller."""
    if image.width < width or image.height < height:
        left, top = max(0, (width - image.width) // 2), max(0, (height - image.height) // 2)
        right, bottom = (max(0, (width - image.width + 1) // 2), max(0, (height - image.height + 1) // 2))
        image = ImageOps.expand(image, (left, top, right, bottom), 0)
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def resampling(out):
    for name, channels in (("rgb", 3), ("gray", 1)):
        array = draw(53, 67, channels, 30 + channels)
        out[f"source:{name}"] = array
        for kind, filter in FILTERS.items():
            for height, width in ((24, 32), (61, 75), (53, 20), (15, 51), (1, 1)):
                resized = pillow(array).resize((width, height), filter)
                out[f"resized:{name}:{kind}:{height}x{width}"] = pixels(resized)
        for height, width in ((32, 32), (31, 40), (64, 80), (20, 90)):
            out[f"cropped:{name}:{height}x{width}"] = pixels(center_crop(pillow(array), height, width))


def short_side(image, side, filter):
    """torchvision.transforms.functional.resize with one number."""
    short, long = sorted(image.size)
    size = (side, side * long // short) if image.width < image.height else (side * long // short, side)
    return image.resize(size, filter)


def normalised(image, scale, mean, std, bgr=False):
    array = pixels(image).astype(np.float64)
    if bgr:
        array = array[..., ::-1]
    return ((array * scale - mean) / std).transpose(2, 0, 1).astype(np.float32)


def presets(out):
    pictures = {"rgb": draw(53, 67, 3, 33), "tall": draw(90, 41, 3, 40)}
    out["source:tall"] = pictures["tall"]
    for name, array in pictures.items():
        image = pillow(array)
        for size in (32,) if name == "rgb" else (27,):
            key = f"3x{size}x{size}"
            photo = center_crop(short_side(image, round(size * 256 / 224), FILTERS["bilinear"]), size, size)
            out[f"tensor:{name}:imagenet:{key}"] = normalised(photo, 1 / 255, IMAGENET_MEAN, IMAGENET_STD)
            out[f"tensor:{name}:imagenet-bgr255:{key}"] = normalised(
                photo, 1, [103.939, 116.779, 123.68], 1, bgr=True)
            photo = center_crop(short_side(image, round(size * 342 / 299), FILTERS["bicubic"]), size, size)
            out[f"tensor:{name}:inception:{key}"] = normalised(photo, 1 / 255, 0.5, 0.5)
        fitted = image.resize((40, 24), FILTERS["bilinear"])
        out[f"tensor:{name}:unit:3x24x40"] = normalised(fitted, 1 / 255, 0, 1)
        out[f"tensor:{name}:none:3x24x40"] = normalised(fitted, 1, 0, 1)
        gray = image.convert("L").resize((40, 24), FILTERS["bilinear"])
        out[f"tensor:{name}:unit:1x24x40"] = normalised(gray, 1 / 255, 0, 1)


def main():
    out = {}
    decoding(out)
    resampling(out)
    presets(out)
    path = Path(__file__).with_name("expected.npz")
    np.savez_compressed(path, **{key: np.ascontiguousarray(value) for key, value in out.items()})
    print(f"{path.name}: {len(out)} arrays, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
