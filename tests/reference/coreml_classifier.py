#!/usr/bin/env python3
"""coreml_classifier.py - classifiers whose labels are hard to print, as Core ML models, and what they must answer.

    coreml_classifier.py program|network strings|numbers|few MODEL INPUTS.safetensors
    coreml_classifier.py --check MODEL_LABELS OUTPUTS.safetensors ANSWER.json

The first writes MODEL (an .mlpackage folder, or an .mlmodel file) of four classes: softmax of x, and for a program
`classify`; and an input. `few` are labels for three. The second fails unless the answer of `modelhost run --json` names the class of the largest
probability of OUTPUTS by its label; MODEL_LABELS is strings or numbers.
"""
import json
import sys

import numpy as np

from coreml_writer import F32, STRING, Tensor, Writer, entry, load, put, save, tensor_type, varint

I64 = 24
LABELS = {"strings": ['plain', '"quoted" \\ \x1b[31mred', 'two\nlines\t</script>', 'Ünï\u202ecode'],
          "numbers": [7, -1, 1 << 40, 0], "few": ["one", "two", "three"]}
X = np.array([[0.5, 2, -1, 1.5]], np.float32)


def label_value(label):
    text = isinstance(label, str)
    kind = put(2, tensor_type(STRING if text else I64, []))
    packed = put(4, put(1, label)) if text else put(5, put(1, varint(label)))
    return kind + put(3, put(1, packed))


def class_list(labels):
    element = tensor_type(STRING if isinstance(labels[0], str) else I64, [])
    return put(2, put(1, element) + put(2, put(1, put(1, len(labels)))))


def program(labels, folder):
    writer = Writer(False)
    probabilities = writer.same("softmax", writer.input("x", F32, X.shape), axis=-1)
    key = STRING if isinstance(labels[0], str) else I64
    values = b"".join(put(1, label_value(label)) for label in labels)
    writer.operations.append(
        put(1, "const") + put(3, put(1, "classes") + put(2, class_list(labels)))
        + entry(5, "val", put(2, class_list(labels)) + put(3, put(3, values))))
    pairs = put(4, put(1, tensor_type(key, [])) + put(2, tensor_type(F32, [])))
    writer.operations.append(
        put(1, "classify") + entry(2, "probabilities", put(1, put(1, probabilities.name)))
        + entry(2, "classes", put(1, put(1, "classes")))
        + put(3, put(1, "label") + put(2, tensor_type(key, [])))
        + put(3, put(1, "chances") + put(2, pairs)))
    writer.outputs = [Tensor("label", key, []), Tensor("chances", F32, [])]
    writer.outputs[0].feature, writer.outputs[1].feature = features(labels)
    writer.predicted = put(11, "label") + put(12, "chances")
    writer.write(folder)


def features(labels):
    """FeatureTypes of the label and of the probabilities by label."""
    text = isinstance(labels[0], str)
    return put(3, b"") if text else put(1, b""), put(6, put(2, b"") if text else put(1, b""))


def network(labels, path):
    layer = put(1, "softmax") + put(2, "x") + put(3, "chances") + put(175, b"")
    if isinstance(labels[0], str):
        classes = put(100, b"".join(put(1, label) for label in labels))
    else:
        classes = put(101, put(1, b"".join(varint(label) for label in labels)))
    label, chances = features(labels)
    description = (put(1, put(1, "x") + put(3, put(5, put(1, varint(X.shape[1])) + put(2, 65568))))
                   + put(10, put(1, "label") + put(3, label)) + put(10, put(1, "chances") + put(3, chances))
                   + put(11, "label") + put(12, "chances"))
    open(path, "wb").write(put(1, 3) + put(2, description) + put(403, put(1, layer) + classes))


def check(labels, outputs, answer):
    found = load(outputs)
    (said,) = json.load(open(answer))
    want = np.exp(X[0]) / np.sum(np.exp(X[0]))
    index = int(np.argmax(want))
    assert list(found) == ["chances"] and found["chances"].shape == (4,), found
    assert np.max(np.abs(found["chances"] - want)) < 1e-6, found
    assert said == {"outputs": outputs, "label": str(labels[index]), "index": index, "output": "chances"}, said


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(LABELS[sys.argv[2]], *sys.argv[3:5])
    else:
        kind, labels, path, inputs = sys.argv[1:5]
        (program if kind == "program" else network)(LABELS[labels], path)
        save(inputs, {"x": X if kind == "program" else X[0]})
