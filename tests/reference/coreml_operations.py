#!/usr/bin/env python3
"""coreml_operations.py - small ML Programs, each a family of operations in many forms.

    coreml_operations.py OUT_DIR

Writes OUT_DIR/NAME/model.mlpackage for each and prints the names; coreml_program.py evaluates what they must answer.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_operations_plain import PLAIN  # noqa: E402
from coreml_operations_weights import WEIGHTS  # noqa: E402
from coreml_writer import BOOL, F32, I32, Tensor, Writer, numbers  # noqa: E402


class Cases:
    """A program, every result of which is an output."""

    def __init__(self):
        self.program = Writer(False)
        self.n = 0

    def input(self, name, *shape, dtype=F32):
        return self.program.input(name, dtype, shape)

    def make(self, kind, dtype=F32, n=1, **inputs):
        return self.program.operation(kind, [(dtype, [])] * n, **inputs)

    def add(self, kind, n=1, dtypes=None, **inputs):
        for made in self.program.operation(kind, [(d, []) for d in dtypes or [F32] * n], **inputs):
            self.n += 1
            self.program.output(f"{self.n:02}_{kind}", made)

    def declare(self, *shape):
        """The last output, in the description of the model."""
        self.program.outputs[-1] = Tensor(self.program.outputs[-1].name, F32, list(shape))


# ---- what moves numbers

def gathers(c):
    x, places = c.input("x", 2, 4, 3, 5), c.input("places", 2, 3, dtype=I32)
    c.add("gather", x=x, indices=[0, 2, -1], axis=1)
    c.add("gather", x=x, indices=places, axis=1, batch_dims=1)
    c.add("gather", x=x, indices=np.array([[3, 1], [0, 4]]), axis=-1, batch_dims=0, validate_indices=False)
    c.add("gather", x=x, indices=np.array(1), axis=0)
    c.add("gather", x=x, indices=places, axis=3, batch_dims=1)
    c.add("gather_along_axis", x=x, indices=np.arange(2 * 6 * 3 * 5).reshape(2, 6, 3, 5) * 3 % 4, axis=1)
    c.add("gather_along_axis", x=x, indices=np.arange(2 * 4 * 3 * 2).reshape(2, 4, 3, 2) % 5, axis=-1)
    c.add("gather_nd", x=x, indices=np.array([[0, 3, 1], [1, -1, 2]]))
    c.add("gather_nd", x=x, indices=np.array([[[0], [1]], [[1], [1]]]))
    c.add("gather_nd", x=x, indices=np.array([[[3, 1], [0, 2]], [[1, 1], [2, 0]]]), batch_dims=1)


def scatters(c):
    x, y = c.input("x", 3, 4, 2), c.input("y", 3, 5, 2)
    for mode in ("update", "add", "sub", "mul", "div", "max", "min"):
        c.add("scatter", data=x, indices=[1, 3, 1, 0, -1], updates=y, axis=1, mode=mode)
    places = np.arange(30).reshape(3, 5, 2) * 5 % 4
    c.add("scatter_along_axis", data=x, indices=places, updates=y, axis=1, mode="add")
    c.add("scatter_along_axis", data=x, indices=places, updates=y, axis=-2, mode="update")
    c.add("scatter_along_axis", data=x, indices=places, updates=y, axis=1, mode="max")
    c.add("scatter_nd", data=x, indices=np.array([[0, 1], [2, 3], [0, 1]]), updates=numbers(3, 2), mode="add")
    c.add("scatter_nd", data=x, indices=np.array([[2], [0]]), updates=numbers(2, 4, 2), mode="update")
    c.add("scatter", data=x, indices=[2, 0], updates=numbers(2, 4, 2))


def orders(c):
    x = c.input("x", 3, 7, 5)
    lengths = c.input("lengths", 3, dtype=I32)
    c.add("topk", dtypes=[F32, I32], x=x, k=3, axis=1)
    c.add("topk", dtypes=[F32, I32], x=x, k=5, axis=-1, ascending=True)
    c.add("topk", x=x, k=2, axis=0, sort=True, return_indices=False)
    c.add("topk", dtypes=[F32, I32], x=np.array([1, 3, 3, -2, 3, 0], np.float32), k=4)
    c.add("argsort", dtypes=[I32], x=x, axis=1, ascending=True)
    c.add("argsort", dtypes=[I32], x=x)
    c.add("cumsum", x=x, axis=1)
    c.add("cumsum", x=x, axis=-1, exclusive=True)
    c.add("cumsum", x=x, axis=0, reverse=True, exclusive=True)
    c.add("reverse", x=x)
    c.add("reverse", x=x, axes=[1, -1])
    c.add("reverse_sequence", x=x, lengths=lengths, seq_axis=1, batch_axis=0)


def selections(c):
    x, places = c.input("x", 2, 5, 6), c.input("places", 2, 3, dtype=I32)
    c.add("one_hot", indices=places, one_hot_vector_size=4)
    c.add("one_hot", indices=places, one_hot_vector_size=3, axis=1, on_value=np.float32(5),
          off_value=np.float32(-1))
    c.add("band_part", x=x, lower=1, upper=2)
    c.add("band_part", x=x, lower=-1, upper=0)
    c.add("band_part", x=x, lower=0)
    c.add("sliding_windows", x=x, axis=1, size=3)
    c.add("sliding_windows", x=x, axis=-1, size=2, stride=3)
    c.add("flatten2d", x=x, axis=-1)
    c.add("flatten2d", x=x, axis=0)
    c.add("fill_like", ref_tensor=x, value=np.float32(2.5))
    y = c.make("relu", x=x)[0]
    c.add("concat", values=[x, y], axis=1, interleave=True)
    c.add("reshape_like", x=x, ref_tensors=[x, x], begins=[c.program.const(v) for v in (0, 1)],
          ends=[c.program.const(v) for v in (1, 0)], end_masks=[c.program.const(v) for v in (False, True)])


def slices(c):
    x = c.input("x", 3, 7, 5)
    c.add("slice_by_index", x=x, begin=[2, 6, 0], end=[0, 1, 5], stride=[-1, -2, 2])
    c.add("slice_by_index", x=x, begin=[0, 0, 0], end=[0, 0, 0], stride=[-1, -3, 1], begin_mask=[True] * 3,
          end_mask=[True] * 3)
    c.add("slice_by_index", x=x, begin=[-1, 1, -2], end=[0, -1, 0], stride=[1, 2, -1],
          squeeze_mask=[True, False, False])
    c.add("slice_by_index", x=x, begin=[0, 100, -1], end=[3, 2, -100], stride=[2, -1, -1],
          end_mask=[False, False, True])
    c.add("slice_update", x=x, update=numbers(2, 7, 2), begin=[1, 0, -2], end=[3, 0, 0],
          end_mask=[False, True, True], begin_mask=[False, True, False])
    c.add("slice_update", x=x, update=x, begin=[0, 0, 0], end=[3, 7, 5])
    y = c.make("relu", x=c.make("slice_by_size", x=x, begin=[0, 0, 0], size=[3, 2, 1])[0])[0]
    c.add("slice_update", x=x, update=c.make("squeeze", x=y, axes=[2])[0], begin=[0, 6, 3], end=[3, 2, 0],
          stride=[1, -3, 1], squeeze_mask=[False, False, True])
    c.add("pad", x=x, pad=[1, 2, 0, 3], mode="reflect")
    c.add("pad", x=x, pad=[2, 0, 1, 1, 4, 2], mode="replicate")
    c.add("pad", x=x, pad=[0, 1, 1, 0], mode="constant", constant_val=np.float32(-3))


def random_slices(c):
    """As numpy reads them: whatever begins before the beginning, ends behind the end, goes back or is masked."""
    random, x = np.random.RandomState(11), c.input("x", 5, 1, 7)
    for _ in range(6):
        parts = []
        while len(parts) < 60:
            begin, end = random.randint(-9, 10, (2, 3))
            stride = random.choice([-8, -3, -2, -1, 1, 2, 3, 8], 3)
            first, last, single = random.rand(3, 3) < [[0.3], [0.3], [0.2]]
            index = tuple((0 if first[a] else int(begin[a])) if single[a] else
                          slice(None if first[a] else begin[a], None if last[a] else end[a], stride[a])
                          for a in range(3))
            try:
                size = np.zeros((5, 1, 7))[index].size
            except IndexError:
                size = 0
            if size == 0:
                continue
            part = c.make("slice_by_index", x=x, begin=begin, end=end, stride=stride, begin_mask=first,
                          end_mask=last, squeeze_mask=single)[0]
            parts.append(c.make("reshape", x=part, shape=[-1])[0])
        c.add("concat", values=parts, axis=0)


def declared_shapes(c):
    x = c.input("x", 2, 3, 4)
    for shape in ((2, 3, 4), (6, 4), (24,), (1, 2, 3, 1, 4)):
        c.add("relu", x=x)
        c.declare(*shape)
    c.add("reduce_sum", x=x)
    c.declare(1)


def blocks(c):
    x, y = c.input("x", 2, 3, 4, 6), c.input("y", 2, 12, 2, 3)
    c.add("space_to_depth", x=x, block_size=2)
    c.add("pixel_unshuffle", x=x, downscale_factor=2)
    c.add("depth_to_space", x=y, block_size=2)
    c.add("pixel_shuffle", x=y, upscale_factor=2)


def sizes(c):
    x, y = c.input("x", 2, 3, 4, 5), c.input("y", 3, 4, 1)
    for mode in ("DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "UNALIGN_CORNERS", "OFFSET_CORNERS"):
        c.add("resize_bilinear", x=x, target_size_height=7, target_size_width=3, sampling_mode=mode)
    c.add("resize_bilinear", x=x, target_size_height=1, target_size_width=2, sampling_mode="ALIGN_CORNERS")
    c.add("resize_nearest_neighbor", x=x, target_size_height=9, target_size_width=2)
    c.add("upsample_nearest_neighbor", x=x, scale_factor_height=2, scale_factor_width=np.float32(1.5))
    c.add("upsample_bilinear", x=x, scale_factor_height=2, scale_factor_width=3)
    c.add("upsample_bilinear", x=x, scale_factor_height=np.float32(2.5), align_corners=False)
    c.add("upsample_bilinear", x=y, scale_factor_width=2, align_corners=False, half_pixel_centers=False)
    c.add("resize", x=x, shape=[1, 6, 0], resized_dims=2, sampling_mode="UNALIGN_CORNERS")
    c.add("resize", x=y, shape=[4], resized_dims=1, interpolation_mode="NEAREST_NEIGHBOR")
    c.add("crop", x=x, crop_height=[1, 1], crop_width=[0, 3])


def nearest_sizes(c):
    x, y = c.input("x", 2, 3, 4, 5), c.input("y", 3, 4, 1)
    for mode in ("DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "UNALIGN_CORNERS", "OFFSET_CORNERS"):
        for shape in ([7, 3], [1, 12]):
            c.add("resize", x=x, shape=shape, resized_dims=2, interpolation_mode="NEAREST_NEIGHBOR",
                  sampling_mode=mode)
    c.add("resize", x=y, shape=[9, 0], resized_dims=2, interpolation_mode="NEAREST_NEIGHBOR",
          sampling_mode="UNALIGN_CORNERS")


def resamplings(c):
    x, points = c.input("x", 2, 3, 4, 5), c.input("points", 2, 6, 7, 2)
    wide = c.make("sub", x=c.make("mul", x=points, y=np.float32(6))[0], y=np.float32(4))[0]
    unit = c.make("sub", x=points, y=np.float32(0.7))[0]
    for outside in ("constant", "border", "reflection", "symmetric"):
        for nearest in ("bilinear", "nearest"):
            c.add("resample", x=x, coordinates=wide, sampling_mode=nearest, padding_mode=outside,
                  padding_value=np.float32(-2), coordinates_mode="unnormalized", align_corners=True)
    for mode in ("normalized_minus_one_to_one", "normalized_zero_to_one"):
        for corners in (True, False):
            c.add("resample", x=x, coordinates=unit, sampling_mode="bilinear", padding_mode="constant",
                  padding_value=np.float32(0), coordinates_mode=mode, align_corners=corners)


def affine_maps(c):
    x = c.input("x", 2, 3, 4, 5)
    turned = np.array([[0.9, 0.3, 0.1, -0.2, 1.1, -0.3], [1, 0, 0, 0, -1, 0.25]], np.float32)
    for matrix in (turned, turned[:1]):
        for size, corners in (((6, 3), True), ((1, 1), False), ((5, 8), False)):
            c.add("affine", x=x, transform_matrix=matrix, output_height=size[0], output_width=size[1],
                  sampling_mode="bilinear", padding_mode="constant", padding_value=np.float32(0),
                  coordinates_mode="normalized_minus_one_to_one", align_corners=corners)


def crops(c):
    x, moved = c.input("x", 2, 3, 6, 7), c.input("moved", 2, 4)
    ends = c.make("add", x=moved, y=np.array([0, 0, 2, 2.5], np.float32))[0]
    unit = np.array([[0.1, 0.2, 0.8, 0.6], [0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]], np.float32)
    for mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "UNALIGN_CORNERS", "OFFSET_CORNERS"):
        c.add("crop_resize", x=x, boxes=ends, target_height=4, target_width=1, sampling_mode=mode)
        c.add("crop_resize", x=x, boxes=unit, box_indices=[1, 0, 1], target_height=3, target_width=5,
              normalized_coordinates=True, sampling_mode=mode)
    for form in ("CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST"):
        c.add("crop_resize", x=x, boxes=ends, target_height=2, target_width=3, box_coordinate_mode=form,
              pad_value=np.float32(-1), spatial_scale=np.float32(1.25))
    backwards = np.array([[4, 1, 2, 6]], np.float32)
    c.add("crop_resize", x=x, roi=backwards.reshape(1, 1, 4, 1, 1), target_height=3, target_width=3,
          sampling_mode="ALIGN_CORNERS")
    c.add("crop_resize", x=x, roi=np.array([1, 0, 1, 5, 4], np.float32).reshape(1, 1, 5, 1, 1), target_height=3,
          target_width=2)


def pools(c):
    x, y = c.input("x", 2, 3, 7, 8), c.input("y", 1, 2, 9)
    for kind in ("max_pool", "avg_pool"):
        c.add(kind, x=x, kernel_sizes=[3, 2], strides=[3, 3], pad_type="custom", pad=[1, 1, 0, 0], ceil_mode=True)
        c.add(kind, x=x, kernel_sizes=[2, 3], strides=[2, 2], pad_type="valid", ceil_mode=True)
        c.add(kind, x=y, kernel_sizes=[4], strides=[3], pad_type="custom", pad=[1, 1], ceil_mode=True)
        c.add(kind, x=x, kernel_sizes=[2, 2], strides=[3, 3], pad_type="custom", pad=[1, 1, 1, 1], ceil_mode=True)
    c.add("avg_pool", x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1],
          ceil_mode=True, exclude_padding_from_average=True)


# ---- what computes

def norms(c):
    x, y = c.input("x", 2, 6, 3, 4), c.input("y", 2, 5, 4)
    c.add("instance_norm", x=x, gamma=numbers(6), beta=numbers(6, low=0), epsilon=np.float32(1e-4))
    c.add("instance_norm", x=y)
    c.add("batch_norm", x=x, mean=numbers(6), variance=numbers(6, low=0.5), gamma=numbers(6), beta=numbers(6))
    wide = c.input("wide", 1, 100, 2, 2)
    c.add("batch_norm", x=wide, mean=numbers(100), variance=numbers(100, low=0.5), epsilon=np.float32(0.1))
    c.add("l2_norm", x=x)
    c.add("l2_norm", x=y, epsilon=np.float32(0.5))
    c.add("local_response_norm", x=x, size=3, alpha=np.float32(0.7), beta=np.float32(0.5), k=np.float32(2))
    c.add("local_response_norm", x=y, size=4, alpha=np.float32(2))
    c.add("layer_norm", x=x, axes=[1], gamma=numbers(6, low=0.5), beta=numbers(6))
    c.add("layer_norm", x=x, axes=[1, 3], epsilon=np.float32(0.1))
    c.add("layer_norm", x=x, axes=[2, -1], gamma=numbers(3, 4))
    c.add("prelu", x=c.make("sub", x=x, y=np.float32(1))[0], alpha=numbers(6))
    c.add("prelu", x=c.make("sub", x=y, y=np.float32(1))[0], alpha=numbers(5))
    c.add("softplus_parametric", x=x, alpha=numbers(6), beta=numbers(6, low=0.5))


def fewer_bits(c):
    x = c.input("x", 2, 3, 4)
    scale, zero = numbers(3, low=0.01, high=0.02), np.array([1, -5, 20])
    q = c.make("quantize", input=x, scale=scale, zero_point=zero, axis=1, output_dtype="int8")[0]
    c.add("identity", x=q)
    c.add("dequantize", input=q, scale=scale, zero_point=zero, axis=-2)
    q = c.make("quantize", input=x, scale=np.float32(0.005), output_dtype="uint8")[0]
    c.add("identity", x=q)
    c.add("dequantize", input=q, scale=np.float32(0.005))
    c.add("dequantize", input=np.array([[-7, 100], [3, 4]]), scale=numbers(2, low=1, high=2), axis=0)


def products(c):
    x, y, z = c.input("x", 2, 3, 4, 5), c.input("y", 2, 5, 4, 6), c.input("z", 4, 6)
    c.add("einsum", values=[x, y], equation="nchw,nwhu->nchu")
    c.add("einsum", values=[x, z], equation="abcd, ce -> eabd")
    c.add("einsum", values=[x, z], equation="abcd,ef->fa")
    c.add("einsum", values=[z, x], equation="ce,abcd->ceabd")
    c.add("einsum", values=[z, z], equation="ab,ab->")
    c.add("einsum", values=[z, z], equation="ab,cb->ac")
    c.add("matmul", x=z, y=numbers(6))
    c.add("matmul", x=numbers(4), y=z)
    c.add("matmul", x=numbers(2, 3), y=numbers(3, 4))
    c.add("matmul", x=numbers(20, 30), y=numbers(30, 40))
    q, k, v = (c.program.transpose(t, [0, 2, 1, 3]) for t in (x, x, x))
    c.add("scaled_dot_product_attention", query=q, key=k, value=v)
    c.add("scaled_dot_product_attention", query=q, key=k, value=v, attn_mask=numbers(3, 3))
    hidden = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]], bool)
    c.add("scaled_dot_product_attention", query=q, key=k, value=v, attn_mask=hidden)
    seen = c.make("less", BOOL, x=numbers(3, 3), y=numbers(1, 3, low=0.9))[0]
    c.add("scaled_dot_product_attention", query=q, key=k, value=v,
          attn_mask=c.make("logical_or", BOOL, x=seen, y=np.eye(3, dtype=bool))[0])


def recurrences(c):
    x, h, both = c.input("x", 5, 2, 3), c.input("h", 2, 4), c.input("both", 2, 8)

    def weights(gates, suffix=""):
        return {"weight_ih" + suffix: numbers(gates * 4, 3), "weight_hh" + suffix: numbers(gates * 4, 4, high=0.5),
                "bias" + suffix: numbers(gates * 4, low=-0.2)}
    state = {"initial_h": h, "initial_c": h}
    c.add("lstm", 3, x=x, **state, **weights(4), peephole=numbers(12), output_sequence=True)
    c.add("lstm", 3, x=x, **state, **weights(4), clip=np.float32(0.3), direction="reverse")
    c.add("lstm", 3, x=x, initial_h=both, initial_c=both, **weights(4), **weights(4, "_back"),
          peephole=numbers(12), peephole_back=numbers(12, high=0.2), recurrent_activation="relu",
          cell_activation="sigmoid", activation="relu", direction="bidirectional", output_sequence=True)
    c.add("gru", 2, x=x, initial_h=h, **weights(3), output_sequence=True)
    c.add("gru", 2, x=x, initial_h=h, weight_ih=numbers(12, 3), weight_hh=numbers(12, 4), direction="reverse",
          recurrent_activation="tanh", activation="sigmoid")
    c.add("gru", 2, x=x, initial_h=h, **weights(3), input_bias=numbers(12), reset_after=True, output_sequence=True)
    c.add("gru", 2, x=x, initial_h=h, **weights(3), reset_after=True, direction="reverse")
    c.add("gru", 2, x=x, initial_h=h, **weights(3), input_bias=numbers(12), reset_after=False)


def simple_recurrences(c):
    x, h = c.input("x", 5, 2, 3), c.input("h", 2, 4)
    weights = {"weight_ih": numbers(4, 3), "weight_hh": numbers(4, 4, high=0.5), "bias": numbers(4)}
    c.add("rnn", 2, x=x, initial_h=h, **weights, output_sequence=True)
    c.add("rnn", 2, x=x, initial_h=h, **weights, activation="relu", direction="reverse", output_sequence=True)


def reductions(c):
    x = c.input("x", 2, 3, 4)
    for kind in ("sum", "mean", "max", "min", "prod", "l1_norm", "l2_norm", "log_sum", "sum_square", "log_sum_exp"):
        c.add("reduce_" + kind, x=x, axes=[0, -1], keep_dims=kind in ("max", "log_sum_exp"))
    c.add("reduce_log_sum_exp", x=x)
    c.add("reduce_argmax", dtypes=[I32], x=x, axis=1, keep_dims=True)
    c.add("reduce_argmin", dtypes=[I32], x=x, axis=-1)
    wide = c.input("wide", 2, 3, 4, 130)  # of columns that stay many are summed at a time
    for axes in ([0], [1], [1, 2], [0, 2], [0, 1, 2]):
        c.add("reduce_sum", x=wide, axes=axes)
        c.add("reduce_mean", x=wide, axes=axes)


def activations(c):
    x = c.make("sub", x=c.input("x", 3, 8), y=np.float32(1))[0]
    c.add("threshold", x=x, alpha=np.float32(0.2))
    c.add("thresholded_relu", x=x, alpha=np.float32(0.3))
    c.add("clamped_relu", x=x, alpha=np.float32(0.2), beta=np.float32(0.5))
    c.add("scaled_tanh", x=x, alpha=np.float32(1.5), beta=np.float32(2))
    c.add("sigmoid_hard", x=x)
    c.add("linear_activation", x=x, alpha=np.float32(2), beta=np.float32(-1))
    c.add("elu", x=x, alpha=np.float32(0.5))
    for kind in ("relu6", "softsign", "softplus", "silu", "identity", "sign", "round", "floor", "ceil"):
        c.add(kind, x=x)


def functions(c):
    x = c.make("mul", x=c.input("x", 3, 8), y=np.float32(0.45))[0]
    for kind in ("exp2", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "atanh", "sin", "cos"):
        c.add(kind, x=x)
    c.add("acosh", x=c.make("add", x=x, y=np.float32(1))[0])
    c.add("inverse", x=x, epsilon=np.float32(0.5))


def casts(c):
    edges = np.array([0, .5, -.5, .999, -1, 127.5, 128, -128.9, -129, 255, 256, 300, 32768, 65535, 65536, -32769, 1e10,
                      -1e10, 2049, 65519, 65520, 1e-8, np.inf, -np.inf, np.nan], np.float32)
    zero = c.make("mul", x=c.input("x", 3, 1), y=np.float32(0))[0]
    for dtype in ("bool", "fp16", "fp32", "int8", "uint8", "int16", "uint16", "int32"):
        c.add("cast", x=edges, dtype=dtype)
        c.add("cast", x=c.make("add", x=zero, y=edges)[0], dtype=dtype)


# ---- half of these square roots are NaN, which comes out wherever numpy lets it

def half_numbers(c, name, *shape):
    return c.make("sqrt", x=c.make("sub", x=c.input(name, *shape), y=np.float32(1))[0])[0]


def activations_of_no_numbers(c):
    x = half_numbers(c, "x", 3, 41)
    for kind in ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "softplus", "softsign", "sign",
                 "elu", "sigmoid_hard", "threshold"):
        c.add(kind, x=x, **({"alpha": np.float32(0.2)} if kind == "threshold" else {}))
    c.add("prelu", x=half_numbers(c, "image", 1, 4, 5, 5), alpha=numbers(4))
    c.add("clip", x=x, alpha=np.float32(0.1), beta=np.float32(0.5))
    c.add("thresholded_relu", x=x, alpha=np.float32(0.3))


def pairs_of_no_numbers(c):
    x, y = half_numbers(c, "x", 3, 41), half_numbers(c, "y", 3, 1)
    for kind in ("maximum", "minimum", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal"):
        c.add(kind, x=x, y=y)
    for kind in ("maximum", "minimum"):
        c.add(kind, x=y, y=x)
        c.add(kind, x=x, y=np.float32(0.5))
    c.add("clamped_relu", x=x, alpha=np.float32(0.2), beta=np.float32(0.5))
    c.add("log", x=x)
    c.add("softmax", x=x)


def extremes_of_no_numbers(c):
    x, image = half_numbers(c, "x", 3, 41), half_numbers(c, "image", 1, 4, 6, 6)
    for kind in ("max", "min", "sum"):
        c.add("reduce_" + kind, x=x, axes=[0])
    c.add("reduce_argmax", dtypes=[I32], x=x, axis=0)
    c.add("reduce_argmin", dtypes=[I32], x=x, axis=1)
    for kind in ("max_pool", "avg_pool"):
        c.add(kind, x=image, kernel_sizes=[2, 2], strides=[1, 1], pad_type="valid")
        c.add(kind, x=image, kernel_sizes=[2, 2], strides=[1, 1], pad_type="custom", pad=[1, 0, 0, 1])
    for mode in ("max", "min"):
        c.add("scatter", data=x, indices=[1, 1, 0], updates=half_numbers(c, mode, 3, 41), axis=0, mode=mode)


FAMILIES = {f.__name__: f for f in (
    gathers, scatters, orders, selections, slices, random_slices, declared_shapes, blocks, sizes, nearest_sizes,
    resamplings, affine_maps, crops, pools, norms, fewer_bits, products, recurrences,
    simple_recurrences, reductions, activations, functions, casts,
    activations_of_no_numbers, pairs_of_no_numbers, extremes_of_no_numbers) + PLAIN + WEIGHTS}


def write(name, cases, folder):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    cases.program.write(os.path.join(folder, name, "model.mlpackage"))


def main(folder):
    for name, family in FAMILIES.items():
        made = Cases()
        family(made)
        write(name, made, folder)
        print(name)


if __name__ == "__main__":
    main(sys.argv[1])
