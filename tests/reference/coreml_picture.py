#!/usr/bin/env python3
"""coreml_picture.py - a file of a picture for Core ML models, and what a classifier that sees each pixel must answer.

    coreml_picture.py rgb|bgr|gray MODEL.mlmodel PICTURE.png
    coreml_picture.py --png INPUTS.safetensors PICTURE.png
    coreml_picture.py --check rgb|bgr|gray ANSWER.json
    coreml_picture.py --same OUTPUT WANT.safetensors ANSWER.json

The first writes a model whose classes are the numbers of a picture (channel, row, column), and whose probabilities are the
softmax of these; and a picture of its size. The second writes the one input, bytes [1, C, H, W], as a picture. The others
fail unless the answer of `modelhost run --image --top-k 100 --json` has the score of each class: of that model, or those of a vector.
"""
import json
import struct
import sys
import zlib

import numpy as np

from coreml_writer import load, put

COLORS = {"gray": (10, [0]), "rgb": (20, [0, 1, 2]), "bgr": (30, [2, 1, 0])}
PIXELS = np.random.RandomState(5).randint(0, 256, (3, 4, 3)).astype(np.uint8)  # rows, columns, red green blue


def write_png(path, pixels):
    """Of 8 bits: (rows, columns) is gray, (rows, columns, 3) red, green and blue."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def planes(color):
    """(C, H, W) as the model sees the picture; gray by ITU-R 601-2 luma."""
    if color == "gray":
        return ((PIXELS.astype(np.int64) @ [19595, 38470, 7471] + 0x8000) >> 16)[None].astype(np.float64)
    return PIXELS[..., COLORS[color][1]].transpose(2, 0, 1).astype(np.float64)


def labels(color):
    return ["%d %d %d" % place for place in np.ndindex(planes(color).shape)]


def model(color, path):
    height, width, _ = PIXELS.shape
    image = put(4, b"".join(put(field, number) for field, number in ((1, width), (2, height), (3, COLORS[color][0]))))
    linear = put(130, put(5, struct.pack("<BfBf", 0x0d, 1 / 64, 0x15, 0)))
    layers = (put(1, put(1, "scaled") + put(2, "picture") + put(3, "small") + linear)
              + put(1, put(1, "flat") + put(2, "small") + put(3, "row") + put(301, b""))
              + put(1, put(1, "softmax") + put(2, "row") + put(3, "chances") + put(175, b"")))
    classes = put(100, b"".join(put(1, label) for label in labels(color)))
    description = (put(1, put(1, "picture") + put(3, image)) + put(10, put(1, "label") + put(3, put(3, b"")))
                   + put(10, put(1, "chances") + put(3, put(6, put(2, b"")))) + put(11, "label") + put(12, "chances"))
    with open(path, "wb") as file:
        file.write(put(1, 3) + put(2, description) + put(403, layers + classes))


def compare(answer, names, want):
    (said,) = json.load(open(answer))
    assert [label["score"] for label in said] == sorted((label["score"] for label in said), reverse=True), said
    assert sorted(label["index"] for label in said) == list(range(len(want))), said
    for label in said:
        assert names is None or label["label"] == names[label["index"]], label
        assert abs(label["score"] - want[label["index"]]) < 1e-6, (label, want[label["index"]])


if __name__ == "__main__":
    if sys.argv[1] == "--png":
        (tensor,) = load(sys.argv[2]).values()
        write_png(sys.argv[3], tensor[0, 0] if tensor.shape[1] == 1 else tensor[0].transpose(1, 2, 0))
    elif sys.argv[1] == "--check":
        powers = np.exp(planes(sys.argv[2]).ravel() / 64)
        compare(sys.argv[3], labels(sys.argv[2]), powers / powers.sum())
    elif sys.argv[1] == "--same":
        compare(sys.argv[4], None, load(sys.argv[3])[sys.argv[2]].ravel())
    else:
        model(*sys.argv[1:3])
        write_png(sys.argv[3], PIXELS)
