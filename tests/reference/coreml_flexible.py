#!/usr/bin/env python3
"""coreml_flexible.py - Core ML models whose inputs have several sizes, and what they must answer at each.

    coreml_flexible.py pictures OUT_DIR
    coreml_flexible.py evaluate NAME HEIGHTxWIDTH inputs.safetensors want.safetensors
    coreml_flexible.py bert MODEL_DIR OUT_DIR
    coreml_flexible.py tokens MODEL_DIR LENGTH OUT_DIR
    coreml_flexible.py batch MODEL.mlpackage N inputs.safetensors want.safetensors
    coreml_flexible.py endless OUT_DIR

The first writes a convolutional network as OUT_DIR/NAME/model.mlmodel or model.mlpackage and prints the names: as a network and
as a program, of a picture and of an array, with a range of sizes and with three of them. The second makes inputs of that size
and evaluates the network with numpy. The third writes BERT as a program of 1 to 512 tokens, with the operations on
shapes that converters make of it; the fourth OUT_DIR/native.safetensors and OUT_DIR/coreml.safetensors of so many. The fifth evaluates a program by
coreml_program.py on inputs whose first dimension is N. The last writes a program whose bounds are beyond all memory.
"""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_files import random_numbers, save as save_files  # noqa: E402
from coreml_operations import numbers  # noqa: E402
from coreml_writer import F32, I32, Tensor, Writer, load, put, save, varint  # noqa: E402

LOW, HIGH, DEFAULT = 13, 70, 32
SIZES = [(32, 32), (20, 44), (64, 48)]
NAMES = [f"{kind}-{what}-{sizes}" for kind in ("network", "program") for what in ("picture", "array")
         for sizes in ("range", "sizes")]
WEIGHTS = [numbers(8, 3, 3, 3, low=-0.02, high=0.02), numbers(8), numbers(5, 8, 3, 3, low=-0.3), numbers(5)]


# ---- features

def several(field, values):
    return put(field, b"".join(varint(int(v)) for v in values))


def interval(low, high):
    return put(1, low) + put(2, high)


def array_feature(shape, dtype, ranges=None, shapes=None):
    kind = several(1, shape) + put(2, {F32: 65568, I32: 131104}[dtype])
    if ranges:
        kind += put(31, b"".join(put(1, interval(*r)) for r in ranges))
    if shapes:
        kind += put(21, b"".join(put(1, several(1, s)) for s in shapes))
    return put(5, kind)


def picture_feature(ranges, sizes):
    kind = put(1, DEFAULT) + put(2, DEFAULT) + put(3, 20)
    if sizes:
        return put(4, kind + put(21, b"".join(put(1, put(1, w) + put(2, h)) for h, w in sizes)))
    return put(4, kind + put(31, put(1, interval(*ranges)) + put(2, interval(*ranges))))


def input_feature(name, leading):
    kind, what, sizes = name.split("-")
    several_sizes = SIZES if sizes == "sizes" else None
    if what == "picture":
        return picture_feature((LOW, HIGH), several_sizes)
    shape = leading + [3]
    return array_feature(shape + [DEFAULT, DEFAULT], F32,
                         None if several_sizes else [(s, s) for s in shape] + [(LOW, HIGH)] * 2,
                         several_sizes and [shape + list(s) for s in several_sizes])


# ---- the network: two convolutions, the first with a padding that depends on the size, and the mean of each plane

def extent(size):
    return ((size + 1) // 2 - 2) // 2 + 1 - 2


def network(name, path):
    first, first_bias, second, second_bias = WEIGHTS

    def layer(kind, what, given, made, params):
        return put(1, put(1, what) + put(2, given) + put(3, made) + put(kind, params))

    def convolution(weight, bias, stride, padding):
        def numbers_of(field, array):
            return put(field, put(1, array.astype("<f4").tobytes()))
        out, channels, height, width = weight.shape
        return (put(1, out) + put(2, channels) + put(10, 1) + several(20, [height, width]) + several(30, [stride] * 2) +
                put(padding, b"") + put(70, 1) + numbers_of(90, weight) + numbers_of(91, bias))
    layers = (layer(100, "first", "x", "a", convolution(first, first_bias, 2, 51)) +
              layer(130, "rectified", "a", "b", put(10, b"")) +
              layer(120, "pooled", "b", "c", put(1, 0) + several(10, [2, 2]) + several(20, [2, 2]) + put(30, b"")) +
              layer(100, "second", "c", "map", convolution(second, second_bias, 1, 50)) +
              layer(120, "averaged", "map", "mean", put(1, 1) + put(60, 1)))
    side = extent(DEFAULT)
    features = put(1, put(1, "x") + put(3, input_feature(name, []))) + b"".join(
        put(10, put(1, n) + put(3, array_feature(s, F32))) for n, s in (("map", [5, side, side]), ("mean", [5])))
    with open(os.path.join(path, "model.mlmodel"), "wb") as file:
        file.write(put(1, 3) + put(2, features) + put(500, layers))


def program(name, path):
    first, first_bias, second, second_bias = WEIGHTS
    p = Writer(False)
    open_map = [1, 8, -1, -1]
    x = p.input("x", F32, [1, 3, -1, -1])
    x.feature = input_feature(name, [1])
    x = p.shaped("conv", x, open_map, weight=first, bias=first_bias, strides=[2, 2], pad_type="same", pad=[0] * 4,
                 dilations=[1, 1], groups=1)
    x = p.same("relu", x)
    x = p.shaped("max_pool", x, open_map, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid", pad=[0] * 4,
                 ceil_mode=False)
    x = p.shaped("conv", x, [1, 5, -1, -1], weight=second, bias=second_bias, strides=[1, 1], pad_type="valid",
                 pad=[0] * 4, dilations=[1, 1], groups=1)
    mean = p.shaped("reduce_mean", x, [1, 5], axes=[2, 3], keep_dims=False)
    p.output("map", x)
    p.output("mean", mean)
    for output in p.outputs:
        output.feature = put(5, put(2, 65568))
    p.write(os.path.join(path, "model.mlpackage"))


def pictures(folder):
    for name in NAMES:
        path = os.path.join(folder, name)
        os.makedirs(path, exist_ok=True)
        (network if name.startswith("network") else program)(name, path)
        print(name)


def convolve(x, weight, bias, stride):
    out, _, height, width = weight.shape
    rows, columns = ((s - k) // stride + 1 for s, k in zip(x.shape[1:], (height, width)))
    y = np.zeros((out, rows, columns)) + bias[:, None, None]
    for i in range(height):
        for j in range(width):
            part = x[:, i:i + stride * rows:stride, j:j + stride * columns:stride]
            y += np.tensordot(weight[:, :, i, j].astype(np.float64), part[:, :rows, :columns], 1)
    return y


def evaluate(name, size, inputs_path, want_path):
    height, width = map(int, size.split("x"))
    x = np.floor(random_numbers("x", [1, 3, height, width], 0, 256))
    missing = [(0, 0)] + [(t // 2, t - t // 2) for t in (max(((s + 1) // 2 - 1) * 2 + 3 - s, 0) for s in (height, width))]
    first, first_bias, second, second_bias = WEIGHTS
    y = np.maximum(convolve(np.pad(x[0].astype(np.float64), missing), first, first_bias, 2), 0)
    rows, columns = y.shape[1] // 2, y.shape[2] // 2
    y = y[:, :2 * rows, :2 * columns].reshape(8, rows, 2, columns, 2).max((2, 4))
    y = convolve(y, second, second_bias, 1)
    mean = y.mean((1, 2))
    if name.startswith("program"):
        y, mean = y[None], mean[None]
    elif "array" in name:
        x = x[0]
    save_files(inputs_path, {"x": x})
    save_files(want_path, {"map": y.astype(np.float32), "mean": mean.astype(np.float32)})


# ---- BERT

class Flexible(Writer):
    def pair(self, kind, x, y):  # one of them has the dimensions of the result, unknown ones among them
        y = y if isinstance(y, Tensor) else self.const(y)
        return self.shaped(kind, x, max(x.shape, y.shape, key=len), y=y)


def bert(model, folder):
    config = json.load(open(os.path.join(model, "config.json")))
    w = load(os.path.join(model, "model.safetensors"))
    p = Flexible(False)
    ids, types, mask = (p.input(n, I32, [1, -1]) for n in ("input_ids", "token_type_ids", "attention_mask"))
    for tensor in (ids, types, mask):
        tensor.feature = array_feature([1, 16], I32, [(1, 1), (1, 512)])
    width, heads = config["hidden_size"], config["num_attention_heads"]
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in w else ""

    def norm(x, name):
        return p.same("layer_norm", x, axes=[-1], gamma=w.get(name + ".weight", w.get(name + ".gamma")),
                      beta=w.get(name + ".bias", w.get(name + ".beta")), epsilon=np.float32(config["layer_norm_eps"]))

    def table(name, rows):
        return p.operation("gather", [(F32, [1, -1, width])], axis=0, indices=rows,
                           x=w[f"{prefix}embeddings.{name}_embeddings.weight"])[0]

    length = p.operation("gather", [(I32, [])], x=p.operation("shape", [(I32, [2])], x=ids)[0], indices=1, axis=0)[0]

    def shape(*sizes):
        return p.operation("concat", [(I32, [len(sizes)])], axis=0, interleave=False, values=[
            s if s is length else p.const(s) for s in sizes])[0]

    def split(x):
        x = p.operation("reshape", [(F32, [1, -1, heads, width // heads])], x=x,
                        shape=shape(1, length, heads, width // heads))[0]
        return p.transpose(x, [0, 2, 1, 3])

    hidden = p.pair("mul", p.pair("sub", p.const(np.float32(1)), p.cast(mask, F32)), np.float32(-1e4))
    hidden = p.shaped("expand_dims", hidden, [1, 1, 1, -1], axes=[1, 2])
    positions = p.operation("slice_by_index", [(F32, [-1, width])], end=shape(length, width), begin=[0, 0],
                            x=p.const(w[prefix + "embeddings.position_embeddings.weight"]))[0]
    x = p.pair("add", p.pair("add", table("word", ids), table("token_type", types)), positions)
    x = norm(x, prefix + "embeddings.LayerNorm")
    for i in range(config["num_hidden_layers"]):
        name = f"{prefix}encoder.layer.{i}."

        def dense(x, part):
            return p.linear(x, w[f"{name}{part}.weight"], w[f"{name}{part}.bias"])
        q, k, v = (split(dense(x, f"attention.self.{part}")) for part in ("query", "key", "value"))
        q = p.pair("mul", q, np.float32((width // heads) ** -0.5))
        scores = p.shaped("matmul", q, [1, heads, -1, -1], y=k, transpose_x=False, transpose_y=True)
        scores = p.same("softmax", p.pair("add", scores, hidden), axis=-1)
        context = p.transpose(p.shaped("matmul", scores, q.shape, y=v, transpose_x=False, transpose_y=False), [0, 2, 1, 3])
        context = p.operation("reshape", [(F32, [1, -1, width])], x=context, shape=shape(1, length, width))[0]
        x = norm(p.pair("add", dense(context, "attention.output.dense"), x), name + "attention.output.LayerNorm")
        inner = p.same("gelu", dense(x, "intermediate.dense"), mode="EXACT")
        x = norm(p.pair("add", dense(inner, "output.dense"), x), name + "output.LayerNorm")
    p.output("last_hidden_state", x)
    p.outputs[0].feature = put(5, put(2, 65568))
    os.makedirs(folder, exist_ok=True)
    p.write(os.path.join(folder, "model.mlpackage"))


def tokens(model, length, folder):
    config, length = json.load(open(os.path.join(model, "config.json"))), int(length)
    random = np.random.RandomState(length)
    inputs = {"input_ids": random.randint(0, config["vocab_size"], (1, length)),
              "token_type_ids": random.randint(0, config["type_vocab_size"], (1, length)),
              "attention_mask": (np.arange(length) < (length + 1) // 2 + length // 4)[None]}
    save(os.path.join(folder, "native.safetensors"), {k: v.astype(np.int64) for k, v in inputs.items()})
    save(os.path.join(folder, "coreml.safetensors"), {k: v.astype(np.int32) for k, v in inputs.items()})


def batch(model, n, inputs_path, want_path):
    import coreml_program
    coreml_program.random_numbers = lambda name, shape, low, high: random_numbers(name, [int(n)] + list(shape)[1:], low, high)
    coreml_program.run(model, inputs_path, want_path)


def endless(folder):
    p = Writer(False)
    x = p.input("x", F32, [-1, -1])
    x.feature = array_feature([3, 4], F32, [(1, 1 << 62), (2, 1 << 30)])
    p.output("y", p.same("relu", x))
    p.outputs[0].feature = array_feature([], F32)
    p.write(os.path.join(folder, "model.mlpackage"))


if __name__ == "__main__":
    {"pictures": pictures, "evaluate": evaluate, "bert": bert, "tokens": tokens, "batch": batch,
     "endless": endless}[sys.argv[1]](*sys.argv[2:])
