"""coreml_operations_plain.py - families of the operations that most models are made of: of each number, with windows, of shapes,
of lists, with a choice; and what parameters are when they are left out. For coreml_operations.py."""
import numpy as np

from coreml_writer import BOOL, F16, F32, I8, I32, U8, U32, Tensor, entry, numbers, put, tensor_type


def elements(c):
    x, y = c.input("x", 3, 8), c.input("y", 3, 1)
    below = c.make("sub", x=x, y=np.float32(1))[0]
    for kind in ("abs", "erf", "exp", "square", "tanh", "sigmoid", "relu", "silu", "logical_not"):
        c.add(kind, x=below)
    for kind in ("sqrt", "log"):
        c.add(kind, x=x)
    c.add("log", x=x, epsilon=np.float32(0.5))
    c.add("rsqrt", x=x, epsilon=np.float32(0.5))
    for mode in ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"):
        c.add("gelu", x=below, mode=mode)
    c.add("clip", x=below, alpha=np.float32(-0.3), beta=np.float32(0.4))
    c.add("leaky_relu", x=below, alpha=np.float32(0.3))
    c.add("softmax", x=below, axis=0)


def pairs(c):
    x, y = c.input("x", 3, 8), c.input("y", 3, 1)
    below = c.make("sub", x=x, y=np.float32(1))[0]
    for kind in ("add", "sub", "mul", "real_div", "floor_div", "mod", "maximum", "minimum", "less", "less_equal", "greater",
                 "greater_equal", "equal", "not_equal"):
        c.add(kind, x=below, y=y)
    c.add("pow", x=x, y=below)
    low, high = (c.make(kind, BOOL, x=below, y=edge)[0] for kind, edge in (("less", np.float32(0.3)),
                                                                          ("greater", np.float32(-0.4))))
    for kind in ("logical_and", "logical_or", "logical_xor"):
        c.add(kind, x=low, y=high)
    c.add("select", cond=low, a=x, b=below)
    c.add("linear", x=x, weight=numbers(5, 8), bias=numbers(5))
    c.add("matmul", x=x, y=numbers(8, 4), transpose_x=False, transpose_y=False)


def left_out(c):
    """Numbers so small, or so large, that the ones which are left out count."""
    x, row = c.input("x", 2, 3, 4, 5), c.input("row", 3, 8)
    zero = c.make("mul", x=row, y=np.float32(0))[0]

    def scaled(by, of=x):
        return c.make("mul", x=of, y=np.float32(by))[0]
    c.add("rsqrt", x=scaled(1e-12))
    c.add("inverse", x=scaled(1e-4))
    c.add("log", x=zero)
    c.add("l2_norm", x=scaled(1e-4))
    c.add("local_response_norm", x=scaled(100), size=3)
    for kind in ("instance_norm", "layer_norm"):
        c.add(kind, x=scaled(3e-3), **({"axes": [1]} if kind == "layer_norm" else {}))
    c.add("batch_norm", x=scaled(3e-3), mean=numbers(3, high=0.01), variance=numbers(3, low=1e-6, high=1e-5))
    below = c.make("sub", x=row, y=np.float32(1))[0]
    for kind in ("leaky_relu", "elu", "sigmoid_hard", "scaled_tanh", "thresholded_relu", "clip", "gelu", "softmax"):
        c.add(kind, x=below)
    c.add("fill_like", ref_tensor=row)
    c.add("reduce_log_sum", x=row)


def shapes(c):
    x, y = c.input("x", 2, 3, 4), c.input("y", 1, 3, 1)
    c.add("expand_dims", x=x, axes=[0, -1])
    c.add("squeeze", x=y)
    c.add("squeeze", x=y, axes=[0])
    c.add("reshape", x=x, shape=[0, -1, 2])
    c.add("transpose", x=x, perm=[2, 0, 1])
    c.add("tile", x=x, reps=[1, 2, 3])
    c.add("shape", dtypes=[I32], x=x)
    c.add("fill", shape=[2, 3], value=np.float32(1.5))
    c.add("range_1d", dtypes=[I32], start=2, end=11, step=4)
    c.add("range_1d", start=np.float32(1), end=np.float32(-0.2), step=np.float32(-0.25))
    c.add("stack", values=[x, c.make("relu", x=x)[0]], axis=-2)
    c.add("split", 2, x=x, axis=-1, num_splits=2)
    c.add("split", 2, x=x, axis=1, split_sizes=[1, 2])
    c.add("slice_by_size", x=x, begin=[1, 0, 2], size=[1, 2, -1])
    c.add("slice_by_size", x=x, begin=[0, 1, 0], size=[-1, 2, 3])


def convolutions(c):
    x, y = c.input("x", 2, 4, 7, 6), c.input("y", 1, 3, 9)
    for kind in ("valid", "custom", "same", "same_lower"):
        c.add("conv", x=x, weight=numbers(6, 4, 3, 2), bias=numbers(6), strides=[2, 3], pad_type=kind, pad=[1, 0, 2, 1])
    for kind in ("same", "same_lower"):  # an odd number of them, of which one side has more
        c.add("conv", x=x, weight=numbers(5, 4, 2, 4), pad_type=kind)
        c.add("conv", x=y, weight=numbers(5, 3, 4), strides=[3], pad_type=kind)
    c.add("conv", x=x, weight=numbers(4, 1, 3, 3), pad_type="same", groups=4, dilations=[2, 1])
    c.add("conv", x=x, weight=numbers(6, 2, 2, 2), bias=numbers(6), pad_type="valid", groups=2)
    c.add("conv", x=y, weight=numbers(5, 3, 4), bias=numbers(5), strides=[2], pad_type="custom", pad=[1, 2], dilations=[2])
    c.add("conv_transpose", x=x, weight=numbers(4, 5, 3, 2), bias=numbers(5), strides=[2, 3])
    c.add("conv_transpose", x=x, weight=numbers(4, 2, 3, 4), strides=[2, 2], pad_type="custom", pad=[1, 0, 2, 1], groups=2)
    c.add("conv_transpose", x=x, weight=numbers(4, 5, 4, 3), strides=[2, 1], pad_type="same")
    c.add("conv_transpose", x=x, weight=numbers(4, 5, 4, 3), strides=[2, 1], output_shape=[2, 5, 15, 7])
    c.add("conv_transpose", x=y, weight=numbers(3, 2, 4), bias=numbers(2), strides=[3], pad_type="valid")


def same_pools(c):
    x, y = c.input("x", 2, 3, 7, 8), c.input("y", 1, 2, 9)
    for kind in ("l2_pool", "max_pool", "avg_pool"):
        for pad_type in ("valid", "custom", "same", "same_lower"):
            c.add(kind, x=x, kernel_sizes=[3, 2], strides=[2, 3], pad_type=pad_type, pad=[1, 2, 0, 1])
            c.add(kind, x=x, kernel_sizes=[4, 2], strides=[1, 1], pad_type=pad_type, pad=[2, 1, 0, 1])
        c.add(kind, x=y, kernel_sizes=[4], strides=[3], pad_type="valid")


def lists(c):
    x = c.input("x", 2, 3)
    made = c.program.operation("make_list", [(F32, [])], init_length=3, dynamic_length=True, dtype="fp32",
                               elem_shape=[c.program.const(n) for n in (2, 3)])[0]
    for index, of in enumerate((x, c.make("square", x=x)[0], c.make("exp", x=x)[0])):
        made = c.make("list_write", ls=made, index=index, value=of)[0]
    c.add("list_read", ls=made, index=1)
    c.add("list_gather", ls=made, indices=[2, 0])
    c.add("list_length", dtypes=[I32], ls=made)
    pair = c.make("stack", values=[x, c.make("abs", x=x)[0]], axis=0)[0]
    c.add("list_gather", ls=c.make("list_scatter", ls=made, indices=[1, 2], value=pair)[0], indices=[0, 1, 2])


def block(c, make):
    """What make() adds, as a block by itself."""
    kept, c.program.operations = c.program.operations, []
    made = make()
    inside, c.program.operations = c.program.operations, kept
    return put(4, put(2, made.name) + b"".join(put(3, operation) for operation in inside))


def choices(c):
    x = c.input("x", 2, 3)
    known = c.program.const(True), c.program.const(False)
    seen = c.make("less", BOOL, x=c.make("reduce_sum", x=x, axes=[0, 1])[0], y=np.float32(100))[0]
    for pred in (*known, seen, c.make("logical_not", BOOL, x=seen)[0]):
        blocks = block(c, lambda: c.make("exp", x=x)[0]) + block(c, lambda: c.make("square", x=x)[0])
        made = c.make("cond", F32, pred=pred)[0]
        c.program.operations[-1] += blocks
        c.add("identity", x=made)


def compressed(c):
    """Weights [6, 12] in each form that they may have in weight.bin: in attributes, and the last in inputs."""
    x, p, shape = c.input("x", 2, 12), c.program, np.array([6, 12], np.uint32)
    chosen = np.arange(72) * 5 % 8
    bits = (chosen[:, None] >> np.arange(3) & 1).astype(np.uint8)
    mask = np.arange(72) * 7 % 5 < 2

    def add(kind, field=5, **parts):
        made = Tensor(p.name(kind), F32, [6, 12])
        values = {k: p.stored(*v) if isinstance(v, tuple) else p.value(v)[0] for k, v in parts.items()}
        p.operations.append(put(1, kind) + put(3, put(1, made.name) + put(2, tensor_type(F32, made.shape))) + b"".join(
            entry(field, k, put(1, put(2, v)) if field == 2 else v) for k, v in values.items()))
        c.add("linear", x=x, weight=made)
    add("constexpr_affine_dequantize", quantized_data=((np.arange(72) * 31 % 256).astype(np.uint8).reshape(6, 12), U8),
        zero_point=(np.arange(90, 96, dtype=np.uint8), U8), scale=(numbers(6, low=0.01, high=0.02), F32), axis=0)
    add("constexpr_lut_to_dense", indices=(np.packbits(bits, bitorder="little"), U8), lut=(numbers(8), F32),
        shape=(shape, U32))
    add("constexpr_sparse_to_dense", mask=(np.packbits(mask, bitorder="little"), U8),
        nonzero_data=(numbers(int(mask.sum())), F32), shape=(shape, U32))
    add("constexpr_cast", source_val=(numbers(6, 12).astype(np.float16), F16), output_dtype="fp32")
    add("constexpr_blockwise_shift_scale", 2, data=((np.arange(72) * 31 % 256).astype(np.int8).reshape(6, 12), I8),
        scale=(numbers(2, 3, low=0.01, high=0.02), F32), offset=(np.arange(-3, 3, dtype=np.int8).reshape(2, 3), I8))


PLAIN = (elements, pairs, left_out, shapes, convolutions, same_pools, lists, choices, compressed)
