"""coreml_program_places.py - operations of ML Programs that move numbers by places, orders and windows, with numpy;
for coreml_program.py. Each follows the format's words one number or one slice at a time."""
import numpy as np


def whole(i, name, fallback=0):
    return int(i.get(name, fallback))


def indices(i):
    return i["indices"].astype(np.int64)


def batched(function, x, places, batch):
    if batch == 0:
        return function(x, places)
    return np.stack([batched(function, x[k], places[k], batch - 1) for k in range(len(x))])


def gather(i, _):
    axis, batch = whole(i, "axis") % i["x"].ndim, whole(i, "batch_dims")
    return batched(lambda x, places: np.take(x, places, axis - batch), i["x"], indices(i), batch)


def gather_along_axis(i, _):
    return np.take_along_axis(i["x"], indices(i), whole(i, "axis"))


def gather_nd(i, _):
    return batched(lambda x, places: x[tuple(np.moveaxis(places, -1, 0))], i["x"], indices(i),
                   whole(i, "batch_dims"))


def joined(mode, x, y):
    return {"update": y, "add": x + y, "sub": x - y, "mul": x * y, "div": x / y, "max": np.maximum(x, y),
            "min": np.minimum(x, y)}[mode]


def scatter(i, _):
    data, mode = np.moveaxis(i["data"].copy(), whole(i, "axis"), 0), i.get("mode", "add")
    updates = np.moveaxis(i["updates"], whole(i, "axis"), 0)
    for k, place in enumerate(indices(i)):
        data[place] = joined(mode, data[place], updates[k])
    return np.moveaxis(data, 0, whole(i, "axis"))


def scatter_along_axis(i, _):
    data, axis, places = i["data"].copy(), whole(i, "axis"), indices(i)
    for at in np.ndindex(*places.shape):
        to = list(at)
        to[axis] = places[at]
        data[tuple(to)] = joined(i.get("mode", "add"), data[tuple(to)], i["updates"][at])
    return data


def scatter_nd(i, _):
    data, places = i["data"].copy(), indices(i)
    for at in np.ndindex(*places.shape[:-1]):
        to = tuple(places[at])
        data[to] = joined(i.get("mode", "add"), data[to], i["updates"][at])
    return data


def order(x, axis, ascending):
    return np.argsort(x if ascending else -x, axis=axis, kind="stable")


def topk(i, _):
    axis, k = whole(i, "axis", -1), whole(i, "k", 1)
    places = np.take(order(i["x"], axis, i.get("ascending", False)), np.arange(k), axis)
    return [np.take_along_axis(i["x"], places, axis), places]


def cumsum(i, _):
    x, axis = i["x"], whole(i, "axis")
    x = np.flip(x, axis) if i.get("reverse", False) else x
    y = np.cumsum(x, axis)
    y = y - x if i.get("exclusive", False) else y
    return np.flip(y, axis) if i.get("reverse", False) else y


def one_hot(i, _):
    n, axis = whole(i, "one_hot_vector_size"), whole(i, "axis", -1)
    y = np.where(indices(i)[..., None] == np.arange(n), i.get("on_value", 1), i.get("off_value", 0))
    return np.moveaxis(y, -1, axis)


def band_part(i, _):
    x, lower, upper = i["x"], whole(i, "lower", -1), whole(i, "upper", -1)
    x = x if lower < 0 else np.triu(x, -lower)
    return x if upper < 0 else np.tril(x, upper)


def reverse(i, _):
    return np.flip(i["x"], tuple(int(a) for a in i["axes"]) if "axes" in i else None)


def reverse_sequence(i, _):
    x = np.moveaxis(i["x"].copy(), (whole(i, "batch_axis"), whole(i, "seq_axis")), (0, 1))
    for k, n in enumerate(i["lengths"]):
        x[k, :int(n)] = x[k, :int(n)][::-1]
    return np.moveaxis(x, (0, 1), (whole(i, "batch_axis"), whole(i, "seq_axis")))


def sliding_windows(i, _):
    x, axis, size, step = i["x"], whole(i, "axis"), whole(i, "size"), whole(i, "stride", 1)
    starts = range(0, x.shape[axis] - size + 1, step)
    return np.stack([np.take(x, np.arange(s, s + size), axis) for s in starts], axis % x.ndim)


def blocks(name, deep, pixels):
    """deep: out of the picture into the channels; pixels: a block's places count faster than its channels."""
    def move(i, _):
        x, b = i["x"], whole(i, name)
        n, c, h, w = x.shape
        inner = c if deep else c // (b * b)
        y = np.zeros((n, c * b * b, h // b, w // b) if deep else (n, inner, h * b, w * b))
        for channel in range(inner):
            for r in range(b):
                for q in range(b):
                    at = channel * b * b + r * b + q if pixels else (r * b + q) * inner + channel
                    if deep:
                        y[:, at] = x[:, channel, r::b, q::b]
                    else:
                        y[:, channel, r::b, q::b] = x[:, at]
        return y
    return move


# ---- resizing: the places that are read, along one axis

def read_at(n, size, mode):
    """Which of n numbers each of `size` reads, in parts of a number."""
    i = np.arange(size)
    if mode == "ALIGN_CORNERS" and size == 1:
        at = np.array([(n - 1) / 2])
    elif mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        at = i * ((n - 1) / (size - 1) if size > 1 else 0)
    elif mode == "DEFAULT":
        at = i * ((n - n / size) / (size - 1) if size > 1 else 0)
    elif mode == "OFFSET_CORNERS":
        at = (0.5 + i) * max(1, n - 1) / size
    else:
        at = (0.5 + i) * n / size - 0.5
    return np.clip(at, 0, n - 1)


def bilinear(x, axis, size, mode):
    n = x.shape[axis]
    at = read_at(n, size, mode)
    low = np.floor(at + 1e-9).astype(int)
    high = np.minimum(low + 1, n - 1)
    share = (at - low).reshape([-1 if k == axis % x.ndim else 1 for k in range(x.ndim)])
    return np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share


def nearest(x, axis, size, mode):
    n = x.shape[axis]
    if mode == "DEFAULT":
        return np.take(x, np.arange(size) * n // size, axis)
    return np.take(x, np.floor(read_at(n, size, mode) + 0.5).astype(int), axis)


def sized(x, height, width, mode, linear=True):
    if mode == "NEAREST":
        linear, mode = False, "DEFAULT"
    if not linear:
        return nearest(nearest(x, -2, height, mode), -1, width, mode)
    return bilinear(bilinear(x, -2, height, mode), -1, width, mode)


def upsample(mode):
    def run(i, _):
        corners = bool(i.get("align_corners", True))
        half = bool(i.get("half_pixel_centers", not corners))
        chosen = mode or ("STRICT_ALIGN_CORNERS" if corners else "UNALIGN_CORNERS" if half else "DEFAULT")
        height = int(i["x"].shape[-2] * float(i.get("scale_factor_height", 1)))
        return sized(i["x"], height, int(i["x"].shape[-1] * float(i.get("scale_factor_width", 1))), chosen)
    return run


def to_target(mode):
    return lambda i, _: sized(i["x"], whole(i, "target_size_height", 1), whole(i, "target_size_width", 1),
                              mode or i.get("sampling_mode", "DEFAULT"))


def resize(i, _):
    x, dims = i["x"], whole(i, "resized_dims")
    height, width = x.shape[-2:]
    if dims == 2:
        height = int(i["shape"][-2]) or height
    width = int(i["shape"][-1]) or width
    return sized(x, height, width, i.get("sampling_mode", "DEFAULT"),
                 i.get("interpolation_mode", "LINEAR") == "LINEAR")


def crop(i, _):
    (top, bottom), (left, right) = i["crop_height"], i["crop_width"]
    height, width = i["x"].shape[-2:]
    return i["x"][..., int(top):height - int(bottom), int(left):width - int(right)]


def reshape_like(i, _):
    shape = []
    for ref, begin, end, open_end in zip(i["ref_tensors"], i["begins"], i["ends"], i["end_masks"]):
        shape += list(ref.shape[int(begin):] if open_end else ref.shape[int(begin):int(end)])
    return i["x"].reshape(shape)


def flatten2d(i, _):
    axis = whole(i, "axis", 1)
    return i["x"].reshape(int(np.prod(i["x"].shape[:axis])), -1)


def concat(i, _):
    if not i.get("interleave", False):
        return np.concatenate(i["values"], int(i["axis"]))
    axis = int(i["axis"]) % i["values"][0].ndim
    y = np.zeros([s * (len(i["values"]) if a == axis else 1) for a, s in enumerate(i["values"][0].shape)])
    for k, value in enumerate(i["values"]):
        y[(slice(None),) * axis + (slice(k, None, len(i["values"])),)] = value
    return y


PLACES = {
    "gather": gather, "gather_along_axis": gather_along_axis, "gather_nd": gather_nd, "scatter": scatter,
    "scatter_along_axis": scatter_along_axis, "scatter_nd": scatter_nd, "topk": topk,
    "argsort": lambda i, _: order(i["x"], whole(i, "axis", -1), i.get("ascending", False)),
    "cumsum": cumsum, "one_hot": one_hot, "band_part": band_part, "reverse": reverse,
    "reverse_sequence": reverse_sequence, "sliding_windows": sliding_windows,
    "space_to_depth": blocks("block_size", True, False), "depth_to_space": blocks("block_size", False, False),
    "pixel_unshuffle": blocks("downscale_factor", True, True),
    "pixel_shuffle": blocks("upscale_factor", False, True),
    "upsample_bilinear": upsample(None), "upsample_nearest_neighbor": upsample("NEAREST"),
    "resize_bilinear": to_target(None), "resize_nearest_neighbor": to_target("NEAREST"), "resize": resize,
    "crop": crop, "reshape_like": reshape_like,
    "flatten2d": flatten2d, "concat": concat,
    "fill_like": lambda i, _: np.full(i["ref_tensor"].shape, float(i.get("value", 0))),
    "pad": lambda i, _: np.pad(
        i["x"], [(0, 0)] * (i["x"].ndim - len(i["pad"]) // 2) + [tuple(p) for p in i["pad"].reshape(-1, 2)],
        **({"mode": "constant", "constant_values": float(i.get("constant_val", 0))}
           if i.get("mode", "constant") == "constant"
           else {"mode": {"reflect": "reflect", "replicate": "edge"}[i["mode"]]})),
}
