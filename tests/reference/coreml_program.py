#!/usr/bin/env python3
"""coreml_program.py - what a Core ML ML Program must answer, in double precision.

    coreml_program.py MODEL.mlpackage inputs.safetensors want.safetensors [--half]

Reads the file's protocol buffers and weight.bin by itself, makes inputs from a fixed sequence, and computes
operation after operation with numpy, loops as loops and lists as lists: no code, schema or layout is shared with
the plugin. Only what the models of the tests need is there; another operation stops it. What differs from the
result is told by coreml_files.py --compare. With --half what operations read and make is rounded to float16, but for
an epsilon.
"""
import json
import math
import os
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_files import fields, floats, integers, message, number, random_numbers, save, text  # noqa: E402
from coreml_program_numbers import NUMBERS  # noqa: E402
from coreml_program_pictures import PICTURES  # noqa: E402
from coreml_program_places import PLACES  # noqa: E402
from coreml_program_windows import WINDOWS  # noqa: E402

DTYPES = {1: "?", 10: "<f2", 11: "<f4", 12: "<f8", 21: "<i1", 22: "<i2", 23: "<i4", 24: "<i8", 31: "<u1",
          32: "<u2", 33: "<u4", 34: "<u8"}


def entry(data):
    pair = fields(data)
    return text(pair, 1), message(pair, 2)


def entries(parent, field):
    return dict(entry(e) for e in parent.get(field, []))


def signed(values):
    return [v - (1 << 64) if v >= 1 << 63 else v for v in values]


def rounded(x):
    if isinstance(x, list):
        return [rounded(item) for item in x]
    if not isinstance(x, (np.ndarray, np.generic)) or x.dtype.kind != "f":
        return x
    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(np.float64)


LISTS = ("values", "elem_shape", "ref_tensors", "begins", "ends", "end_masks")


class Evaluation:
    half = False

    def __init__(self, package):
        manifest = json.load(open(os.path.join(package, "Manifest.json")))
        items = manifest["itemInfoEntries"]
        self.path = os.path.join(package, "Data", items[manifest["rootModelIdentifier"]]["path"])
        self.model = fields(open(self.path, "rb").read())
        self.files = {}
        self.values = {}

    def blob(self, name, offset):
        path = name.replace("@model_path", os.path.dirname(self.path))
        if path not in self.files:
            self.files[path] = open(path, "rb").read()
        data = self.files[path]
        sentinel, _, size, first = struct.unpack("<IIQQ", data[offset:offset + 24])
        assert sentinel == 0xDEADBEEF
        return data[first:first + size]

    def constant(self, value):
        tensor = message(message(value, 2), 1)
        dims = [number(message(fields(d), 1), 1) for d in tensor.get(3, [])]
        dtype = number(tensor, 1)
        if 5 in value:
            blob = message(value, 5)
            array = np.frombuffer(self.blob(text(blob, 1), number(blob, 2)), DTYPES[dtype])
        else:
            immediate = message(message(value, 3), 1)
            if 4 in immediate:
                return text(message(immediate, 4), 1)
            if 1 in immediate:
                array = floats(message(immediate, 1), 1)
            elif 7 in immediate:
                array = np.frombuffer(message(immediate, 7)[1][0], DTYPES[dtype])
            else:
                array = np.array(signed(integers(message(immediate, 2 if 2 in immediate else 3), 1)), "<i8")
        kind = array.dtype.kind
        return array.astype(np.float64 if kind == "f" else bool if dtype == 1 else np.int64).reshape(dims)

    def argument(self, argument):
        found = []
        for binding in map(fields, argument.get(1, [])):
            found.append(self.values[text(binding, 1)] if 1 in binding
                         else self.constant(message(binding, 2)))
        return found

    def block(self, block):
        for operation in map(fields, block.get(3, [])):
            kind = text(operation, 1)
            inputs = {k: self.argument(a) for k, a in entries(operation, 2).items()}
            if kind.startswith("constexpr_"):
                inputs.update({k: [self.constant(v)] for k, v in entries(operation, 5).items()})
            names = [text(fields(o), 1) for o in operation.get(3, [])]
            if kind == "const":
                results = [self.constant(entries(operation, 5)["val"])]
            elif kind == "while_loop":
                results = self.loop(inputs["loop_vars"], *map(fields, operation[4]))
            elif kind == "cond":
                results = self.block(fields(operation[4][0 if inputs["pred"][0] else 1]))
            else:
                one = {k: v[0] if k not in LISTS else v for k, v in inputs.items()}
                if self.half:
                    one = {k: v if k == "epsilon" else rounded(v) for k, v in one.items()}
                results = OPERATIONS[kind](one, len(names))
                results = rounded(results) if self.half else results
            self.values.update(zip(names, results if isinstance(results, list) else [results]))
        return [self.values[o.decode()] for o in block.get(2, [])]

    def loop(self, variables, condition, body):
        def bind(block, values):
            for item, value in zip(map(fields, block[1]), values):
                self.values[text(item, 1)] = value
        while True:
            bind(condition, variables)
            if not self.block(condition)[0]:
                return list(variables)
            bind(body, variables)
            variables = self.block(body)


def axes_of(i, x):
    return tuple(int(a) for a in i["axes"].reshape(-1)) if "axes" in i else tuple(range(x.ndim))


def index_of(i):
    x, index = i["x"], []
    for axis in range(x.ndim):
        def at(name, default):
            return int(i[name][axis]) if name in i else default
        if at("squeeze_mask", 0):
            index.append(0 if at("begin_mask", 0) else at("begin", 0))
        else:
            index.append(slice(None if at("begin_mask", 0) else at("begin", 0),
                               None if at("end_mask", 0) else at("end", 0), at("stride", 1)))
    return tuple(index)


def slice_update(i, _):
    y = np.array(i["x"])
    y[index_of(i)] = i["update"]
    return y


def reshape(i, _):
    x, shape = i["x"], [int(s) for s in i["shape"]]
    return x.reshape([x.shape[k] if s == 0 else s for k, s in enumerate(shape)])


def matmul(i, _):
    x, y = i["x"], i["y"]
    x = np.swapaxes(x, -1, -2) if i.get("transpose_x") else x
    return x @ (np.swapaxes(y, -1, -2) if i.get("transpose_y") else y)


def split(i, n):
    if "split_sizes" in i:
        return np.split(i["x"], np.cumsum(i["split_sizes"])[:-1], int(i["axis"]))
    return np.split(i["x"], n, int(i["axis"]))


def written(i, _):
    made = list(i["ls"])
    made += [None] * (int(i["index"]) + 1 - len(made))
    made[int(i["index"])] = i["value"]
    return [made]


def scattered(i, _):
    made = list(i["ls"])
    for index, value in zip(i["indices"], i["value"]):
        made += [None] * (int(index) + 1 - len(made))
        made[int(index)] = value
    return [made]


def softmax(i, _):
    axis = int(i.get("axis", -1))
    e = np.exp(i["x"] - i["x"].max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def gelu(i, _):
    x, mode = i["x"], i.get("mode", "EXACT")
    if mode == "EXACT":
        return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    if mode == "TANH_APPROXIMATION":
        return x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    return x / (1 + np.exp(-1.702 * x))


def reduction(function):
    return lambda i, _: function(i["x"], axis=axes_of(i, i["x"]), keepdims=bool(i.get("keep_dims", False)))


def pair(function):
    return lambda i, _: function(i["x"], i["y"])


OPERATIONS = {
    "add": pair(np.add), "sub": pair(np.subtract), "mul": pair(np.multiply), "real_div": pair(np.divide),
    "floor_div": pair(np.floor_divide), "mod": pair(np.mod), "pow": pair(np.power),
    "maximum": pair(np.maximum), "minimum": pair(np.minimum), "less": pair(np.less), "equal": pair(np.equal),
    "greater": pair(np.greater), "greater_equal": pair(np.greater_equal), "not_equal": pair(np.not_equal),
    "less_equal": pair(np.less_equal),
    "relu": lambda i, _: np.maximum(i["x"], 0), "sigmoid": lambda i, _: 1 / (1 + np.exp(-i["x"])),
    "tanh": lambda i, _: np.tanh(i["x"]), "log": lambda i, _: np.log(i["x"] + i.get("epsilon", np.float32(1e-45))),
    "sqrt": lambda i, _: np.sqrt(i["x"]), "rsqrt": lambda i, _: 1 / np.sqrt(i["x"] + i.get("epsilon", 1e-12)),
    "exp": lambda i, _: np.exp(i["x"]), "abs": lambda i, _: np.abs(i["x"]),
    "square": lambda i, _: np.square(i["x"]), "erf": lambda i, _: np.vectorize(math.erf)(i["x"]),
    "leaky_relu": lambda i, _: np.where(i["x"] > 0, i["x"], i.get("alpha", 0.01) * i["x"]),
    "clip": lambda i, _: np.clip(i["x"], i.get("alpha", -np.inf), i.get("beta", np.inf)),
    "identity": lambda i, _: i["x"],
    "select": lambda i, _: np.where(i["cond"], i["a"], i["b"]), "gelu": gelu, "softmax": softmax,
    "reduce_mean": reduction(np.mean), "reduce_sum": reduction(np.sum), "reduce_max": reduction(np.max),
    "reduce_min": reduction(np.min), "matmul": matmul,
    "linear": lambda i, _: i["x"] @ i["weight"].T + i.get("bias", 0), "reshape": reshape,
    "transpose": lambda i, _: i["x"].transpose([int(a) for a in i["perm"]]),
    "expand_dims": lambda i, _: np.expand_dims(i["x"], axes_of(i, i["x"])),
    "squeeze": lambda i, _: np.squeeze(i["x"], axes_of(i, i["x"]) if "axes" in i else None),
    "stack": lambda i, _: np.stack(i["values"], int(i["axis"])), "split": split,
    "slice_by_index": lambda i, _: i["x"][index_of(i)], "slice_update": slice_update,
    "shape": lambda i, _: np.array(i["x"].shape), "tile": lambda i, _: np.tile(i["x"], i["reps"]),
    "fill": lambda i, _: np.full([int(s) for s in i["shape"]], float(i.get("value", 0))),
    "make_list": lambda i, _: [[None] * int(i.get("init_length", 1))],
    "list_read": lambda i, _: i["ls"][int(i["index"])], "list_write": written, "list_scatter": scattered,
    "list_gather": lambda i, _: np.stack([i["ls"][int(k)] for k in i["indices"]]),
    "list_length": lambda i, _: np.array(len(i["ls"])),
    "slice_by_size": lambda i, _: i["x"][tuple(
        slice(int(b), None if n == -1 else int(b) + int(n)) for b, n in zip(i["begin"], i["size"]))],
    "range_1d": lambda i, _: np.arange(i["start"], i["end"], i["step"]),
    **PLACES, **NUMBERS, **PICTURES, **WINDOWS,
}


def run(package, inputs_path, want_path, half=None):
    evaluation = Evaluation(package)
    evaluation.half = half == "--half"
    description, inputs, want = message(evaluation.model, 2), {}, {}
    for feature in map(fields, description[1]):
        name, array = text(feature, 1), message(message(feature, 3), 5)
        shape = integers(array, 1)
        if number(array, 2) == 131104:
            numbers = np.floor(random_numbers(name, shape, 0, 2 if "type" in name else 4)).astype(np.int32)
            inputs[name] = np.ones_like(numbers) if "mask" in name else numbers
        else:
            inputs[name] = random_numbers(name, shape, 0.01, 2)
        evaluation.values[name] = inputs[name].astype(np.float64)
    functions = entries(message(evaluation.model, 502), 2)
    function = functions["main"]
    evaluation.block(entries(function, 3)[text(function, 2)])
    for feature in map(fields, description[10]):
        name, array = text(feature, 1), message(message(feature, 3), 5)
        whole = number(array, 2) == 131104
        want[name] = np.array(evaluation.values[name], np.int32 if whole else np.float32)
        want[name] = want[name].reshape(integers(array, 1) or want[name].shape)
    save(inputs_path, inputs)
    save(want_path, want)


if __name__ == "__main__":
    run(*sys.argv[1:5])
