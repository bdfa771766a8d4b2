"""coreml_program_windows.py - operations that move windows over a map, of one to three dimensions: convolutions and pools; with
numpy, for coreml_program.py."""
import numpy as np


def of_each(i, name, n):
    return [int(v) for v in i.get(name, [1] * n)]


def padding(i, sizes, spans, strides):
    """[(before, behind)] by "pad_type"; "pad" is not looked at but for custom."""
    kind = i.get("pad_type", "valid")
    if kind == "custom":
        return [tuple(int(p) for p in pair) for pair in np.reshape(i.get("pad", [0] * 2 * len(sizes)), (-1, 2))]
    if kind == "valid":
        return [(0, 0)] * len(sizes)
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(sizes, spans, strides)]
    return [(t - t // 2, t // 2) if kind == "same_lower" else (t // 2, t - t // 2) for t in total]


def conv(i, _):
    x, weight, groups = i["x"], i["weight"], int(i.get("groups", 1))
    kernel = weight.shape[2:]
    n = len(kernel)
    strides, dilations = of_each(i, "strides", n), of_each(i, "dilations", n)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    x = np.pad(x, [(0, 0), (0, 0)] + padding(i, x.shape[2:], spans, strides))
    sizes = [(s - k) // t + 1 for s, k, t in zip(x.shape[2:], spans, strides)]
    y = np.zeros([x.shape[0], weight.shape[0]] + sizes)
    for at in np.ndindex(*kernel):
        part = x[(slice(None), slice(None)) + tuple(
            slice(a * d, a * d + (size - 1) * t + 1, t) for a, d, size, t in zip(at, dilations, sizes, strides))]
        for g in range(groups):
            out, into = (slice(g * (c // groups), (g + 1) * (c // groups)) for c in (weight.shape[0], x.shape[1]))
            y[:, out] += np.einsum("ni...,oi->no...", part[:, into], weight[(out, slice(None)) + at])
    return y + np.reshape(i.get("bias", 0), [-1] + [1] * n)


def conv_transpose(i, _):
    x, weight, groups = i["x"], i["weight"], int(i.get("groups", 1))
    kernel = weight.shape[2:]
    n = len(kernel)
    strides, dilations = of_each(i, "strides", n), of_each(i, "dilations", n)
    full = [(s - 1) * t + (k - 1) * d + 1 for s, t, k, d in zip(x.shape[2:], strides, kernel, dilations)]
    each = weight.shape[1]
    y = np.zeros([x.shape[0], each * groups] + full)
    for at in np.ndindex(*kernel):
        to = tuple(slice(a * d, a * d + (s - 1) * t + 1, t) for a, d, s, t in zip(at, dilations, x.shape[2:], strides))
        for g in range(groups):
            into = slice(g * (x.shape[1] // groups), (g + 1) * (x.shape[1] // groups))
            y[(slice(None), slice(g * each, (g + 1) * each)) + to] += np.einsum(
                "ni...,io->no...", x[:, into], weight[(into, slice(None)) + at])
    wanted = [int(s) for s in i["output_shape"][2:]] if "output_shape" in i else [
        s * t for s, t in zip(x.shape[2:], strides)] if i.get("pad_type") == "same" else None
    cut = padding(i, full, kernel, strides) if wanted is None else [
        ((f - w) // 2, f - w - (f - w) // 2) for f, w in zip(full, wanted)]
    y = y[(slice(None), slice(None)) + tuple(slice(b, f - e) for (b, e), f in zip(cut, full))]
    return y + np.reshape(i.get("bias", 0), [-1] + [1] * n)


def pool(kind):
    def run(i, _):
        x, kernel = i["x"], [int(k) for k in i["kernel_sizes"]]
        n = len(kernel)
        stride, ceil = of_each(i, "strides", n), bool(i.get("ceil_mode", False))
        pad = padding(i, x.shape[2:], kernel, stride)
        sizes = []
        for a in range(n):
            size, rest = x.shape[2 + a], x.shape[2 + a] + sum(pad[a]) - kernel[a]
            out = (-(-rest // stride[a]) if ceil else rest // stride[a]) + 1
            sizes.append(out - (ceil and (out - 1) * stride[a] >= size + pad[a][0]))
        y = np.zeros(list(x.shape[:2]) + sizes)
        for at in np.ndindex(*sizes):
            begin = [at[a] * stride[a] - pad[a][0] for a in range(n)]
            stop = [min(begin[a] + kernel[a], x.shape[2 + a] + pad[a][1]) for a in range(n)]
            part = x[(slice(None), slice(None)) + tuple(slice(max(b, 0), s) for b, s in zip(begin, stop))]
            part = part.reshape(*x.shape[:2], -1)
            counted = part.shape[2] if i.get("exclude_padding_from_average", False) else np.prod(
                [s - b for b, s in zip(begin, stop)])
            y[(slice(None), slice(None)) + at] = (part.max(2) if kind == "max" else part.sum(2) / counted
                                                  if kind == "avg" else np.sqrt((part * part).sum(2)))
        return y
    return run


WINDOWS = {"conv": conv, "conv_transpose": conv_transpose, "max_pool": pool("max"), "avg_pool": pool("avg"),
           "l2_pool": pool("l2")}
