#!/usr/bin/env python3
"""coreml_pipelines.py - pipelines of small networks and programs, and what numpy makes of their parts.

    coreml_pipelines.py answering OUT_DIR     a folder for each: model.mlmodel or model.mlpackage, in and want.safetensors
    coreml_pipelines.py refused OUT_DIR       the same of what must be refused, without in and want

prints the names, and of what is refused behind each what must be said.
"""
import os
import sys

import numpy as np

from coreml_classifier import features
from coreml_layers import Network, activation, weights
from coreml_writer import F32, I32, Writer, put, save

CLASSIFIER, REGRESSOR, PIPELINE = 200, 201, 202
F32_ARRAY, I32_ARRAY = 65568, 131104
LABELS = [f"class {i}" for i in range(12)]
numbers = np.random.default_rng(77)
X = numbers.uniform(-1, 1, (2, 6)).astype(np.float32)
IDS = np.array([3, 0, 3, 1], np.int32)
W = numbers.uniform(-1, 1, (6, 6)).astype(np.float32)
TABLE = numbers.uniform(-1, 1, (4, 6)).astype(np.float32)


def array(field, name, shape, kind=F32_ARRAY):
    return put(field, put(1, name) + put(3, put(5, b"".join(put(1, d) for d in shape) + put(2, kind))))


def model(kind, parts, inputs, outputs, name_parts=True):
    """parts: (name, Model message)."""
    body = b"".join(put(1, m) for _, m in parts)
    body += b"".join(put(2, n) for n, _ in parts) if name_parts else b""
    return put(1, 4) + put(2, inputs + outputs) + put(kind, body if kind == PIPELINE else put(1, body))


def network(name, to, shape, layers, more=()):
    """One that makes `to`: layers of (kind, parameters), each reading what the one before made; the first also `more`."""
    n = Network()
    made = [n.input(name, *shape)] + [n.input(*m) for m in more]
    for kind, params in layers:
        made = n.make(kind, made, params)
    n.layers += put(1, put(1, "last") + put(2, made[0]) + put(3, to) + put(600, b""))
    n.outputs = array(10, to, [])
    return n


def matmul(w):  # batchedMatmul by w [in, out], which is stored column by column
    return 1045, put(5, w.shape[0]) + put(6, w.shape[1]) + weights(8, w.T)


def body():
    return network("x", "hidden", [2, 6], [matmul(W)]).model()


def classifier():
    n = network("mixed", "chances", [12], [(950, put(1, 0))])
    label, chances = features(LABELS)
    inputs = n.inputs
    outputs = put(10, put(1, "label") + put(3, label)) + put(10, put(1, "chances") + put(3, chances))
    layers = n.layers + put(100, b"".join(put(1, name) for name in LABELS))
    return (put(1, 4) + put(2, inputs + outputs + put(11, "label") + put(12, "chances")) + put(403, layers + put(5, 1)),
            outputs)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def classified():
    """Three networks; the second takes what the first made and what it took, the last the same numbers in another shape."""
    mixing = network("hidden", "mixed", [2, 6], [(880, b"")], [("x", 2, 6)]).model()
    last, outputs = classifier()
    hidden = X.astype(np.float64) @ W
    return (model(CLASSIFIER, [("body", body()), ("mixing", mixing), ("classes", last)], array(1, "x", [2, 6]),
                  outputs + array(10, "hidden", [])), {"x": X},
            {"chances": softmax((hidden + X).reshape(-1)), "hidden": hidden})


def read_rows(p, ids, x):
    rows = p.operation("gather", [(F32, [4, 6])], axis=0, indices=ids, x=TABLE)[0]
    return p.shaped("matmul", rows, [4, 2], y=x, transpose_y=True)


def regressed():
    """A network, then a program that takes its result and whole numbers; no names."""
    p = Writer(False)
    ids, hidden = p.input("ids", I32, [4]), p.input("hidden", F32, [2, 6])
    p.output("scores", read_rows(p, ids, hidden))
    want = TABLE[IDS].astype(np.float64) @ (X.astype(np.float64) @ W).T
    return (model(REGRESSOR, [("", body()), ("", p.model())],
                  array(1, "x", [2, 6]) + array(1, "ids", [4], I32_ARRAY), array(10, "scores", [4, 2]), False),
            {"x": X, "ids": IDS}, {"scores": want}, p)


def programmed():
    """Two programs that take the same whole numbers, and have weights in one file."""
    first, second = Writer(False), Writer(False)
    ids = first.input("ids", I32, [4])
    first.output("scores", read_rows(first, ids, first.input("x", F32, [2, 6])))
    second.blobs = first.blobs
    second.n_blobs = first.n_blobs
    ids, scores = second.input("ids", I32, [4]), second.input("scores", F32, [4, 2])
    second.output("times", second.pair("mul", scores, second.reshape(second.cast(ids, F32), [4, 1])))
    want = TABLE[IDS].astype(np.float64) @ X.astype(np.float64).T * IDS[:, None]
    return (model(PIPELINE, [("rows", first.model()), ("times", second.model())],
                  array(1, "x", [2, 6]) + array(1, "ids", [4], I32_ARRAY), array(10, "times", [4, 2])),
            {"x": X, "ids": IDS}, {"times": want}, second)


def picture(name):
    return put(1, put(1, name) + put(3, put(4, put(1, 2) + put(2, 2) + put(3, 20))))


def pictured():
    """Two networks that take the same picture; the second adds to what the first made of it."""
    first = network("picture", "half", [3, 2, 2], [(130, activation(5, 0.5, 0))])
    second = network("picture", "sum", [3, 2, 2], [(230, b"")], [("half", 3, 2, 2)])
    first.inputs, second.inputs = picture("picture"), picture("picture") + array(1, "half", [3, 2, 2])
    first.outputs, second.outputs = array(10, "half", [3, 2, 2]), array(10, "sum", [3, 2, 2])
    x = numbers.uniform(0, 255, (1, 3, 2, 2)).astype(np.float32)
    return (model(PIPELINE, [("half", first.model()), ("sum", second.model())], picture("picture"),
                  array(10, "sum", [3, 2, 2])), {"picture": x}, {"sum": 1.5 * x[0].astype(np.float64)})


ANSWERING = {f.__name__: f for f in (classified, regressed, programmed, pictured)}


def picture_of_hidden():
    n = network("hidden", "y", [3, 2, 2], [(600, b"")])
    n.inputs = picture("hidden")
    return n.model()


SCALER = put(1, 4) + put(2, array(1, "hidden", [2, 6]) + array(10, "y", [2, 6])) + put(604, b"")
TAKES_X, GIVES_Y = array(1, "x", [2, 6]), array(10, "y", [2, 6])
REFUSED = {  # parts behind the body, outputs, what is said
    "a_scaler": ([("scale", SCALER)], GIVES_Y, "part 2 of the pipeline, 'scale', is of kind 'scaler'"),
    "a_pipeline_in_it": ([("inner", model(PIPELINE, [("body", body())], TAKES_X, b""))], GIVES_Y,
                         "'inner', is of kind 'pipeline'"),
    "what_nobody_makes": ([("more", network("other", "y", [2, 6], [(600, b"")]).model())], GIVES_Y,
                          "part 'more' takes 'other', which no part before it makes"),
    "another_size": ([("more", network("hidden", "y", [5], [(600, b"")]).model())], GIVES_Y,
                     "a part takes it as [5], and it is [2, 6]"),
    "a_picture_of_numbers": ([("show", picture_of_hidden())], GIVES_Y, "a picture that another part makes"),
    "an_output_of_nobody": ([], GIVES_Y, "an output 'y' that no part makes"),
    "its_own_input": ([], array(10, "x", [2, 6]), "an output 'x' that no part makes"),
}


def main(which, folder):
    for name in ANSWERING if which == "answering" else REFUSED:
        here = os.path.join(folder, name)
        os.makedirs(here, exist_ok=True)
        if which == "answering":
            message, inputs, want, *program = ANSWERING[name]()
            save(os.path.join(here, "in.safetensors"), inputs)
            save(os.path.join(here, "want.safetensors"), {k: v.astype(np.float32) for k, v in want.items()})
            print(name)
        else:
            parts, outputs, said = REFUSED[name]
            message, program = model(PIPELINE, [("body", body())] + parts, TAKES_X, outputs), []
            print(name, said)
        if program:
            program[0].write(os.path.join(here, "model.mlpackage"), message)
        else:
            open(os.path.join(here, "model.mlmodel"), "wb").write(message)


if __name__ == "__main__":
    main(*sys.argv[1:])
