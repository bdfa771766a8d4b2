#!/usr/bin/env python3
"""coreml_network.py - what a Core ML NeuralNetwork must answer, in double precision.

    coreml_network.py MODEL.mlmodel inputs.safetensors want.safetensors [--drawing]
    coreml_network.py --reveal BLOB MODEL.mlmodel SAME.mlmodel

Reads the file's protocol buffers by itself, makes inputs from a fixed sequence, and computes layer
after layer with torch, on planes [N, C, H, W] as the format describes them: no code, schema or layout is
shared with the plugin. Only what the models of the tests need is there; another layer stops it. With --drawing
pictures are of a plane in the sky, in which a model finds a thing, not of noise. The second writes the same model
with one output more, a blob inside: the numbers of which classes are chosen, those before the last are cut at 0.
What differs from the result is told by coreml_files.py --compare.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_files import fields, floats, integers, message, number, random_numbers, save, text  # noqa: E402
from coreml_writer import put  # noqa: E402

def weights(parent, field, shape):
    w = message(parent, field)
    n = int(np.prod(shape))
    if 1 in w:
        values = floats(w, 1)
    elif 2 in w:
        values = np.frombuffer(w[2][0], "<f2")
    else:
        quantization = message(w, 40)
        bits = number(quantization, 1)
        packed = np.unpackbits(np.frombuffer(w[30][0], np.uint8))[:n * bits].reshape(n, bits)
        q = packed @ (1 << np.arange(bits)[::-1])
        if 102 in quantization:
            values = floats(message(quantization, 102), 1)[q]
        else:
            linear = message(quantization, 101)
            scale, bias = floats(linear, 1), floats(linear, 2)
            q = q.reshape(len(scale) if len(scale) > 1 else 1, -1)
            values = q * scale[:, None] + (bias[:, None] if len(bias) else 0)
    return torch.tensor(np.asarray(values, np.float64).reshape(shape))


# ---- layers: x is a list of planes

def borders(parent, field):
    edges = [fields(e) for e in message(parent, field).get(10, [])] if field in parent else []
    return [(number(e, 1), number(e, 2)) for e in edges] or [(0, 0), (0, 0)]


def window_padding(p, x, kernel, stride, dilation, valid, same):
    if same in p:
        before = number(message(p, same), 1) == 1
        pads = []
        for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation):
            total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
            few, many = total // 2, total - total // 2
            pads.append((many, few) if before else (few, many))
        return pads
    return borders(message(p, valid), 1) if valid in p else [(0, 0), (0, 0)]


def padded(x, pads, value=0.0, mode="constant"):
    amounts = [pads[1][0], pads[1][1], pads[0][0], pads[0][1]]
    return F.pad(x, amounts, mode, value) if mode == "constant" else F.pad(x, amounts, mode)


def convolution(p, x):
    x, = x
    out, groups = number(p, 1), number(p, 10) or 1
    kernel, stride = integers(p, 20, [3, 3]), integers(p, 30, [1, 1])
    dilation = integers(p, 40, [1, 1])
    bias = weights(p, 91, [out]) if number(p, 70) else None
    if number(p, 60):
        w = weights(p, 90, [x.shape[1], out // groups] + kernel)
        y = F.conv_transpose2d(x, w, bias, stride, 0, 0, groups)
        if 51 in p:  # as many places as steps, the odd number cut behind
            cut = [y.shape[2 + i] - x.shape[2 + i] * stride[i] for i in (0, 1)]
            cut = [(c // 2, c - c // 2) for c in cut]
        else:
            cut = borders(message(p, 50), 1) if 50 in p else [(0, 0), (0, 0)]
        return y[:, :, cut[0][0]:y.shape[2] - cut[0][1], cut[1][0]:y.shape[3] - cut[1][1]]
    w = weights(p, 90, [out, x.shape[1] // groups] + kernel)
    x = padded(x, window_padding(p, x, kernel, stride, dilation, 50, 51))
    return F.conv2d(x, w, bias, stride, 0, dilation, groups)


def pooling(p, x):
    x, = x
    kind, kernel = number(p, 1), integers(p, 10, [3, 3])
    stride = integers(p, 20, [1, 1])
    if number(p, 60):
        kernel, stride = list(x.shape[2:]), [1, 1]
    if 32 in p:
        return last_pixel_average(x, kernel, stride, integers(message(p, 32), 10, [0, 0]))
    pads = window_padding(p, x, kernel, stride, [1, 1], 30, 31)
    if kind == 0:
        return F.max_pool2d(padded(x, pads, -np.inf), kernel, stride)
    total = F.avg_pool2d(padded(x, pads), kernel, stride) * np.prod(kernel)
    counted = padded(torch.ones_like(x), pads, 0.0 if number(p, 50) else 1.0)
    return total / (F.avg_pool2d(counted, kernel, stride) * np.prod(kernel))


def last_pixel_average(x, kernel, stride, pad):
    """includeLastPixel: one place after the other, windows that end outside count in full."""
    sizes = []
    for n, k, s, p in zip(x.shape[2:], kernel, stride, pad):
        out = -(-(n + 2 * p - k) // s) + 1
        sizes.append(out - 1 if p > 0 and (out - 1) * s >= n + p else out)
    y = torch.zeros(list(x.shape[:2]) + sizes, dtype=x.dtype)
    for r in range(sizes[0]):
        for q in range(sizes[1]):
            top, left = r * stride[0] - pad[0], q * stride[1] - pad[1]
            part = x[:, :, max(top, 0):top + kernel[0], max(left, 0):left + kernel[1]]
            y[:, :, r, q] = part.sum((2, 3)) / np.prod(kernel)
    return y


def activation(p, x):
    x, = x
    if 25 in p:
        alpha = weights(message(p, 25), 1, [1, x.shape[1], 1, 1])
        return torch.where(x > 0, x, alpha * x)
    if 50 in p:
        return torch.where(x > 0, x, number(message(p, 50), 1) * (torch.exp(x) - 1))
    if 5 in p:
        return x * number(message(p, 5), 1) + number(message(p, 5), 2)
    if 10 in p:
        return x.clamp(min=0)
    raise SystemExit(f"activation {list(p)}")


def unary(p, x):
    x, = x
    x = x * (number(p, 5) or 1) + number(p, 4)
    if number(p, 1) == 7:
        return x.clamp(min=number(p, 2))
    raise SystemExit(f"unary function {number(p, 1)}")


def batchnorm(p, x):
    x, = x
    gamma, beta, mean, variance = (weights(p, f, [1, x.shape[1], 1, 1]) for f in (15, 16, 17, 18))
    return (x - mean) / torch.sqrt(variance + (number(p, 10) or 1e-5)) * gamma + beta


def inner_product(p, x):
    x, = x
    out = number(p, 2)
    y = x.reshape(x.shape[0], -1) @ weights(p, 20, [out, number(p, 1)]).T
    if number(p, 10):
        y = y + weights(p, 21, [out])
    return y[:, :, None, None]


def interpolated(x, axis, size, align):
    n = x.shape[axis]
    at = np.arange(size) * ((n - 1) / (size - 1) if size > 1 else 0) if align else \
        np.arange(size) * n / size
    at = np.minimum(at, n - 1)
    low = np.minimum(np.floor(at).astype(int), n - 1)
    high = np.minimum(low + 1, n - 1)
    share = torch.tensor((at - low).reshape([-1 if i == axis else 1 for i in range(4)]))
    return x.index_select(axis, torch.tensor(low)) * (1 - share) + \
        x.index_select(axis, torch.tensor(high)) * share


def upsample(p, x):
    x, = x
    factors = integers(p, 1, [1, 1])
    if number(p, 5) == 0 or number(p, 6) != 0:
        raise SystemExit("an upsampling that is not bilinear")
    for axis, factor in zip((2, 3), factors):
        x = interpolated(x, axis, x.shape[axis] * factor, False)
    return x


def resize_bilinear(p, x):
    x, = x
    method = number(message(p, 2), 1)
    for axis, size in zip((2, 3), integers(p, 1, [1, 1])):
        x = interpolated(x, axis, size, {0: True, 2: False}[method])
    return x


def add(p, x):
    return sum(x[1:], x[0]) if len(x) > 1 else x[0] + number(p, 1)


def multiply(p, x):
    if len(x) == 1:
        return x[0] * number(p, 1)
    return torch.stack(torch.broadcast_tensors(*x)).prod(0)


def padding(p, x):
    return padded(x[0], borders(p, 10), number(message(p, 1), 1))


def crop(p, x):
    (top, bottom), (left, right) = borders(p, 1)
    return x[0][:, :, top:x[0].shape[2] - bottom, left:x[0].shape[3] - right]


def slices(p, x):
    axis = {0: 1, 1: 2, 2: 3}[number(p, 4)]
    signed = [n - (1 << 64) if n >> 63 else n for n in (number(p, 1), number(p, 2))]
    index = [slice(None)] * 4
    index[axis] = slice(signed[0], signed[1], number(p, 3) or 1)
    return x[0][tuple(index)]


def scale(p, x):
    shapes = [integers(p, f) for f in (1, 4)]
    shapes = [[1] + s if len(s) == 3 else [1] + s + [1, 1] for s in shapes]
    y = x[0] * weights(p, 2, shapes[0])
    return y + weights(p, 5, shapes[1]) if number(p, 3) else y


def flatten(p, x):
    x = x[0].permute(0, 2, 3, 1) if number(p, 1) == 1 else x[0]
    return x.reshape(x.shape[0], -1, 1, 1)


def reduce(p, x):
    if (number(p, 1), number(p, 3)) != (9, 2):
        raise SystemExit("a reduction that is not the largest channel")
    return torch.tensor(np.argmax(x[0].numpy(), 1, keepdims=True).astype(np.float64))


def load_constant(p, x):
    return weights(p, 2, [1] + integers(p, 1))


LAYERS = {100: convolution, 120: pooling, 130: activation, 140: inner_product, 160: batchnorm,
          175: lambda p, x: torch.softmax(x[0], 1), 190: crop, 200: padding, 210: upsample,
          211: resize_bilinear, 220: unary, 230: add, 231: multiply, 245: scale, 280: reduce,
          290: load_constant, 300: lambda p, x: x[0].reshape([1] + integers(p, 1)), 301: flatten,
          310: lambda p, x: x[0].permute(integers(p, 1)), 320: lambda p, x: torch.cat(x, 1),
          350: slices}


# ---- the model

def evaluate(network, blobs):
    for layer in map(fields, network[1]):
        kind = next(k for k in layer if k >= 100)
        if kind not in LAYERS:
            raise SystemExit(f"a layer of kind {kind}")
        x = [blobs[name.decode()] for name in layer.get(2, [])]
        blobs[text(layer, 3)] = LAYERS[kind](fields(layer[kind][0]), x)


def drawing(height, width):
    """A plane in the sky, from the side: body, wing and tail."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    made = np.tile(np.array([120, 170, 230], np.float32)[:, None, None], (1, height, width))
    for at, half, color in (((0.5, 0.5), (0.39, 0.05), 235), ((0.5, 0.53), (0.08, 0.21), 210),
                            ((0.18, 0.44), (0.04, 0.11), 210)):
        made[:, ((x - at[0]) / half[0]) ** 2 + ((y - at[1]) / half[1]) ** 2 < 1] = color
    return made[None]


def make_input(feature, network, drawn):
    """The tensor that callers pass, and the blob that it becomes."""
    name, kind = text(feature, 1), message(feature, 3)
    if 5 in kind:
        tensor = random_numbers(name, integers(message(kind, 5), 1), -2, 2)
        planes = torch.tensor(tensor.astype(np.float64))
        return tensor, planes[None, :, None, None] if planes.ndim == 1 else planes[None]
    image = message(kind, 4)
    color = number(image, 3)
    width, height = number(image, 1), number(image, 2)
    tensor = drawing(height, width) if drawn else np.floor(random_numbers(
        name, [1, 1 if color == 10 else 3, height, width], 0, 256)).astype(np.float32)
    planes = torch.tensor(tensor.astype(np.float64))
    for step in map(fields, network.get(2, [])):
        scaler = message(step, 10)
        order = {10: [30], 20: [22, 21, 20], 30: [20, 21, 22]}[color]
        bias = torch.tensor([float(number(scaler, f)) for f in order], dtype=torch.float64)
        planes = planes * number(scaler, 10, 1) + bias[None, :, None, None]
    return tensor, planes


def reveal(blob, model_path, path):
    """As float32 of no declared shape."""
    model = fields(open(model_path, "rb").read())
    model[2] = [model[2][0] + put(10, put(1, blob) + put(3, put(5, put(2, 65568))))]
    with open(path, "wb") as file:
        file.write(b"".join(put(field, value) for field, values in model.items() for value in values))


def run(model_path, inputs_path, want_path, drawn=""):
    model = fields(open(model_path, "rb").read())
    network = next(message(model, f) for f in (500, 403, 303) if f in model)
    description = message(model, 2)
    inputs, blobs, want = {}, {}, {}
    for feature in map(fields, description[1]):
        name = text(feature, 1)
        inputs[name], blobs[name] = make_input(feature, network, drawn)
    evaluate(network, blobs)
    for feature in map(fields, description[10]):
        name, kind = text(feature, 1), message(feature, 3)
        if name not in blobs:
            continue  # the predicted label
        array = message(kind, 5)
        y = blobs[name].numpy()
        shape = integers(array, 1)
        if np.prod(shape or [0]) != y.size:
            shape = [y.size] if y.shape[1] == y.size else list(y.shape[1:])
        whole = number(array, 2) == 131104
        want[name] = y.reshape(shape).astype(np.int32 if whole else np.float32)
    save(inputs_path, inputs)
    save(want_path, want)


if __name__ == "__main__":
    reveal(*sys.argv[2:5]) if sys.argv[1] == "--reveal" else run(*sys.argv[1:5])
