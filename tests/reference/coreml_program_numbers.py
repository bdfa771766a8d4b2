"""coreml_program_numbers.py - operations of ML Programs that compute: norms, products, recurrent layers, functions,
fewer bits; with numpy, for coreml_program.py."""
import numpy as np


def whole(i, name, fallback=0):
    return int(i.get(name, fallback))


def by_channel(x, vector):
    return np.asarray(vector).reshape([-1] + [1] * (x.ndim - 2))


def layer_norm(i, _):
    x = i["x"]
    axes = tuple(int(a) % x.ndim for a in i["axes"]) if "axes" in i else tuple(range(x.ndim))
    shape = [n if a in axes else 1 for a, n in enumerate(x.shape)]
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + i.get("epsilon", 1e-5))
    gamma, beta = (np.broadcast_to(i.get(n, d), [x.shape[a] for a in sorted(axes)]).reshape(shape)
                   for n, d in (("gamma", 1), ("beta", 0)))
    return y * gamma + beta


def instance_norm(i, _):
    x, axes = i["x"], tuple(range(2, i["x"].ndim))
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + i.get("epsilon", 1e-5))
    return y * by_channel(x, i.get("gamma", 1)) + by_channel(x, i.get("beta", 0))


def batch_norm(i, _):
    x, of = i["x"], lambda name, fallback=None: by_channel(i["x"], i.get(name, fallback))
    return (x - of("mean")) / np.sqrt(of("variance") + i.get("epsilon", 1e-5)) * of("gamma", 1) + of("beta", 0)


def l2_norm(i, _):
    x = i["x"]
    return x / np.sqrt((x * x).sum((-3, -2, -1), keepdims=True) + i.get("epsilon", 1e-6))


def local_response_norm(i, _):
    x, size = i["x"], whole(i, "size")
    y = np.zeros(x.shape)
    for c in range(x.shape[1]):
        first = c - (size - 1) // 2
        around = (x[:, max(first, 0):first + size] ** 2).sum(1)
        y[:, c] = x[:, c] / (i.get("k", 1) + i.get("alpha", 1e-4) / size * around) ** i.get("beta", 0.75)
    return y


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(i, _):
    scores = i["query"] @ np.swapaxes(i["key"], -1, -2) / np.sqrt(i["query"].shape[-1])
    if "attn_mask" in i:
        mask = i["attn_mask"]
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    return softmax(scores) @ i["value"]


# ---- recurrent layers

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}


def chosen(i, name, fallback):
    return ACTIVATIONS[i.get(name, fallback)]


def lstm_one(i, suffix, backwards, h, c):
    n = h.shape[1]
    gate, cell = chosen(i, "recurrent_activation", "sigmoid"), chosen(i, "cell_activation", "tanh")
    peep = np.split(i.get("peephole" + suffix, np.zeros(3 * n)), 3)
    steps = [None] * len(i["x"])
    for s in (reversed(range(len(steps))) if backwards else range(len(steps))):
        sums = i["x"][s] @ i["weight_ih" + suffix].T + h @ i["weight_hh" + suffix].T + i.get("bias" + suffix, 0)
        i_, f_, o_, z_ = np.split(sums, 4, 1)
        c = gate(f_ + peep[1] * c) * c + gate(i_ + peep[0] * c) * cell(z_)
        c = np.clip(c, -i["clip"], i["clip"]) if "clip" in i else c
        h = gate(o_ + peep[2] * c) * chosen(i, "activation", "tanh")(c)
        steps[s] = h
    return np.stack(steps), h, c


def lstm(i, _):
    direction, h, c = i.get("direction", "forward"), i["initial_h"], i["initial_c"]
    if direction == "bidirectional":
        n = h.shape[1] // 2
        one, two = lstm_one(i, "", False, h[:, :n], c[:, :n]), lstm_one(i, "_back", True, h[:, n:], c[:, n:])
        y, h, c = (np.concatenate(pair, -1) for pair in zip(one, two))
    else:
        y, h, c = lstm_one(i, "", direction == "reverse", h, c)
    return [y if i.get("output_sequence", False) else h[None], h, c]


def stepped(i, step, bias):
    h, steps = i["initial_h"], [None] * len(i["x"])
    back = i.get("direction", "forward") == "reverse"
    for s in (reversed(range(len(steps))) if back else range(len(steps))):
        h = steps[s] = step(i["x"][s] @ i["weight_ih"].T + bias, h)
    return [np.stack(steps) if i.get("output_sequence", False) else h[None], h]


def gru(i, _):
    """The state is reset before its product with the weights; with reset_after that product is, bias and all."""
    gate, new = chosen(i, "recurrent_activation", "sigmoid"), chosen(i, "activation", "tanh")
    bias, of_input, after = i.get("bias", 0), i.get("input_bias", 0), i.get("reset_after", False)
    weight, inside = np.split(i["weight_hh"], 3), np.split(np.zeros(len(i["weight_hh"])) + (bias if after else 0), 3)

    def step(x, h):
        xr, xo, xz = np.split(x, 3, 1)
        r, z = gate(xr + h @ weight[0].T + inside[0]), gate(xz + h @ weight[2].T + inside[2])
        o = r * (h @ weight[1].T + inside[1]) if after else (r * h) @ weight[1].T
        return (1 - z) * new(xo + o) + z * h
    return stepped(i, step, of_input if after else bias + of_input)


def rnn(i, _):
    return stepped(i, lambda x, h: chosen(i, "activation", "tanh")(x + h @ i["weight_hh"].T), i.get("bias", 0))


# ---- fewer bits

def along(i, name, x):
    value = np.asarray(i[name])
    if value.ndim == 0:
        return value
    return value.reshape([-1 if a == whole(i, "axis") % x.ndim else 1 for a in range(x.ndim)])


def quantize(i, _):
    x = i["input"]
    y = np.around(x / along(i, "scale", x)) + (along(i, "zero_point", x) if "zero_point" in i else 0)
    return np.clip(y, *((0, 255) if i["output_dtype"] == "uint8" else (-128, 127)))


def dequantize(i, _):
    x = i["input"]
    return along(i, "scale", x) * (x - (along(i, "zero_point", x) if "zero_point" in i else 0))


def lowest_bits_first(packed, n):
    return np.unpackbits(packed.astype(np.uint8), bitorder="little")[:n]


def from_table(i, _):
    n, n_bits = int(np.prod(i["shape"])), int(np.log2(len(i["lut"])))
    places = lowest_bits_first(i["indices"], n * n_bits).reshape(n, n_bits) @ (1 << np.arange(n_bits))
    return i["lut"][places].reshape(i["shape"])


def from_mask(i, _):
    y = np.zeros(int(np.prod(i["shape"])))
    y[lowest_bits_first(i["mask"], y.size) == 1] = i["nonzero_data"]
    return y.reshape(i["shape"])


def by_blocks(i, _):
    def each(of):
        for axis, n in enumerate(i["data"].shape):
            of = np.repeat(of, n // of.shape[axis], axis)
        return of
    return each(i["scale"]) * (i["data"] - (each(i["offset"]) if "offset" in i else 0))


def keeping(i, y, axes):
    return y if i.get("keep_dims", False) else y.squeeze(axes)


def log_sum_exp(i, _):
    axes = tuple(int(a) for a in i["axes"]) if "axes" in i else tuple(range(i["x"].ndim))
    return keeping(i, np.log(np.exp(i["x"]).sum(axes, keepdims=True)), axes)


def position(function):
    return lambda i, _: keeping(i, np.expand_dims(function(i["x"], whole(i, "axis", -1)), whole(i, "axis", -1)),
                                whole(i, "axis", -1))


def reduction(function):
    def run(i, _):
        axes = tuple(int(a) for a in i["axes"]) if "axes" in i else tuple(range(i["x"].ndim))
        return function(i["x"], axes, bool(i.get("keep_dims", False)))
    return run


def cast(i, _):
    """Whole numbers as if by way of an int32, whose low bits stay; what is no number is 0."""
    x, dtype = np.asarray(i["x"], np.float64), i["dtype"]
    if dtype == "bool":
        return x != 0
    if not dtype.endswith(("int8", "int16", "int32")):
        return x.astype(np.float16).astype(np.float64) if dtype == "fp16" else x
    whole = np.where(np.isnan(x), 0, x).clip(-1 << 31, (1 << 31) - 1).astype(np.int64)
    return whole.astype(dtype).astype(np.int64)


def unary(function):
    return lambda i, _: function(i["x"])


NUMBERS = {
    "layer_norm": layer_norm, "batch_norm": batch_norm, "instance_norm": instance_norm, "l2_norm": l2_norm,
    "local_response_norm": local_response_norm, "scaled_dot_product_attention": attention,
    "einsum": lambda i, _: np.einsum(i["equation"], *i["values"]), "lstm": lstm, "gru": gru, "rnn": rnn,
    "constexpr_lut_to_dense": from_table, "constexpr_sparse_to_dense": from_mask,
    "constexpr_cast": lambda i, _: i["source_val"], "constexpr_blockwise_shift_scale": by_blocks,
    "constexpr_affine_dequantize": lambda i, _: dequantize({**i, "input": i["quantized_data"]}, _),
    "quantize": quantize, "dequantize": dequantize, "reduce_log_sum_exp": log_sum_exp,
    "reduce_argmin": position(np.argmin), "reduce_argmax": position(np.argmax),
    "reduce_prod": reduction(lambda x, a, k: np.prod(x, a, keepdims=k)),
    "reduce_l1_norm": reduction(lambda x, a, k: np.abs(x).sum(a, keepdims=k)),
    "reduce_l2_norm": reduction(lambda x, a, k: np.sqrt((x * x).sum(a, keepdims=k))),
    "reduce_log_sum": reduction(lambda x, a, k: np.log(x.sum(a, keepdims=k))),
    "reduce_sum_square": reduction(lambda x, a, k: (x * x).sum(a, keepdims=k)),
    "logical_and": lambda i, _: np.logical_and(i["x"], i["y"]), "logical_not": unary(np.logical_not),
    "logical_or": lambda i, _: np.logical_or(i["x"], i["y"]),
    "logical_xor": lambda i, _: np.logical_xor(i["x"], i["y"]),
    "prelu": lambda i, _: np.where(i["x"] > 0, i["x"], by_channel(i["x"], i["alpha"]) * i["x"]),
    "softplus_parametric": lambda i, _: by_channel(i["x"], i["alpha"]) * np.log1p(
        np.exp(by_channel(i["x"], i["beta"]) * i["x"])),
    "threshold": lambda i, _: np.maximum(i["x"], i.get("alpha", 0)),
    "thresholded_relu": lambda i, _: np.where(i["x"] < i.get("alpha", 1), 0, i["x"]),
    "clamped_relu": lambda i, _: np.minimum(i["beta"], np.where(i["x"] >= 0, i["x"], i["alpha"] * i["x"])),
    "scaled_tanh": lambda i, _: i.get("alpha", 1) * np.tanh(i.get("beta", 1) * i["x"]),
    "sigmoid_hard": lambda i, _: np.clip(i.get("alpha", 0.2) * i["x"] + i.get("beta", 0.5), 0, 1),
    "linear_activation": lambda i, _: i["alpha"] * i["x"] + i.get("beta", 0),
    "elu": lambda i, _: np.where(i["x"] > 0, i["x"], i.get("alpha", 1) * (np.exp(i["x"]) - 1)),
    "relu6": unary(lambda x: np.clip(x, 0, 6)), "softsign": unary(lambda x: x / (1 + np.abs(x))),
    "softplus": unary(lambda x: np.log1p(np.exp(x))), "silu": unary(lambda x: x * sigmoid(x)),
    "cast": cast, "inverse": lambda i, _: 1 / (i["x"] + i.get("epsilon", 1e-4)), "exp2": unary(np.exp2),
    "tan": unary(np.tan), "asin": unary(np.arcsin), "acos": unary(np.arccos), "atan": unary(np.arctan),
    "sinh": unary(np.sinh), "cosh": unary(np.cosh), "asinh": unary(np.arcsinh), "acosh": unary(np.arccosh),
    "atanh": unary(np.arctanh), "sin": unary(np.sin), "cos": unary(np.cos), "floor": unary(np.floor),
    "ceil": unary(np.ceil), "round": unary(np.rint), "sign": unary(np.sign), "identity": unary(lambda x: x),
}
