#!/usr/bin/env python3
"""coreml_layers.py - small NeuralNetworks, each a family of layers in many forms. Those to be refused are in
coreml_layers_refused.py.

    coreml_layers.py families OUT_DIR
    coreml_layers.py evaluate MODEL.mlmodel inputs.safetensors want.safetensors

The first writes OUT_DIR/NAME/model.mlmodel for each and prints the names. The second evaluates a family by
coreml_layers_numpy.py.
"""
import os
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_files import fields, integers, message, number, random_numbers, save, text  # noqa: E402
from coreml_layers_numpy import evaluate, preprocessed  # noqa: E402
from coreml_writer import numbers, put, varint  # noqa: E402


def real(field, value):
    return varint(field << 3 | 5) + struct.pack("<f", value)


def several(field, values):
    return put(field, b"".join(varint(int(v)) for v in values))


def weights(field, array):
    return put(field, put(1, np.ascontiguousarray(array, "<f4").tobytes()))


class Network:
    """Every result is an output; blobs are exact, or parts of five dimensions."""

    def __init__(self, exact=True):
        self.exact, self.n = exact, 0
        self.layers, self.inputs, self.outputs, self.preprocessing = b"", b"", b"", b""

    def feature(self, name, shape):
        return put(1, name) + put(3, put(5, several(1, shape) + put(2, 65568)))

    def input(self, name, *shape):
        self.inputs += put(1, self.feature(name, shape))
        return name

    def picture(self, name, color, height, width):
        self.inputs += put(1, put(1, name) + put(3, put(4, put(1, width) + put(2, height) + put(3, color))))
        return name

    def preprocess(self, name, step):
        self.preprocessing += put(2, put(1, name) + step)

    def make(self, kind, inputs, params=b"", n=1):
        made = []
        for _ in range(n):
            self.n += 1
            made.append(f"y{self.n:02}")
        names = put(1, f"layer {self.n}") + b"".join(put(2, i) for i in inputs) + b"".join(put(3, m) for m in made)
        self.layers += put(1, names + put(kind, params))
        return made

    def add(self, kind, inputs, params=b"", n=1):
        for made in self.make(kind, inputs, params, n):
            self.outputs += put(10, self.feature(made, []))

    def model(self):
        """The Model message."""
        network = self.layers + self.preprocessing + put(5, int(self.exact)) + put(6, int(self.exact))
        return put(1, 4) + put(2, self.inputs + self.outputs) + put(500, network)

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.model())


# ---- layers on maps

def norms(p):
    x, y = p.input("x", 2, 6, 3, 4), p.input("y", 5, 2, 3)
    for shape in (x, y):
        p.add(165, [shape], put(1, 1) + put(2, 1))
        p.add(165, [shape], put(2, 1) + real(3, 0.25))
        p.add(165, [shape])
        p.add(170, [shape], real(1, 0.5))
        p.add(180, [shape], real(1, 0.5) + real(2, 0.75) + put(3, 3) + real(4, 2))
    p.add(160, [x], put(1, 6) + put(5, 1) + put(6, 1) + real(10, 1e-3) + weights(15, numbers(6)) +
          weights(16, numbers(6)))


def odd_windows(p):
    """As many numbers as steps: of an odd number that is padded one side has more, by default the one behind."""
    x = p.input("x", 2, 4, 7, 6)
    for side in (b"", put(1, 0), put(1, 1)):
        for stride in ([1, 1], [3, 4]):
            p.add(100, [x], put(1, 5) + put(2, 4) + several(20, [2, 5]) + several(30, stride) + put(51, side) +
                  weights(90, numbers(5, 4, 2, 5)))
            for kind in (0, 1, 2):
                p.add(120, [x], put(1, kind) + several(10, [4, 5]) + several(20, stride) + put(31, side) +
                      put(50, 1))


def blocks(p):
    x, y = p.input("x", 2, 3, 4, 6), p.input("y", 8, 2, 3)
    p.add(345, [x], put(1, 0) + put(2, 2))
    p.add(345, [y], put(1, 1) + put(2, 2))
    p.add(345, [y], put(1, 2) + put(2, 2))
    z = p.make(950, [x], put(1, -1))[0]
    p.add(270, [x, z])
    p.add(270, [x, z], put(1, 1))


def together(p):
    x, y, z, w = p.input("x", 2, 3, 4), p.input("y", 2, 3, 4), p.input("z", 2, 1, 1), p.input("w", 6, 2, 3)
    for kind in (230, 231, 240, 260, 261):
        p.add(kind, [x, y, z])
    for shape in ([1], [2], [1, 3, 4], [2, 3, 4]):
        p.add(250, [x], several(1, shape) + weights(2, numbers(*shape)))
    p.add(330, [w], put(1, 3), 3)
    p.add(600, [x])


def map_reductions(p):
    x = p.input("x", 2, 6, 3, 4)
    positive = p.make(220, [x], put(1, 6) + real(4, 0.1))[0]
    for mode in range(10):
        for axis in range(5) if mode < 9 else (2, 3, 4):
            p.add(280, [positive if mode == 3 else x], put(1, mode) + put(3, axis))


def pictures(p):
    """Each has its own preprocessing, in its own order of colours."""
    a, b, c, d = (p.picture(*picture) for picture in (("a", 20, 3, 4), ("b", 30, 3, 4), ("c", 10, 5, 2), ("d", 10, 5, 2)))
    p.preprocess(a, put(10, real(10, 0.5) + real(20, 3) + real(21, -20) + real(22, 100)))
    p.preprocess(b, put(11, put(1, numbers(3, 3, 4, low=5, high=50).tobytes())))
    p.preprocess(b, put(10, real(10, 0.25) + real(20, 8)))
    p.preprocess(c, put(10, real(30, 7)))
    p.preprocess(d, put(10, real(10, 0) + real(30, 7)))  # by 0, where c is as it is
    for picture in (a, b, c, d):
        p.add(600, [picture])
    p.add(230, [a, b])


def left_out(p):
    """Numbers so small that an epsilon counts which is left out."""
    x = p.input("x", 6, 3, 4)
    small = p.make(220, [x], put(1, 7) + real(2, -9) + real(5, 3e-4))[0]
    p.add(165, [small], put(1, 1) + put(2, 1))
    p.add(165, [small], put(2, 1))
    p.add(170, [small])
    p.add(160, [small], put(1, 6) + put(5, 1) + put(6, 1) + weights(15, numbers(6)) + weights(16, numbers(6)))
    p.add(180, [x], real(1, 0.5) + real(2, 0.75) + put(3, 3))
    for kind in (1, 2):
        p.add(220, [x], put(1, kind) + real(4, 2.1e-6) + real(5, 1e-6))
    p.add(220, [x], put(1, 6))


def activation(kind, *values):
    return put(kind, b"".join(real(1 + i, v) for i, v in enumerate(values)))


SIGMOID, TANH, RELU, HARD, LINEAR = (activation(40), activation(30), activation(10), activation(41, 0.3, 0.4),
                                     activation(5, 0.5, 0.1))


def recurrences(p):
    p.exact = False
    x, h = p.input("x", 5, 2, 3, 1, 1), p.input("h", 1, 2, 4, 1, 1)
    sizes = put(1, 3) + put(2, 4)
    simple = sizes + put(10, TANH) + weights(30, numbers(4, 3)) + weights(31, numbers(4, 4))
    p.add(400, [x], simple + put(15, 1))
    p.add(400, [x, h], simple + put(20, 1) + weights(32, numbers(4)) + put(100, 1), 2)

    def gates(first, *shape):
        return b"".join(weights(first + i, numbers(*shape, high=0.5 + i / 4)) for i in range(3))
    gru = sizes + gates(30, 4, 3) + gates(50, 4, 4) + gates(70, 4)
    p.add(410, [x, h], gru + put(10, SIGMOID) + put(10, TANH) + put(15, 1) + put(20, 1), 2)
    p.add(410, [x], gru + put(10, HARD) + put(10, LINEAR) + put(100, 1))


def long_memories(p):
    p.exact = False
    x, h, c = p.input("x", 5, 2, 3, 1, 1), p.input("h", 1, 2, 4, 1, 1), p.input("c", 1, 2, 4, 1, 1)
    sizes = put(1, 3) + put(2, 4)

    def lstm(low):
        return b"".join(weights(first + i, numbers(*shape, low=low, high=0.5 + i / 4))
                        for first, n, shape in ((1, 4, (4, 3)), (20, 4, (4, 4)), (40, 4, (4,)), (60, 3, (4,)))
                        for i in range(n))
    three = [put(10, a) for a in (SIGMOID, TANH, TANH)]
    p.add(420, [x, h, c], sizes + b"".join(three) + put(15, put(10, 1)) + put(20, lstm(-1)), 3)
    p.add(420, [x], sizes + b"".join(three) + put(15, put(20, 1) + put(30, 1) + put(40, 1) + real(60, 0.4)) +
          put(20, lstm(-1)) + put(100, 1))
    p.add(420, [x, h, c], sizes + put(10, HARD) + put(10, RELU) + put(10, LINEAR) + put(15, put(10, 1) + put(50, 1)) +
          put(20, lstm(-1)))
    back = b"".join(put(11, a) for a in (SIGMOID, RELU, TANH))
    for every in (0, 1):
        p.add(430, [x, h, c, h, c], sizes + b"".join(three) + back + put(15, put(10, every) + put(20, 1)) +
              put(20, lstm(-1)) + put(20, lstm(-0.5)), 1 if every else 5)


def growing_memories(p):
    """Of biases so large that c reaches its limit."""
    p.exact = False
    x = p.input("x", 16, 1, 3, 1, 1)
    three = b"".join(put(10, a) for a in (SIGMOID, TANH, TANH))
    grow = b"".join(weights(first + i, numbers(*shape, low=low, high=low + 0.2)) for first, low, shape in (
        (1, -0.1, (4, 3)), (20, -0.1, (4, 4)), (40, 5, (4,))) for i in range(4))
    for clip, back, forget in ((10, 0, 0), (12, 1, 1), (0, 0, 1)):
        p.add(420, [x], put(1, 3) + put(2, 4) + three + put(15, put(10, 1) + put(20, 1) + put(30, forget) +
              real(60, clip)) + put(20, grow) + put(100, back), 3)


# ---- layers on exact values

def pairs(p):
    x, y = p.input("x", 2, 3, 4), p.input("y", 3, 1)
    p.add(885, [p.make(700, [x])[0], y])
    for kind in (865, 870, 875, 880, 890, 895, 900, 905, 230, 231):
        p.add(kind, [x, y])
    p.add(815, [x, x])
    z = p.make(685, [x])[0]
    for kind in (815, 820, 825, 827, 830, 832):
        p.add(kind, [z], real(1 if kind < 825 else 2, 1))
        p.add(kind, [z, p.make(685, [y])[0]])


def functions(p):
    x = p.input("x", 3, 8)
    small = p.make(220, [x], put(1, 7) + real(2, -1) + real(5, 0.3))[0]
    for kind in (665, 670, 680, 685, 700, 710, 715, 720, 740, 750, 755, 760, 770, 790):
        p.add(kind, [x])
    p.add(780, [p.make(760, [small])[0]])
    p.add(730, [small])
    p.add(735, [small])
    p.add(775, [p.make(220, [x], put(1, 7) + real(4, 3.1))[0]])
    for kind in range(8):
        p.add(220, [x], put(1, kind) + real(2, 1.7) + real(3, 0.3) + real(4, 1) + real(5, 0.4))


def more_functions(p):
    x, y = p.input("x", 3, 8), p.input("y", 4, 2, 3)
    for mode in range(3):
        p.add(795, [x], put(1, mode))
    p.add(1460, [x], real(1, 0.2) + real(2, 0.5))
    for one in (SIGMOID, TANH, RELU, HARD, LINEAR, activation(15, 0.3), activation(20, 0.4), activation(31, 1.5, 0.7),
                activation(50, 0.6), activation(60), activation(70)):
        p.add(130, [x], one)
    p.add(130, [y], put(25, weights(1, numbers(4))))
    p.add(130, [y], put(71, weights(1, numbers(4)) + weights(2, numbers(4))))
    for one in (y, p.make(170, [y])[0]):  # one number for all channels, of an exact value and of a map
        p.add(130, [one], put(25, weights(1, numbers(1))))
        p.add(130, [one], put(71, weights(1, numbers(4)) + weights(2, numbers(1))))
    p.add(660, [x], real(1, -0.5) + real(2, 0.5))
    positive, large = p.make(830, [x])[0], p.make(830, [x], real(2, 1))[0]
    p.add(840, [positive, large])
    p.add(845, [positive, large])
    p.add(855, [positive, large])
    p.add(850, [large])
    p.add(820, [positive, large])
    p.add(1330, [positive, x, large])


def reductions(p):
    x = p.make(880, [p.input("x", 2, 3, 4)] * 2)[0]
    squares = p.make(900, [x, x])[0]
    for kind in (1250, 1255, 1260, 1265, 1270, 1275, 1280, 1290, 1295):
        p.add(kind, [x], several(1, [0, -1]) + put(2, kind % 2))
    p.add(1285, [squares], put(3, 1))
    p.add(1025, [x], put(1, -1) + put(2, 1))
    p.add(1020, [x], put(1, 1))
    p.add(950, [x], put(1, 1))
    p.add(1350, [x], several(1, [3, 4]) + weights(3, numbers(3, 4)) + weights(4, numbers(3, 4)) + real(2, 1e-3))


def products(p):
    x, y, v = p.input("x", 2, 3, 4), p.input("y", 2, 4, 5), p.input("v", 4)
    p.add(1045, [x, y])
    p.add(1045, [y, x], put(1, 1) + put(2, 1))
    own = put(5, 4) + put(6, 6) + weights(8, numbers(6, 4))
    p.add(1045, [x], own + put(7, 1) + weights(9, numbers(6)))
    p.add(1045, [v], own)
    p.add(140, [x], put(1, 4) + put(2, 5) + put(10, 1) + weights(20, numbers(5, 4)) + weights(21, numbers(5)))
    p.add(140, [v], put(1, 4) + put(2, 5) + weights(20, numbers(5, 4)))
    places = p.make(1125, [p.make(1025, [y], put(1, 1) + put(2, 1))[0]], several(1, [-1]))[0]
    p.add(1040, [places], put(1, 4) + put(2, 3) + put(3, 1) + weights(20, numbers(3, 4)) + weights(21, numbers(3)))


def shapes(p):
    x, y = p.input("x", 2, 3, 4), p.input("y", 1, 3, 1)
    p.add(920, [x], several(1, [2, 1, 3]))
    p.add(925, [x, x], put(1, -1))
    p.add(980, [x, x], put(1, 1))
    p.add(980, [x, x], put(1, 2) + put(2, 1))
    p.add(975, [x], put(1, 2) + put(2, 2), 2)
    p.add(975, [x], put(1, 1) + several(3, [1, 2]), 2)
    p.add(985, [x], several(1, [2, 0, 1]))
    p.add(1120, [y], several(1, [0]))
    p.add(1120, [y], put(2, 1))
    p.add(1125, [x], several(1, [0, -1]))
    p.add(1130, [x], put(1, 2))
    p.add(1140, [x], several(1, [4, -1]))
    p.add(1150, [x], several(1, [0, 2, -1]))


def more_shapes(p):
    x, y = p.input("x", 2, 3, 4), p.input("y", 1, 3, 1)
    p.add(1135, [x, p.make(985, [x], several(1, [1, 0, 2]))[0]])
    p.add(1145, [x, p.make(1065, [p.make(985, [x], several(1, [1, 0, 2]))[0]])[0]])
    p.add(1080, [x], real(1, 2.5))
    p.add(1085, [], real(1, -1) + several(2, [2, 2]))
    p.add(1100, [y, x])
    p.add(1105, [y], several(1, [2, 3, 4]))
    p.add(1155, [x], real(1, 7) + several(2, [0, 1, 0, 0, 2, 1]))
    p.add(1070, [], several(1, [2, 5]) + weights(2, numbers(2, 5)))
    p.add(635, [], real(1, 3.2) + real(2, -1) + real(3, 0.5))
    p.add(995, [x], several(1, [-1, 0, 3]) + several(2, [0, 1, 0]) + several(3, [0, 3, -4]) + several(4, [0, 0, 0]) +
          several(5, [1, 2, -1]) + several(6, [1, 0, 0]))
    p.add(995, [x], several(1, [-9, 2, 1]) + several(2, [0, 0, 1]) + several(3, [9, -9, 0]) + several(4, [0, 1, 0]) +
          several(5, [1, -1, 1]) + several(6, [0, 0, 1]))
    p.add(1470, [x, p.make(1070, [], several(1, [1]) + weights(2, [1]))[0]], put(2, 2) + put(3, -1))


def crops(p):
    x = p.input("x", 1, 2, 3, 6, 7)

    def boxes(values):
        array = np.array(values, np.float32)[:, None, :, None, None]
        return p.make(1070, [], several(1, array.shape) + weights(2, array))[0]
    each, chosen = boxes([[0.1, 0.2, 0.8, 0.6], [0, 0, 1, 1]]), boxes([[1, 0.5, 2, 3.5, 6], [0, 1, 1, 4.5, 4]])
    outside = boxes([[-1.5, 0, 2, 9]])
    for mode in range(4):
        p.add(212, [x, each], several(1, [3, 4]) + put(2, 1) + put(3, put(1, mode)))
        p.add(212, [x, chosen], several(1, [5, 1]) + put(3, put(1, mode)) + put(4, put(1, mode)))
    p.add(212, [x, chosen], several(1, [2, 2]) + real(5, 0.5))
    p.add(212, [x, outside], several(1, [4, 4]))


def places(p):
    x, y = p.input("x", 3, 4, 2), p.input("y", 3, 5, 2)

    def constant(values, *shape):
        return p.make(1070, [], several(1, shape) + weights(2, np.reshape(values, shape)))[0]
    p.add(930, [x, constant([1, 3, 0], 3)], put(1, 1))
    p.add(940, [x, constant([0, 3, 2, 1], 2, 2)])
    p.add(952, [x, constant(np.arange(30) * 5 % 4, 3, 5, 2)], put(1, 1))
    for mode in range(7):
        p.add(935, [x, constant([1, 3, 1, 0, 2], 5), y], put(1, 1) + put(2, mode))
    p.add(945, [x, constant([0, 3, 2, 1], 2, 2), constant([5, 6, 7, 8], 2, 2)], put(1, 1))
    p.add(954, [x, constant(np.arange(30) * 5 % 4, 3, 5, 2), y], put(1, 1) + put(2, 1))
    p.add(960, [x], several(1, [1, 0, 1]))
    p.add(965, [x, constant([2, 4, 1], 3)], put(1, 0) + put(2, 1))
    p.add(1450, [constant([0, 2, 1], 3)], put(1, 4) + put(2, 0) + real(3, 2) + real(4, -1))


def orders(p):
    x = p.input("x", 3, 5, 6)
    p.add(1005, [x], put(1, 1) + put(2, 3) + put(3, 2))
    p.add(1015, [x], put(1, 1) + put(2, 3), 2)
    p.add(1015, [x], put(1, -1) + put(2, 2) + put(3, 1))
    p.add(1455, [x], put(1, 1))
    p.add(1455, [x], put(1, -1) + put(2, 1) + put(3, 1))
    p.add(1461, [x], put(1, 2))
    p.add(1461, [x], put(1, 0) + put(2, 1))
    p.add(1315, [x], put(1, 1) + put(2, -1))
    for k in (-2, 0, 1):
        p.add(1320, [x], put(1, k))
        p.add(1325, [x], put(1, k))


def sequences(p):
    p.exact = False
    x, y = p.input("x", 2, 3, 4, 1, 1), p.input("y", 4)
    p.add(340, [x], put(1, 3))
    p.add(880, [x, y])
    p.add(150, [p.make(1025, [x], put(1, -3))[0]], put(1, 4) + put(2, 5) + weights(20, numbers(5, 4)))


FAMILIES = {f.__name__: f for f in (
    norms, odd_windows, blocks, together, map_reductions, pictures, left_out, recurrences, long_memories, growing_memories, pairs,
    functions, more_functions, reductions, products, shapes, more_shapes, places, orders, sequences, crops)}

def save_network(p, folder, name, words=""):
    """Prints the name, and behind it the words."""
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    p.write(os.path.join(folder, name, "model.mlmodel"))
    print(name, words)


def main(which, *arguments):
    if which == "evaluate":
        return run(*arguments)
    for name, family in FAMILIES.items():
        p = Network()
        family(p)
        save_network(p, arguments[0], name)
    return None


def run(model_path, inputs_path, want_path):
    model = fields(open(model_path, "rb").read())
    description, network = message(model, 2), message(model, 500)
    inputs, blobs = {}, {}
    for feature in map(fields, description[1]):
        name, kind = text(feature, 1), message(feature, 3)
        if 4 in kind:
            width, height, color = (number(message(kind, 4), f) for f in (1, 2, 3))
            shape = [1, 1 if color == 10 else 3, height, width]
            inputs[name] = np.floor(random_numbers(name, shape, 0, 256)).astype(np.float32)
            blobs[name] = preprocessed(network, name, color, inputs[name].astype(np.float64))
            continue
        shape = integers(message(kind, 5), 1)
        inputs[name] = random_numbers(name, shape, -2, 2)
        blobs[name] = inputs[name].astype(np.float64)
        if not number(network, 5) and len(shape) == 1:
            blobs[name] = blobs[name].reshape(1, 1, -1, 1, 1)
    evaluate(network, blobs)
    want = {text(f, 1): np.array(blobs[text(f, 1)], np.float32) for f in map(fields, description[10])}
    if not number(network, 5):  # what callers see of five dimensions
        for name, y in want.items():
            planes = y.reshape((-1,) + y.shape[-3:])
            want[name] = planes if len(planes) > 1 else planes[0]
            if planes.shape[1] == y.size:
                want[name] = planes.reshape(-1)
    save(inputs_path, inputs)
    save(want_path, want)


if __name__ == "__main__":
    main(*sys.argv[1:])
