"""coreml_writer.py - ML Programs as files: protocol buffers and weight.bin, written by hand from the format's field numbers."""
import json
import os
import struct

import numpy as np

BOOL, STRING, F16, F32, I8, I32, U8, U32 = 1, 2, 10, 11, 21, 23, 31, 33
STORED = {F16: 1, F32: 2, U8: 3, I8: 4, U32: 15}  # weight.bin counts otherwise
NUMPY = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U8": np.uint8}


def load(path):
    data = open(path, "rb").read()
    n, = struct.unpack("<Q", data[:8])
    found = {}
    for name, e in json.loads(data[8:8 + n]).items():
        if name != "__metadata__":
            first, end = e["data_offsets"]
            found[name] = np.frombuffer(data[8 + n + first:8 + n + end],
                                        NUMPY[e["dtype"]]).reshape(e["shape"])
    return found


def save(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": {"f4": "F32", "i4": "I32", "i8": "I64"}[array.dtype.str[1:]],
                        "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + data)


def numbers(*shape, low=-1.0, high=1.0):
    n = int(np.prod(shape))
    values = (np.arange(n) * 7919 + 13) % 211 / 211
    return (low + (high - low) * values).astype(np.float32).reshape(shape)


# ---- protocol buffers

def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def put(field, value):
    if isinstance(value, int):
        return varint(field << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor_type(dtype, shape):
    dims = b"".join(put(3, put(1, put(1, d)) if d >= 0 else put(2, b"")) for d in shape)  # -1: unknown
    return put(1, put(1, dtype) + put(2, len(shape)) + dims)


def entry(field, key, value):
    return put(field, put(1, key) + put(2, value))


class Tensor:
    def __init__(self, name, dtype, shape):
        self.name, self.dtype, self.shape = name, dtype, list(shape)
        self.feature = None  # a FeatureType that is no array


class Writer:
    def __init__(self, half):
        self.float = F16 if half else F32
        self.operations, self.blobs, self.n_blobs, self.n_names = [], bytearray(), 0, 0
        self.inputs, self.outputs = [], []
        self.predicted = b""  # names of a classifier's outputs

    def name(self, kind):
        self.n_names += 1
        return f"{kind}_{self.n_names}"

    def blob(self, array, dtype):
        raw = array.tobytes()
        at = 64 + len(self.blobs)
        self.blobs += struct.pack("<IIQQ", 0xDEADBEEF, STORED[dtype], len(raw), at + 64).ljust(64, b"\0")
        self.blobs += raw + b"\0" * (-len(raw) % 64)
        self.n_blobs += 1
        return put(5, put(1, "@model_path/weights/weight.bin") + put(2, at))

    def value(self, value):
        """A constant: text, truths, whole numbers, or an array of floats."""
        if isinstance(value, str):
            return put(2, tensor_type(STRING, [])) + put(3, put(1, put(4, put(1, value)))), STRING, []
        whole = np.asarray(value)
        if whole.dtype.kind in "bi":
            dtype, member = (BOOL, 3) if whole.dtype.kind == "b" else (I32, 2)
            packed = b"".join(varint(int(v)) for v in whole.reshape(-1))
            return put(2, tensor_type(dtype, whole.shape)) + put(3, put(1, put(member, put(1, packed)))), dtype, whole.shape
        array = np.asarray(value, np.float16 if self.float == F16 else np.float32)
        kind = put(2, tensor_type(self.float, array.shape))
        if array.size >= 10:
            return kind + self.blob(array, self.float), self.float, array.shape
        member = 7 if self.float == F16 else 1
        return kind + put(3, put(1, put(member, put(1, array.tobytes())))), self.float, array.shape

    def stored(self, array, dtype):
        """A constant in weight.bin, whatever its size."""
        return put(2, tensor_type(dtype, array.shape)) + self.blob(array, dtype)

    def const(self, value):
        encoded, dtype, shape = self.value(value)
        name = self.name("const")
        self.operations.append(put(1, "const") + put(3, put(1, name) + put(2, tensor_type(dtype, shape)))
                               + entry(5, "name", self.value(name)[0]) + entry(5, "val", encoded))
        return Tensor(name, dtype, shape)

    def operation(self, kind, outputs, **inputs):
        """outputs: (dtype, shape) of each."""
        made = [Tensor(self.name(kind), dtype, shape) for dtype, shape in outputs]
        arguments = b""
        for key, value in inputs.items():
            several = isinstance(value, list) and len(value) > 0 and isinstance(value[0], Tensor)
            tensors = [v if isinstance(v, Tensor) else self.const(v) for v in (value if several else [value])]
            arguments += entry(2, key, b"".join(put(1, put(1, t.name)) for t in tensors))
        self.operations.append(put(1, kind) + arguments + b"".join(
            put(3, put(1, t.name) + put(2, tensor_type(t.dtype, t.shape))) for t in made))
        return made

    def same(self, kind, x, **inputs):
        return self.operation(kind, [(x.dtype, x.shape)], x=x, **inputs)[0]

    def shaped(self, kind, x, to, /, **inputs):
        return self.operation(kind, [(x.dtype, to)], x=x, **inputs)[0]

    def pair(self, kind, x, y):
        y = y if isinstance(y, Tensor) else self.const(y)
        return self.shaped(kind, x, np.broadcast_shapes(x.shape, y.shape), y=y)

    def reshape(self, x, shape):
        return self.shaped("reshape", x, shape, shape=list(shape))

    def transpose(self, x, perm):
        return self.shaped("transpose", x, [x.shape[p] for p in perm], perm=list(perm))

    def linear(self, x, weight, bias):
        return self.shaped("linear", x, x.shape[:-1] + [len(weight)], weight=weight, bias=bias)

    def cast(self, x, dtype):
        if x.dtype == dtype:
            return x
        return self.operation("cast", [(dtype, x.shape)], x=x,
                              dtype={F16: "fp16", F32: "fp32", I32: "int32"}[dtype])[0]

    def input(self, name, dtype, shape):
        self.inputs.append(Tensor(name, dtype, shape))
        return self.inputs[-1]

    def output(self, name, x):
        made = self.same("identity", self.cast(x, F32))
        self.operations[-1] = self.operations[-1].replace(put(3, put(1, made.name) + put(2, tensor_type(
            F32, made.shape))), put(3, put(1, name) + put(2, tensor_type(F32, made.shape))))
        self.outputs.append(Tensor(name, F32, made.shape))

    def model(self):
        """The Model message."""
        def named(tensors):
            return b"".join(put(1, put(1, t.name) + put(2, tensor_type(t.dtype, t.shape))) for t in tensors)

        def features(field, tensors):
            dtypes = {F32: 65568, I32: 131104}
            return b"".join(put(field, put(1, t.name) + put(3, t.feature or put(5, put(1, b"".join(
                varint(d) for d in t.shape)) + put(2, dtypes[t.dtype])))) for t in tensors)
        block = b"".join(put(2, t.name) for t in self.outputs) + b"".join(put(3, o) for o in self.operations)
        function = named(self.inputs) + put(2, "CoreML5") + entry(3, "CoreML5", block)
        return put(1, 6) + put(2, features(1, self.inputs) + features(10, self.outputs)
                                + self.predicted) + put(
            502, put(1, 1) + entry(2, "main", function))

    def write(self, folder, model=None):
        """A package; `model`: another message whose weights these are."""
        data = os.path.join(folder, "Data", "com.apple.CoreML")
        os.makedirs(os.path.join(data, "weights"), exist_ok=True)
        open(os.path.join(data, "model.mlmodel"), "wb").write(
            model or self.model())
        open(os.path.join(data, "weights", "weight.bin"), "wb").write(
            struct.pack("<II", self.n_blobs, 2).ljust(64, b"\0") + self.blobs)
        json.dump({"fileFormatVersion": "1.0.0", "rootModelIdentifier": "1", "itemInfoEntries": {
            "1": {"author": "com.apple.CoreML", "name": "model.mlmodel", "description": "",
                  "path": "com.apple.CoreML/model.mlmodel"},
            "2": {"author": "com.apple.CoreML", "name": "weights", "description": "",
                  "path": "com.apple.CoreML/weights"}}}, open(os.path.join(folder, "Manifest.json"), "w"))
