#!/usr/bin/env python3
"""coreml_convert.py - whole models as ML Programs, to compare with what else computes them.

    coreml_convert.py MODEL_DIR REFERENCE.safetensors|BATCHxTOKENS|BATCHx3xHEIGHTxWIDTH fp32|fp16[-FORM] OUT_DIR
    coreml_convert.py --compare WANT.safetensors COREML.safetensors INPUTS.safetensors fp32|fp16[-FORM]
    coreml_convert.py --nearer HALF.safetensors SINGLE.safetensors WANT.safetensors

The first writes OUT_DIR/model.mlpackage out of MODEL_DIR/{config.json, model.safetensors}, and the inputs of the
reference (or ids, pixels of 1 in that shape) for the model's own plugin (native.safetensors) and for the program
(coreml.safetensors). The program is what converters make of the architecture; each has a file beside this one, which
says what its forms are. The second compares outputs of the same name: at most 1e-4 apart, or, of fp16, cosine 0.9999 or
more; rows of tokens that the mask hides are left out. The third fails unless outputs in emulated float16 are float16
numbers, and at most a tenth as far from what float16 makes as those in float32 are.
"""
import json
import os
import re
import sys

import numpy as np

import coreml_bert
import coreml_gpt2
import coreml_lstm
import coreml_mobilenet
import coreml_resnet
import coreml_vit
from coreml_writer import Writer, load, save

ARCHITECTURES = {"bert": coreml_bert, "gpt2": coreml_gpt2, "lstm": coreml_lstm, "mobilenet_v2": coreml_mobilenet,
                 "resnet": coreml_resnet, "vit": coreml_vit}


def examples(path):
    """Tensors by name; of numbered ones (logits_0, logits_1) the last."""
    return {re.sub(r"_\d+$", "", name): tensor for name, tensor in load(path).items()}


def write(model, reference, precision, folder):
    config = json.load(open(os.path.join(model, "config.json")))
    precision, _, config["form"] = precision.partition("-")
    architecture = ARCHITECTURES[config["model_type"]]
    if os.path.exists(reference):
        inputs = {name: examples(reference)[name] for name in architecture.INPUTS}
    else:
        shape = [int(n) for n in reference.split("x")]
        inputs = {name: np.ones(shape, np.float32 if name == "pixel_values" else np.int64) for name in architecture.INPUTS}
    program = Writer(precision == "fp16")
    architecture.write(program, config, load(os.path.join(model, "model.safetensors")), inputs)
    os.makedirs(folder, exist_ok=True)
    program.write(os.path.join(folder, "model.mlpackage"))
    save(os.path.join(folder, "native.safetensors"), inputs)
    save(os.path.join(folder, "coreml.safetensors"),
         {k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in inputs.items()})


def compare(want_path, found_path, inputs_path, precision):
    wanted, inputs, outputs = examples(want_path), load(inputs_path), load(found_path)
    bad = not outputs
    for name, found in outputs.items():
        x, y = found.astype(np.float64), wanted[name].astype(np.float64)
        if "attention_mask" in inputs:
            x, y = (v[inputs["attention_mask"] != 0] for v in (x, y))
        error = np.max(np.abs(x - y)) if x.shape == y.shape else np.inf
        cosine = np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y)) if x.shape == y.shape else 0
        print(f"{name} {list(x.shape)}: {error:.2e} apart, cosine {cosine:.8f}")
        bad = bad or not (cosine >= 0.9999 if precision.startswith("fp16") else error <= 1e-4)
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
