#!/usr/bin/env python3
"""coreml_mobilenet.py - MobileNetV2: a model with made-up weights, what torch makes of it, and it as a program.

    coreml_mobilenet.py OUT_DIR [SIZE]

writes OUT_DIR/{config.json, model.safetensors, reference.safetensors}, of pictures of SIZE x SIZE (224). torch computes
the batch norms where they stand; the program (coreml_convert.py) has them in the weights, as converters write it.
"""
import json
import os
import sys

import numpy as np

from coreml_writer import F32, save

INPUTS = ["pixel_values"]
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
          (6, 320, 1, 1)]  # expansion, channels, how many, the first one's stride
EPS = 1e-5


def convolutions():
    """Each: name, channels in and out, kernel, stride, groups, whether relu6 follows; of a block's last one whether the
    block's input is added."""
    yield "features.0", 3, 32, 3, 2, 1, True, None
    before, place = 32, 1
    for expansion, channels, n, stride in BLOCKS:
        for i in range(n):
            name, wide, step = f"features.{place}.conv", before * expansion, stride if i == 0 else 1
            if expansion > 1:
                yield name + ".expand", before, wide, 1, 1, 1, True, None
            yield name + ".depthwise", wide, wide, 3, step, wide, True, None
            yield name + ".project", wide, channels, 1, 1, 1, False, step == 1 and before == channels
            before, place = channels, place + 1
    yield f"features.{place}", before, 1280, 1, 1, 1, True, None


def make(folder, size):
    numbers = np.random.default_rng(2018)
    tensors = {}
    for name, n_in, n_out, kernel, _, groups, _, _ in convolutions():
        shape = (n_out, n_in // groups, kernel, kernel)
        tensors[name + ".weight"] = numbers.normal(0, (1.5 / np.prod(shape[1:])) ** 0.5, shape)
        for part, low, high in (("weight", 0.7, 1.3), ("bias", -0.2, 0.4), ("running_mean", -0.2, 0.2),
                                ("running_var", 0.5, 1.5)):
            tensors[f"{name}.norm.{part}"] = numbers.uniform(low, high, n_out)
    tensors["classifier.weight"] = numbers.normal(0, 0.03, (1000, 1280))
    tensors["classifier.bias"] = numbers.normal(0, 0.1, 1000)
    tensors = {k: v.astype(np.float32) for k, v in tensors.items()}
    x = numbers.normal(0, 1, (1, 3, size, size)).astype(np.float32)
    os.makedirs(folder, exist_ok=True)
    json.dump({"model_type": "mobilenet_v2"}, open(os.path.join(folder, "config.json"), "w"))
    save(os.path.join(folder, "model.safetensors"), tensors)
    save(os.path.join(folder, "reference.safetensors"), {"pixel_values": x, "logits": compute(tensors, x)})


def compute(tensors, x):
    import torch
    import torch.nn.functional as f
    w = {k: torch.from_numpy(v.astype(np.float64)) for k, v in tensors.items()}
    x = torch.from_numpy(x.astype(np.float64))
    begins = None
    for name, _, _, kernel, stride, groups, clipped, adds in convolutions():
        if adds is None and (name.endswith(".expand") or name == "features.1.conv.depthwise"):
            begins = x
        x = f.conv2d(x, w[name + ".weight"], None, stride, kernel // 2, 1, groups)
        x = f.batch_norm(x, *(w[f"{name}.norm.{part}"] for part in (
            "running_mean", "running_var", "weight", "bias")), eps=EPS)
        x = f.relu6(x) if clipped else x
        x = begins + x if adds else x
    return f.linear(x.mean((2, 3)), w["classifier.weight"], w["classifier.bias"]).float().numpy()


def write(p, config, w, inputs):
    x = p.cast(p.input("pixel_values", F32, inputs["pixel_values"].shape), p.float)
    begins = None
    for name, _, n_out, kernel, stride, groups, clipped, adds in convolutions():
        if name.endswith(".expand"):
            begins = x
        factor = w[name + ".norm.weight"] / np.sqrt(w[name + ".norm.running_var"] + np.float32(EPS))
        x = p.shaped("conv", x, [x.shape[0], n_out] + [(s - 1) // stride + 1 for s in x.shape[2:]],
                     weight=w[name + ".weight"] * factor[:, None, None, None],
                     bias=w[name + ".norm.bias"] - w[name + ".norm.running_mean"] * factor,
                     strides=[stride] * 2, pad_type="custom", pad=[kernel // 2] * 4, dilations=[1, 1], groups=groups)
        x = p.same("clip", x, alpha=np.float32(0), beta=np.float32(6)) if clipped else x
        x = p.pair("add", begins, x) if adds else x
    x = p.reshape(p.shaped("reduce_mean", x, x.shape[:2] + [1, 1], axes=[2, 3], keep_dims=True), [1, 1280])
    p.output("logits", p.linear(x, w["classifier.weight"], w["classifier.bias"]))


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 224)
