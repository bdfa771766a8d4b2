#!/usr/bin/env python3
"""coreml_files.py - what the evaluations of Core ML models share: protocol buffers, numbers to begin with, safetensors.

    coreml_files.py --compare FOUND.safetensors want.safetensors TOLERANCE
    coreml_files.py --as U8|I32 inputs.safetensors SAME.safetensors

The first fails unless each output differs by at most TOLERANCE of its largest number; of whole numbers (classes of
pixels) 1 in 10,000 may differ, where two classes are as good, and there must be several, or nothing would be compared.
The second writes inputs in another dtype.
"""
import json
import struct
import sys
import zlib

import numpy as np


# ---- protocol buffers: {field: [values]}

def varint(data, i):
    value = shift = 0
    while True:
        byte = data[i]
        i += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, i


def fields(data):
    found, i = {}, 0
    while i < len(data):
        tag, i = varint(data, i)
        kind = tag & 7
        if kind == 0:
            value, i = varint(data, i)
        elif kind == 2:
            n, i = varint(data, i)
            value, i = data[i:i + n], i + n
        else:
            n = 8 if kind == 1 else 4
            value, i = struct.unpack("<d" if kind == 1 else "<f", data[i:i + n])[0], i + n
        found.setdefault(tag >> 3, []).append(value)
    return found


def message(parent, field):
    return fields(parent[field][0]) if field in parent else {}


def text(parent, field):
    return parent[field][0].decode() if field in parent else ""


def number(parent, field, fallback=0):
    return parent[field][0] if field in parent else fallback


def integers(parent, field, fallback=()):
    found = []
    for value in parent.get(field, []):
        if isinstance(value, int):
            found.append(value)
            continue
        i = 0
        while i < len(value):
            one, i = varint(value, i)
            found.append(one)
    return found or list(fallback)


def floats(parent, field):
    found = [np.frombuffer(v, "<f4") if isinstance(v, bytes) else np.array([v], "<f4")
             for v in parent.get(field, [])]
    return np.concatenate(found) if found else np.zeros(0, "<f4")


def random_numbers(name, shape, low, high):
    """Others for each name: inputs that changed places would go unnoticed."""
    return np.random.RandomState(zlib.crc32(name.encode())).uniform(low, high, shape).astype(np.float32)


def save(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        dtype = {"f": "F32", "i": "I32", "u": "U8"}[array.dtype.kind]
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + data)


def load(path):
    data = open(path, "rb").read()
    n, = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8:8 + n]).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        dtype = {"F32": "<f4", "I32": "<i4"}[entry["dtype"]]
        found[name] = np.frombuffer(data[8 + n + first:8 + n + end], dtype).reshape(entry["shape"])
    return found


def compare(found_path, want_path, tolerance):
    found, want = load(found_path), load(want_path)
    bad = sorted(found) != sorted(want)
    for name, y in want.items():
        x = found.get(name)
        if x is None or x.shape != y.shape or x.dtype != y.dtype:
            print(f"{name}: {None if x is None else (x.shape, x.dtype)}, want {y.shape, y.dtype}")
            bad = True
        elif y.dtype.kind == "i":
            share = np.mean(x != y)
            classes = len(np.unique(y))
            print(f"{name}: {share:.2e} of {y.size} whole numbers differ; {classes} are wanted")
            bad = bad or not share <= 1e-4 or (classes == 1 and y.size > 1)
        else:
            finite = np.isfinite(y)
            same = np.array_equal(x[~finite], y[~finite], equal_nan=True)
            largest = np.max(np.abs(y[finite]), initial=0)
            error = np.max(np.abs(x[finite].astype(float) - y[finite]), initial=0) / (largest or 1)
            print(f"{name}: {error:.2e} of the largest of {y.size} numbers; infinities and NaN agree: {same}")
            bad = bad or not same or not error <= tolerance
    return 1 if bad else 0


def convert(dtype, inputs_path, path):
    save(path, {name: array.astype({"U8": np.uint8, "I32": np.int32}[dtype])
                for name, array in load(inputs_path).items()})


if __name__ == "__main__":
    if sys.argv[1] == "--as":
        convert(*sys.argv[2:5])
        sys.exit()
    sys.exit(compare(sys.argv[2], sys.argv[3], float(sys.argv[4])))
