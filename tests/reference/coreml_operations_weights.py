"""coreml_operations_weights.py - families of operations whose weights are not read where they lie: of one dimension, of other
dtypes, and made of constants by other operations, each of more numbers than are computed as they are met. For
coreml_operations.py."""
import numpy as np

from coreml_writer import BOOL, F16, F32, U8, Tensor, entry, numbers, put, tensor_type


def half(c, array):
    """The array as a constant of float16."""
    usual, c.program.float = c.program.float, F16
    made = c.program.const(array)
    c.program.float = usual
    return made


def bytes_by_scales(c, *shape):
    """Weights of bytes, a scale for each first index."""
    p, n = c.program, int(np.prod(shape))
    made = Tensor(p.name("constexpr"), F32, list(shape))
    parts = {"quantized_data": p.stored((np.arange(n) * 31 % 256).astype(np.uint8).reshape(shape), U8),
             "zero_point": p.stored(np.arange(90, 90 + shape[0], dtype=np.uint8), U8),
             "scale": p.stored(numbers(shape[0], low=0.001, high=0.002), F32), "axis": p.value(0)[0]}
    p.operations.append(put(1, "constexpr_affine_dequantize") + put(3, put(1, made.name) + put(
        2, tensor_type(F32, made.shape))) + b"".join(entry(5, k, v) for k, v in parts.items()))
    return made


def twice(c, array):
    return c.make("mul", x=array, y=np.float32(2))[0]


def convolutions_of_a_row(c):
    x = c.input("x", 2, 32, 9)
    weight = numbers(16, 32, 3)
    for of in (weight, half(c, weight), bytes_by_scales(c, 16, 32, 3), twice(c, weight)):
        c.add("conv", x=x, weight=of, bias=numbers(16), pad_type="custom", pad=[2, 0], strides=[2])
    c.add("batch_norm", x=c.make("conv", x=x, weight=weight, pad_type="valid")[0], mean=numbers(16),
          variance=numbers(16, low=0.5))
    c.add("conv", x=x, weight=numbers(32, 1, 3), groups=32, pad_type="same")
    y, weight = c.input("y", 2, 16, 5), numbers(16, 8, 4)
    for of in (weight, half(c, weight), bytes_by_scales(c, 16, 8, 4), twice(c, weight)):
        c.add("conv_transpose", x=y, weight=of, bias=numbers(8), strides=[2], pad_type="valid")


def computed_weights(c):
    x, wide = c.input("x", 1, 8, 6, 5), c.input("wide", 1, 70, 3, 2)
    weight = numbers(12, 8, 3, 2)
    turned = c.make("transpose", x=weight.transpose(2, 3, 1, 0), perm=[3, 2, 0, 1])[0]
    flat = bytes_by_scales(c, 12, 48)
    bias = c.make("reduce_sum", x=numbers(12, 9, low=-0.5), axes=[1])[0]
    shaped = c.make("reshape", x=flat, shape=[12, 8, 3, 2])[0]
    rows = c.make("slice_by_index", x=numbers(15, 8, 3, 2), begin=[2, 0, 0, 0], end=[14, 8, 3, 2])[0]
    columns = c.make("slice_by_index", x=numbers(12, 11, 3, 2), begin=[0, 2, 0, 0], end=[12, 10, 3, 2])[0]
    every = c.make("slice_by_index", x=numbers(24, 8, 3, 2), begin=[1, 0, 0, 0], end=[24, 8, 3, 2],
                   stride=[2, 1, 1, 1])[0]
    for of in (turned, shaped, rows, columns, every, twice(c, twice(c, turned)), twice(c, half(c, weight))):
        c.add("conv", x=x, weight=of, bias=bias, pad_type="valid")
    parts = c.program.operation("split", [(F32, [])] * 2, x=numbers(24, 8, 3, 2), num_splits=2, axis=0)
    for part in parts:
        c.add("conv", x=x, weight=part, pad_type="valid")
    c.add("conv_transpose", x=x, weight=c.make("transpose", x=numbers(9, 8, 2, 3), perm=[1, 0, 2, 3])[0])
    c.add("batch_norm", x=wide, mean=twice(c, numbers(70)), variance=twice(c, numbers(70, low=0.5)),
          gamma=twice(c, numbers(70)), beta=twice(c, numbers(70)))
    row = c.input("row", 2, 32)
    c.add("linear", x=row, weight=twice(c, numbers(8, 32)), bias=numbers(8))
    c.add("linear", x=row, weight=c.make("reshape", x=numbers(32, 8), shape=[8, 32])[0])
    c.add("matmul", x=row, y=twice(c, numbers(32, 8)))
    kept = c.make("select", cond=c.make("less", BOOL, x=weight, y=np.float32(0.5))[0], a=weight, b=np.float32(0))[0]
    c.add("conv", x=x, weight=kept, pad_type="valid")
    c.add("concat", values=[kept, weight], axis=0)  # what weights are made of is an answer, too


def computed_recurrent_weights(c):
    x, h = c.input("x", 5, 2, 12), c.input("h", 2, 8)

    def made(kind, gates, suffix=""):
        shapes = {"weight_ih": (gates * 8, 12), "weight_hh": (gates * 8, 8), "bias": (gates * 8,)}
        return {name + suffix: kind(numbers(*shape, low=-0.2, high=0.2)) for name, shape in shapes.items()}

    def doubled(array):
        return twice(c, array)
    both = c.input("both", 2, 16)
    for kind in (doubled, lambda array: half(c, array), lambda array: array):
        c.add("lstm", 3, x=x, initial_h=h, initial_c=h, **made(kind, 4), output_sequence=True)
        c.add("lstm", 3, x=x, initial_h=both, initial_c=both, **made(kind, 4), **made(kind, 4, "_back"),
              direction="bidirectional", output_sequence=True)
        c.add("lstm", 3, x=x, initial_h=h, initial_c=h, **made(kind, 4), clip=np.float32(0.3), direction="reverse")
        c.add("gru", 2, x=x, initial_h=h, **made(kind, 3), output_sequence=True)
    c.add("lstm", 3, x=x, initial_h=h, initial_c=h, weight_ih=bytes_by_scales(c, 32, 12),
          weight_hh=bytes_by_scales(c, 32, 8), output_sequence=True)


WEIGHTS = (convolutions_of_a_row, computed_weights, computed_recurrent_weights)
