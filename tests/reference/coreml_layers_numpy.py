"""coreml_layers_numpy.py - layers of a NeuralNetwork on exact values, in double precision with numpy; for
coreml_layers.py. (Most convolutions and the layers beside them are evaluated with torch, by coreml_network.py.)"""
import functools
import math

import numpy as np

from coreml_files import fields, floats, integers, message, number, text
from coreml_program_pictures import crop_resize
from coreml_program_places import blocks, joined
from coreml_program_windows import conv, pool


def signed(n):
    return n - (1 << 64) if n >> 63 else n


def axis(p, field=1):
    return signed(number(p, field))


def whole(p, field):
    return [signed(n) for n in integers(p, field)]


def weights(p, field, *shape):
    return floats(message(p, field), 1).astype(np.float64).reshape(shape)


def places_of(x):
    return x.astype(np.int64)


# ---- on maps [.., C, H, W]

def mvn(p, x):
    axes = (-3, -2, -1) if number(p, 1) else (-2, -1)
    y = x - x.mean(axes, keepdims=True)
    return y / np.sqrt((y * y).mean(axes, keepdims=True) + (number(p, 3) or 1e-6)) if number(p, 2) else y


def l2_normalize(p, x):
    return x / np.sqrt((x * x).sum((-3, -2, -1), keepdims=True) + (number(p, 1) or 1e-6))


def lrn(p, x):
    size, y = number(p, 3), np.zeros(x.shape)
    for c in range(x.shape[-3]):
        first = c - (size - 1) // 2
        around = (x[..., max(first, 0):first + size, :, :] ** 2).sum(-3)
        y[..., c, :, :] = x[..., c, :, :] / ((number(p, 4) or 1) + number(p, 1) / size * around) ** number(p, 2)
    return y


def instance_norm(p, x):
    assert number(p, 6)
    y = x - x.mean((-2, -1), keepdims=True)
    y = y / np.sqrt((y * y).mean((-2, -1), keepdims=True) + (number(p, 10) or 1e-5))
    return y * weights(p, 15, -1, 1, 1) + weights(p, 16, -1, 1, 1)


def reorganize(p, x):
    move = blocks("block", number(p, 1) == 0, number(p, 1) == 2)
    y = move({"x": x.reshape((-1,) + x.shape[-3:]), "block": number(p, 2)}, 1)
    return y.reshape(x.shape[:-3] + y.shape[1:])


def map_reduction(p, x):
    axes = {0: (-3, -2, -1), 1: (-2, -1), 2: (-3,), 3: (-2,), 4: (-1,)}[number(p, 3)]
    if number(p, 1) == 9:
        return np.argmax(x, axes[0], keepdims=True)
    return (np.sum, np.mean, np.prod, lambda x, a, **k: np.log(x.sum(a, **k)), lambda x, a, **k: (x * x).sum(a, **k),
            lambda x, a, **k: np.abs(x).sum(a, **k), lambda x, a, **k: np.sqrt((x * x).sum(a, **k)), np.max,
            np.min)[number(p, 1)](x, axes, keepdims=True)


def dot(p, x, y):
    axes = (-3, -2, -1)
    scale = np.sqrt((x * x).sum(axes, keepdims=True) * (y * y).sum(axes, keepdims=True)) if number(p, 1) else 1
    return (x * y).sum(axes, keepdims=True) / scale


# ---- recurrent layers: x [s, b, i, 1, 1]

def activation(p):
    a, b = (number(next(iter(fields(v[0]) for v in p.values())), f) for f in (1, 2))
    return {5: lambda x: a * x + b, 10: lambda x: np.maximum(x, 0), 15: lambda x: np.where(x > 0, x, a * x),
            20: lambda x: np.where(x >= a, x, 0), 30: np.tanh, 31: lambda x: a * np.tanh(b * x),
            40: lambda x: 1 / (1 + np.exp(-x)), 41: lambda x: np.clip(a * x + b, 0, 1),
            50: lambda x: np.where(x >= 0, x, a * (np.exp(x) - 1)), 60: lambda x: x / (1 + np.abs(x)),
            70: lambda x: np.log1p(np.exp(x))}[next(iter(p))]


def limited(x, limit=50):
    return np.clip(x, -limit, limit)


def backwards(steps, back):
    return reversed(range(steps)) if back else range(steps)


def five(x):
    return x[..., None, None]


def recurrent(p, x, step, every, back, *states):
    x, states = x[..., 0, 0], [s[0, :, :, 0, 0] for s in states]
    states = states or [np.zeros((x.shape[1], number(p, 2)))] * 2
    y = [None] * len(x)
    for s in backwards(len(x), back):
        states = step(x[s], *states)
        y[s] = states[0]
    return [five(np.stack(y)) if every else five(states[0][None])] + [five(s[None]) for s in states]


def simple_recurrent(p, x, *h):
    n, f = number(p, 2), activation(message(p, 10))
    w, r = weights(p, 30, n, -1), weights(p, 31, n, n)
    b = weights(p, 32, n) if number(p, 20) else 0
    return recurrent(p, x, lambda x, h, *_: [f(limited(x @ w.T + h @ r.T + b))], number(p, 15), number(p, 100), *h)


def gru(p, x, *h):
    n, (f, g) = number(p, 2), [activation(fields(a)) for a in p[10]]
    w, r = [weights(p, 30 + i, n, -1) for i in range(3)], [weights(p, 50 + i, n, n) for i in range(3)]
    b = [weights(p, 70 + i, n) if number(p, 20) else 0 for i in range(3)]

    def step(x, h, *_):
        z = f(limited(x @ w[0].T + h @ r[0].T + b[0]))
        reset = f(limited(x @ w[1].T + h @ r[1].T + b[1]))
        o = g(limited(x @ w[2].T + (h * reset) @ r[2].T + b[2]))
        return [(1 - z) * o + z * h]
    return recurrent(p, x, step, number(p, 15), number(p, 100), *h)


def lstm_direction(p, weight, acts, back, x, *states):
    n, options = number(p, 2), message(p, 15)
    f, g, out = [activation(fields(a)) for a in acts]
    w, r = [weights(weight, i, n, -1) for i in range(1, 5)], [weights(weight, 20 + i, n, n) for i in range(4)]
    b = [weights(weight, 40 + i, n) if number(options, 20) else 0 for i in range(4)]
    peep = [weights(weight, 60 + i, n) if number(options, 40) else 0 for i in range(3)]
    b[1] = b[1] + number(options, 30)

    def step(x, h, c):
        def total(gate):
            return x @ w[gate].T + h @ r[gate].T + b[gate]
        i = f(limited(total(0) + peep[0] * c))
        forget = 1 - i if number(options, 50) else f(limited(total(1) + peep[1] * c))
        c = limited(forget * c + i * g(limited(total(2))), number(options, 60) or 50)
        return [f(limited(total(3) + peep[2] * c)) * out(c), c]
    return recurrent(p, x, step, number(options, 10), back, *states)


def lstm(p, x, *states):
    return lstm_direction(p, message(p, 20), p[10], number(p, 100), x, *states)


def bidirectional_lstm(p, x, *states):
    one, two = (lstm_direction(p, fields(p[20][i]), p[10 + i], i == 1, x, *states[2 * i:2 * i + 2]) for i in (0, 1))
    return [np.concatenate([one[0], two[0]], 2)] + one[1:] + two[1:]


# ---- on exact values

def gelu(p, x):
    if number(p, 1) == 0:
        return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    if number(p, 1) == 1:
        return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    return x / (1 + np.exp(-1.702 * x))


def activated(p, x):
    if 25 in p:
        return np.where(x > 0, x, weights(message(p, 25), 1, -1, 1, 1) * x)
    if 71 in p:
        alpha, beta = (weights(message(p, 71), f, -1, 1, 1) for f in (1, 2))
        return alpha * np.log1p(np.exp(beta * x))
    return activation(p)(x)


def unary_function(p, x):
    x, alpha, epsilon = (number(p, 5) or 1) * x + number(p, 4), number(p, 2), number(p, 3) or 1e-6
    return (np.sqrt, lambda x: 1 / np.sqrt(x + epsilon), lambda x: 1 / (x + epsilon), lambda x: x ** alpha, np.exp,
            np.log, np.abs, lambda x: np.maximum(x, alpha))[number(p, 1)](x)


def bias(p, x):
    shape = integers(p, 1)
    return x + weights(p, 2, *(shape if len(shape) == 3 else shape + [1, 1]))


def reduction(function):
    def run(p, x):
        axes = tuple(range(x.ndim)) if number(p, 3) or 1 not in p else tuple(whole(p, 1))
        y = function(x, axes)
        return y if number(p, 2) else y.squeeze(axes)
    return run


def extreme(function):
    return lambda p, x: function(x, axis(p)) if number(p, 2) else np.expand_dims(function(x, axis(p)), axis(p))


def softmax(p, x):
    e = np.exp(x - x.max(axis(p), keepdims=True))
    return e / e.sum(axis(p), keepdims=True)


def layer_norm(p, x):
    shape = whole(p, 1)
    axes = tuple(range(-len(shape), 0))
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + number(p, 2))
    return y * weights(p, 3, *shape) + weights(p, 4, *shape)


def matmul(p, x, *y):
    if not y:
        w = weights(p, 8, number(p, 6), number(p, 5))
        return x @ w.T + (weights(p, 9, -1) if number(p, 7) else 0)
    x = np.swapaxes(x, -1, -2) if number(p, 1) else x
    return x @ (np.swapaxes(y[0], -1, -2) if number(p, 2) else y[0])


def inner_product(p, x):
    return x @ weights(p, 20, number(p, 2), -1).T + (weights(p, 21, -1) if number(p, 10) else 0)


def embedding_nd(p, x):
    return weights(p, 20, number(p, 2), number(p, 1)).T[places_of(x[..., 0])] + weights(p, 21, -1)


def embedding(p, x):
    return five(weights(p, 20, number(p, 2), number(p, 1)).T[places_of(x[:, :, 0, 0, 0])])


def concat(p, *x):
    if not number(p, 2):
        return np.concatenate(x, axis(p))
    stacked = np.stack(x, axis(p) % x[0].ndim + 1)
    return stacked.reshape([n * (len(x) if a == axis(p) % x[0].ndim else 1) for a, n in enumerate(x[0].shape)])


def split(p, x):
    sizes = integers(p, 3)
    return np.split(x, np.cumsum(sizes)[:-1] if sizes else number(p, 2), axis(p))


def rank_preserving(p, x):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(whole(p, 1))])


def slices(p, x):
    index = []
    for a in range(x.ndim):
        begin, end, stride = whole(p, 1)[a], whole(p, 3)[a], whole(p, 5)[a]
        index.append((0 if integers(p, 2)[a] else begin) if integers(p, 6)[a] else slice(
            None if integers(p, 2)[a] else begin, None if integers(p, 4)[a] else end, stride))
    return x[tuple(index)]


def scatter(p, x, places, updates):
    data, updates = np.moveaxis(x.copy(), axis(p), 0), np.moveaxis(updates, axis(p), 0)
    for k, place in enumerate(places_of(places)):
        data[place] = joined(MODES[number(p, 2)], data[place], updates[k])
    return np.moveaxis(data, 0, axis(p))


def scatter_nd(p, x, places, updates):
    data = x.copy()
    for at in np.ndindex(*places.shape[:-1]):
        to = tuple(places_of(places[at]))
        data[to] = joined(MODES[number(p, 1)], data[to], updates[at])
    return data


def scatter_along(p, x, places, updates):
    data = x.copy()
    for at in np.ndindex(*places.shape):
        to = list(at)
        to[axis(p)] = int(places[at])
        data[tuple(to)] = joined(MODES[number(p, 2)], data[tuple(to)], updates[at])
    return data


MODES = ("update", "add", "sub", "mul", "div", "max", "min")


def reverse_sequence(p, x, lengths):
    moved = np.moveaxis(x.copy(), (axis(p), axis(p, 2)), (0, 1))
    for k, n in enumerate(lengths):
        moved[k, :int(n)] = moved[k, :int(n)][::-1]
    return np.moveaxis(moved, (0, 1), (axis(p), axis(p, 2)))


def one_hot(p, x):
    y = np.where(places_of(x)[..., None] == np.arange(number(p, 1)), number(p, 3), number(p, 4))
    return np.moveaxis(y, -1, axis(p, 2))


def windows(p, x):
    size, step = number(p, 2), number(p, 3)
    starts = range(0, x.shape[axis(p)] - size + 1, step)
    return np.stack([np.take(x, np.arange(s, s + size), axis(p)) for s in starts], axis(p))


def top_k(p, x):
    order = np.argsort(x if number(p, 3) else -x, axis(p), kind="stable")
    places = np.take(order, np.arange(number(p, 2)), axis(p))
    return [np.take_along_axis(x, places, axis(p)), places]


def cumsum(p, x):
    x = np.flip(x, axis(p)) if number(p, 3) else x
    y = np.cumsum(x, axis(p)) - (x if number(p, 2) else 0)
    return np.flip(y, axis(p)) if number(p, 3) else y


def band(p, x):
    lower, upper = axis(p), axis(p, 2)
    x = x if lower < 0 else np.triu(x, -lower)
    return x if upper < 0 else np.tril(x, upper)


def unary(function):
    return lambda p, x: function(x)


def pair(function):
    return lambda p, x, y: function(x, y)


def folded(function):
    return lambda p, *x: functools.reduce(function, x)


def compared(function, field):
    return lambda p, x, *y: function(x, y[0] if y else number(p, field))


LAYERS = {
    130: activated, 140: inner_product, 150: embedding, 160: instance_norm, 165: mvn, 170: l2_normalize, 180: lrn,
    220: unary_function, 230: lambda p, *x: sum(x), 231: folded(np.multiply), 240: lambda p, *x: sum(x) / len(x),
    250: bias, 260: folded(np.maximum), 261: folded(np.minimum), 270: dot, 280: map_reduction,
    330: lambda p, x: np.split(x, number(p, 1), -3), 345: reorganize, 600: lambda p, x: x,
    340: lambda p, x: np.tile(x, (number(p, 1), 1, 1, 1, 1)),
    400: simple_recurrent, 410: gru, 420: lstm, 430: bidirectional_lstm,
    635: lambda p: np.arange(number(p, 2), number(p, 1), number(p, 3)),
    660: lambda p, x: np.clip(x, number(p, 1), number(p, 2)),
    665: unary(np.ceil), 670: unary(np.floor), 680: unary(np.sign), 685: unary(np.rint), 700: unary(np.exp2),
    710: unary(np.sin), 715: unary(np.cos), 720: unary(np.tan), 730: unary(np.arcsin), 735: unary(np.arccos),
    740: unary(np.arctan), 750: unary(np.sinh), 755: unary(np.cosh), 760: unary(np.tanh), 770: unary(np.arcsinh),
    775: unary(np.arccosh), 780: unary(np.arctanh),
    790: unary(np.vectorize(math.erf)), 795: gelu,
    815: compared(np.equal, 1), 820: compared(np.not_equal, 1), 825: compared(np.less, 2),
    827: compared(np.less_equal, 2), 830: compared(np.greater, 2), 832: compared(np.greater_equal, 2),
    840: pair(np.logical_or), 845: pair(np.logical_xor), 850: unary(np.logical_not), 855: pair(np.logical_and), 865: pair(np.mod), 870: pair(np.minimum), 875: pair(np.maximum), 880: pair(np.add),
    885: pair(np.power), 890: pair(np.divide), 895: pair(np.floor_divide), 900: pair(np.multiply),
    905: pair(np.subtract), 920: lambda p, x: np.tile(x, integers(p, 1)), 925: lambda p, *x: np.stack(x, axis(p)),
    930: lambda p, x, i: np.take(x, places_of(i), axis(p)),
    935: scatter, 940: lambda p, x, i: x[tuple(np.moveaxis(places_of(i), -1, 0))], 945: scatter_nd, 950: softmax,
    952: lambda p, x, i: np.take_along_axis(x, places_of(i), axis(p)), 954: scatter_along,
    960: lambda p, x: np.flip(x, [a for a, turned in enumerate(integers(p, 1)) if turned]), 965: reverse_sequence,
    975: split, 980: concat, 985: lambda p, x: x.transpose(whole(p, 1)), 995: slices, 1005: windows, 1015: top_k,
    1020: extreme(np.argmin), 1025: extreme(np.argmax), 1040: embedding_nd, 1045: matmul,
    1065: lambda p, x: np.array(x.shape), 1070: lambda p: weights(p, 2, *integers(p, 1)),
    1080: lambda p, x: np.full(x.shape, number(p, 1)), 1085: lambda p: np.full(integers(p, 2), number(p, 1)),
    1100: lambda p, x, y: np.broadcast_to(x, y.shape), 1105: lambda p, x: np.broadcast_to(x, integers(p, 1)),
    1120: lambda p, x: np.squeeze(x, None if number(p, 2) else tuple(whole(p, 1))),
    1125: lambda p, x: np.expand_dims(x, tuple(whole(p, 1))),
    1130: lambda p, x: x.reshape(int(np.prod(x.shape[:axis(p)])), -1), 1135: lambda p, x, y: x.reshape(y.shape),
    1140: lambda p, x: x.reshape(whole(p, 1)), 1145: lambda p, x, y: x.reshape(places_of(y)), 1150: rank_preserving,
    1155: lambda p, x: np.pad(x, np.reshape(integers(p, 2), (-1, 2)), constant_values=number(p, 1)),
    1250: reduction(lambda x, a: np.abs(x).sum(a, keepdims=True)),
    1255: reduction(lambda x, a: np.sqrt((x * x).sum(a, keepdims=True))),
    1260: reduction(lambda x, a: x.max(a, keepdims=True)), 1265: reduction(lambda x, a: x.min(a, keepdims=True)),
    1270: reduction(lambda x, a: x.sum(a, keepdims=True)), 1275: reduction(lambda x, a: x.prod(a, keepdims=True)),
    1280: reduction(lambda x, a: x.mean(a, keepdims=True)),
    1285: reduction(lambda x, a: np.log(x.sum(a, keepdims=True))),
    1290: reduction(lambda x, a: (x * x).sum(a, keepdims=True)),
    1295: reduction(lambda x, a: np.log(np.exp(x).sum(a, keepdims=True))), 1315: band,
    1320: lambda p, x: np.tril(x, axis(p)), 1325: lambda p, x: np.triu(x, axis(p)),
    1330: lambda p, c, x, y: np.where(c != 0, x, y), 1350: layer_norm, 1450: one_hot, 1455: cumsum,
    1460: lambda p, x: np.minimum(number(p, 2), np.where(x >= 0, x, number(p, 1) * x)),
    1461: lambda p, x: np.argsort(-x if number(p, 2) else x, axis(p), kind="stable"),
    1470: lambda p, x, b: np.take(x, np.arange(int(b[0]), int(b[0]) + number(p, 2)), axis(p, 3)),
}


MODES_OF_GRIDS = "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS"
FORMS = ("CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST")


def crops(p, x, roi):
    height, width = integers(p, 1)
    return crop_resize({"x": x.reshape(x.shape[-4:]), "roi": roi, "target_height": height, "target_width": width,
                        "normalized_coordinates": number(p, 2), "spatial_scale": floats(p, 5)[0] if 5 in p else 1,
                        "sampling_mode": MODES_OF_GRIDS[number(message(p, 3), 1)],
                        "box_coordinate_mode": FORMS[number(message(p, 4), 1)]}, 0)


LAYERS[212] = crops


def windows(p, x, same):
    """What conv and pool read: "same", the odd number on the side that asymmetryMode says."""
    return {"x": x, "strides": integers(p, 20 if same == 31 else 30),
            "pad_type": "same_lower" if number(message(p, same), 1) == 1 else "same"}


def convolution(p, x):
    kernel = floats(message(p, 90), 1).astype(np.float64)
    return conv({**windows(p, x, 51), "weight": kernel.reshape([number(p, 1), number(p, 2)] + integers(p, 20))}, 0)


def pooling(p, x):
    return pool(("max", "avg", "l2")[number(p, 1)])(
        {**windows(p, x, 31), "kernel_sizes": integers(p, 10), "exclude_padding_from_average": number(p, 50)}, 0)


LAYERS.update({100: convolution, 120: pooling})


def preprocessed(network, name, color, planes):
    """One step after the other of those for this picture."""
    for step in map(fields, network.get(2, [])):
        if text(step, 1) not in ("", name):
            continue
        if 11 in step:
            planes = planes - floats(message(step, 11), 1).astype(np.float64).reshape(planes.shape)
            continue
        scaler = message(step, 10)
        biases = [number(scaler, f) for f in {10: (30,), 20: (22, 21, 20), 30: (20, 21, 22)}[color]]
        planes = planes * number(scaler, 10, 1) + np.reshape(biases, (-1, 1, 1))
    return planes


def evaluate(network, blobs):
    for layer in map(fields, network[1]):
        kind = next(k for k in layer if k >= 100)
        names = [name.decode() for name in layer.get(3, [])]
        made = LAYERS[kind](fields(layer[kind][0]), *(blobs[name.decode()] for name in layer.get(2, [])))
        for name, y in zip(names, made if isinstance(made, list) else [made]):
            blobs[name] = np.asarray(y, np.float64)
