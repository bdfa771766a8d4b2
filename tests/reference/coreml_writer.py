#!/usr/bin/env python3
"""coreml_writer.py - BERT, ResNet-50 and LSTM models as ML Programs, to compare with the plugins of their own.

    coreml_writer.py MODEL_DIR REFERENCE.safetensors|BATCHxTOKENS fp32|fp16|scores OUT_DIR
    coreml_writer.py --compare NATIVE.safetensors COREML.safetensors INPUTS.safetensors fp32|fp16
    coreml_writer.py --nearer HALF.safetensors SINGLE.safetensors WANT.safetensors

The first writes OUT_DIR/model.mlpackage out of MODEL_DIR/{config.json, model.safetensors}, and the inputs of the
reference (or ids of 1 in that shape) for the model's own plugin (native.safetensors) and for the program
(coreml.safetensors). The program is what converters make of the architecture; its protocol buffers and weight.bin are
written by hand. `scores` is BERT in fp32 up to the first scores of its attention, where nothing has been fused yet.
The second compares outputs of the same name: at most 1e-4 apart, or, of fp16, cosine 0.9999 or more; rows of
tokens that the mask hides are left out. The third fails unless outputs in emulated float16 are float16 numbers, and at
most a tenth as far from what float16 makes as those in float32 are.
"""
import json
import os
import struct
import sys

import numpy as np

BOOL, STRING, F16, F32, I32 = 1, 2, 10, 11, 23
STORED = {F16: 1, F32: 2}  # weight.bin counts otherwise
NUMPY = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32}


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
        self.operations, self.blobs, self.n_blobs, self.n_names = [], b"", 0, 0
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

    def write(self, folder):
        def named(tensors):
            return b"".join(put(1, put(1, t.name) + put(2, tensor_type(t.dtype, t.shape))) for t in tensors)

        def features(field, tensors):
            dtypes = {F32: 65568, I32: 131104}
            return b"".join(put(field, put(1, t.name) + put(3, t.feature or put(5, put(1, b"".join(
                varint(d) for d in t.shape)) + put(2, dtypes[t.dtype])))) for t in tensors)
        block = b"".join(put(2, t.name) for t in self.outputs) + b"".join(put(3, o) for o in self.operations)
        function = named(self.inputs) + put(2, "CoreML5") + entry(3, "CoreML5", block)
        model = put(1, 6) + put(2, features(1, self.inputs) + features(10, self.outputs)
                                + self.predicted) + put(
            502, put(1, 1) + entry(2, "main", function))
        data = os.path.join(folder, "Data", "com.apple.CoreML")
        os.makedirs(os.path.join(data, "weights"), exist_ok=True)
        open(os.path.join(data, "model.mlmodel"), "wb").write(model)
        open(os.path.join(data, "weights", "weight.bin"), "wb").write(
            struct.pack("<II", self.n_blobs, 2).ljust(64, b"\0") + self.blobs)
        json.dump({"fileFormatVersion": "1.0.0", "rootModelIdentifier": "1", "itemInfoEntries": {
            "1": {"author": "com.apple.CoreML", "name": "model.mlmodel", "description": "",
                  "path": "com.apple.CoreML/model.mlmodel"},
            "2": {"author": "com.apple.CoreML", "name": "weights", "description": "",
                  "path": "com.apple.CoreML/weights"}}}, open(os.path.join(folder, "Manifest.json"), "w"))


# ---- architectures

def bert(p, config, w, inputs):
    ids, types = (p.input(n, I32, inputs[n].shape) for n in ("input_ids", "token_type_ids"))
    mask = p.input("attention_mask", I32, ids.shape)
    batch, length = ids.shape
    width, heads = config["hidden_size"], config["num_attention_heads"]
    eps = p.const(np.float32(max(config["layer_norm_eps"], 1e-7 if p.float == F16 else 0)))
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in w else ""

    def norm(x, name):
        return p.same("layer_norm", x, axes=[-1], gamma=w.get(name + ".weight", w.get(name + ".gamma")),
                      beta=w.get(name + ".bias", w.get(name + ".beta")), epsilon=eps)

    def table(name, rows):
        return p.operation("gather", [(p.float, rows.shape + [width])], axis=0, indices=rows,
                           x=w[f"{prefix}embeddings.{name}_embeddings.weight"])[0]

    def split(x):
        return p.transpose(p.reshape(x, [batch, length, heads, width // heads]), [0, 2, 1, 3])

    hidden = p.pair("sub", p.const(np.float32(1)), p.cast(mask, p.float))
    hidden = p.reshape(p.pair("mul", hidden, np.float32(-1e4)), [batch, 1, 1, length])
    x = p.pair("add", table("word", ids), table("token_type", types))
    x = p.pair("add", x, w[prefix + "embeddings.position_embeddings.weight"][:length])
    x = norm(x, prefix + "embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        name = f"{prefix}encoder.layer.{i}."

        def dense(x, part):
            return p.linear(x, w[f"{name}{part}.weight"], w[f"{name}{part}.bias"])
        q, k, v = (split(dense(x, f"attention.self.{part}")) for part in ("query", "key", "value"))
        q = p.pair("mul", q, np.float32((width // heads) ** -0.5))
        scores = p.shaped("matmul", q, [batch, heads, length, length], y=k, transpose_y=True)
        scores = p.pair("add", scores, hidden)
        if config["scores_alone"]:
            p.output("scores", scores)
            return
        scores = p.same("softmax", scores, axis=-1)
        context = p.transpose(p.shaped("matmul", scores, q.shape, y=v), [0, 2, 1, 3])
        context = dense(p.reshape(context, [batch, length, width]), "attention.output.dense")
        x = norm(p.pair("add", context, x), name + "attention.output.LayerNorm")
        inner = p.same("gelu", dense(x, "intermediate.dense"), mode="EXACT")
        x = norm(p.pair("add", dense(inner, "output.dense"), x), name + "output.LayerNorm")
    p.output("last_hidden_state", x)


def resnet(p, config, w, inputs):
    x = p.cast(p.input("pixel_values", F32, inputs["pixel_values"].shape), p.float)

    def conv(x, name, stride, relu=True):
        weight = w[name + ".convolution.weight"]
        out, _, kernel, _ = weight.shape
        pad = kernel // 2
        size = [(s + 2 * pad - kernel) // stride + 1 for s in x.shape[2:]]
        x = p.shaped("conv", x, [x.shape[0], out] + size, weight=weight, strides=[stride] * 2,
                     pad_type="custom", pad=[pad] * 4, dilations=[1, 1], groups=1)
        n = name + ".normalization."
        x = p.same("batch_norm", x, mean=w[n + "running_mean"], variance=w[n + "running_var"],
                   gamma=w[n + "weight"], beta=w[n + "bias"], epsilon=np.float32(1e-5))
        return p.same("relu", x) if relu else x

    x = conv(x, "resnet.embedder.embedder", 2)
    x = p.shaped("max_pool", x, x.shape[:2] + [(s - 1) // 2 + 1 for s in x.shape[2:]], kernel_sizes=[3, 3],
                 strides=[2, 2], pad_type="custom", pad=[1] * 4, ceil_mode=False)
    for s, depth in enumerate(config["depths"]):
        for d in range(depth):
            name = f"resnet.encoder.stages.{s}.layers.{d}."
            stride = 2 if d == 0 and (s > 0 or config["downsample_in_first_stage"]) else 1
            rest = conv(x, name + "shortcut", stride, False) if d == 0 else x
            x = conv(conv(x, name + "layer.0", 1), name + "layer.1", stride)
            x = p.same("relu", p.pair("add", conv(x, name + "layer.2", 1, False), rest))
    x = p.shaped("reduce_mean", x, x.shape[:2], axes=[2, 3], keep_dims=False)
    p.output("logits", p.linear(x, w["classifier.1.weight"], w["classifier.1.bias"]))


def lstm(p, config, w, inputs):
    ids = p.input("input_ids", I32, inputs["input_ids"].shape)
    batch, length = ids.shape
    n = config["hidden_size"]
    x = p.operation("gather", [(p.float, ids.shape + [config["input_size"]])], axis=0, indices=ids,
                    x=w["embed.weight"])[0]
    x = p.transpose(x, [1, 0, 2])
    prefix = next(k for k in w if k.endswith("weight_ih_l0"))[:-len("weight_ih_l0")]

    def gates(array):  # torch's i, f, g, o as i, f, o, z
        return np.concatenate([array[:2 * n], array[3 * n:], array[2 * n:3 * n]])

    for layer in range(config["num_layers"]):
        part = {k: gates(w[f"{prefix}{k}_l{layer}"]) for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        zero = np.zeros((batch, n), np.float32)
        state = (p.float, [batch, n])
        x = p.operation("lstm", [(p.float, [length, batch, n]), state, state], x=x, initial_h=zero,
                        initial_c=zero, weight_ih=part["weight_ih"], weight_hh=part["weight_hh"],
                        bias=part["bias_ih"] + part["bias_hh"], direction="forward", output_sequence=True)[0]
    x = p.transpose(x, [1, 0, 2])
    p.output("logits", p.linear(x, w["head.weight"], w["head.bias"]) if "head.weight" in w else x)


INPUTS = {"bert": (bert, ["input_ids", "token_type_ids", "attention_mask"]),
          "resnet": (resnet, ["pixel_values"]), "lstm": (lstm, ["input_ids"])}


def write(model, reference, precision, folder):
    config = json.load(open(os.path.join(model, "config.json")))
    config["scores_alone"] = precision == "scores"
    make, names = INPUTS[config["model_type"]]
    if os.path.exists(reference):
        inputs = {name: load(reference)[name] for name in names}
    else:
        inputs = {name: np.ones([int(n) for n in reference.split("x")], np.int64) for name in names}
    program = Writer(precision == "fp16")
    make(program, config, load(os.path.join(model, "model.safetensors")), inputs)
    os.makedirs(folder, exist_ok=True)
    program.write(os.path.join(folder, "model.mlpackage"))
    save(os.path.join(folder, "native.safetensors"), inputs)
    save(os.path.join(folder, "coreml.safetensors"),
         {k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in inputs.items()})


def compare(native_path, found_path, inputs_path, precision):
    native, inputs = load(native_path), load(inputs_path)
    bad = False
    for name, found in load(found_path).items():
        x, y = found.astype(np.float64), native[name].astype(np.float64)
        if "attention_mask" in inputs:
            x, y = (v[inputs["attention_mask"] != 0] for v in (x, y))
        error = np.max(np.abs(x - y)) if x.shape == y.shape else np.inf
        cosine = np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y)) if x.shape == y.shape else 0
        print(f"{name} {list(x.shape)}: {error:.2e} apart, cosine {cosine:.8f}")
        bad = bad or not (cosine >= 0.9999 if precision == "fp16" else error <= 1e-4)
    return 1 if bad else 0


def nearer(half_path, single_path, want_path):
    half, single, bad = load(half_path), load(single_path), False
    for name, want in load(want_path).items():
        near, far = (np.sqrt(np.mean((x[name].astype(np.float64) - want) ** 2)) for x in (half, single))
        whole = np.array_equal(half[name], half[name].astype(np.float16).astype(np.float32))
        print(f"{name}: {near:.2e} from float16, float32 is {far:.2e}; its own numbers: {whole}")
        bad = bad or not (whole and near <= far / 10)
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1] == "--nearer":
        sys.exit(nearer(*sys.argv[2:5]))
    if sys.argv[1] == "--compare":
        sys.exit(compare(*sys.argv[2:6]))
    write(*sys.argv[1:5])
