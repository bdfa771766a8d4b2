#!/usr/bin/env python3
"""coreml_operations_refused.py - ML Programs of one operation each that must be refused.

    coreml_operations_refused.py OUT_DIR

Writes OUT_DIR/NAME/model.mlpackage for each and prints the names, and behind each what the sentence must say.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_files import fields, text  # noqa: E402
from coreml_operations import FAMILIES, Cases, numbers, write  # noqa: E402
from coreml_writer import I32, put  # noqa: E402


def case(kind, words, **inputs):
    return kind, words, inputs


def unknown(kind, parameter, found, wanted, **inputs):
    return case(kind, f"'{kind}' whose '{parameter}' is '{found}', want {wanted}", **{**inputs, parameter: found})


def array(dtype):
    """A FeatureType of no shape."""
    return put(5, put(2, dtype))


ADVICE = "; the model contradicts itself: convert it again, or tell its author"
HUGE = 1 << 30
NO_DTYPE, INT8, INT32 = 0, 131080, 131104
WANTED = "want FLOAT32, DOUBLE, FLOAT16 or INT32"
CORNERS = "STRICT_ALIGN_CORNERS, ALIGN_CORNERS, UNALIGN_CORNERS or OFFSET_CORNERS"
TYPES = "fp32, bool, fp16, int32, int16, uint16, int8 or uint8"
FORMS = "CORNERS_HEIGHT_FIRST, CORNERS_WIDTH_FIRST, CENTER_SIZE_HEIGHT_FIRST or CENTER_SIZE_WIDTH_FIRST"
PICTURE = numbers(1, 2, 3, 3)
RESAMPLE = {"x": PICTURE, "coordinates": numbers(1, 2, 2, 2), "sampling_mode": "nearest", "padding_mode": "border",
            "coordinates_mode": "unnormalized"}
LSTM = {"initial_h": numbers(3, 4), "initial_c": numbers(3, 4), "weight_ih": numbers(16, 4),
        "weight_hh": numbers(16, 4)}
REFUSED = {  # an operation of x [2, 3, 4]
    "relu_of_two": case("relu", "'relu' with 2 values as 'x', want one", x="xx"),
    "softmax_along_two": case("softmax", "'softmax' with 2 values as 'axis', want one", axis="xx"),
    "reduction_along_one_twice": case("reduce_sum", "'reduce_sum' along dimension 0 of 3 twice", axes=[0, 0]),
    "reduction_along_one_from_both_ends": case("reduce_max", "'reduce_max' along dimension -1 of 3 twice", axes=[2, -1]),
    "dimension_made_twice": case("expand_dims", "'expand_dims' along dimension -5 of 5 twice", axes=[0, -5]),
    "dimension_made_outside": case("expand_dims", "'expand_dims' along dimension 4 of 4", axes=[4]),
    "dimensions_made_without_axes": case("expand_dims", "or without axes"),
    "dimensions_without_end": case("expand_dims", "to too many dimensions", axes=list(range(10))),
    "reshape_left_open_twice": case("reshape", "of shape [2, 3, 4] to [-1, -1, 4]: -1 may stand there once",
                                    shape=[-1, -1, 4]),
    "reshape_to_another": case("reshape", "of shape [2, 3, 4] to [0, 5]: the numbers of both differ", shape=[0, 5]),
    "tile_by_none": case("tile", "a value of shape [2, 3, 4] 0 times over along dimension 1, want 1 to ", reps=[1, 0, 1]),
    "tile_huge": case("tile", f"a value of shape [4, 3, 4] {HUGE} times over along dimension 2, want 1 to ",
                      reps=[2, 1, HUGE]),
    "topk_of_more": case("topk", "sorts out 5 of 4 numbers", k=5),
    "topk_of_none": case("topk", "sorts out 0 of 4 numbers", k=0),
    "range_by_nothing": case("range_1d", "of no numbers, of more than 2^24, or by steps of 0", x=None, start=0, end=10, step=0),
    "range_of_many": case("range_1d", "of no numbers, of more than 2^24, or by steps of 0", x=None, start=0, end=HUGE, step=1),
    "topk_outside": case("topk", "along dimension 3 of 3", axis=3),
    "argsort_outside": case("argsort", "along dimension -4 of 3", axis=-4),
    "cumsum_outside": case("cumsum", "along dimension 7 of 3", axis=7),
    "band_of_a_vector": case("band_part", "want a matrix", x=numbers(4)),
    "one_hot_of_none": case("one_hot", "counts to 0", x=None, indices=[1], one_hot_vector_size=0),
    "one_hot_huge": case("one_hot", "counts to 1073741824", x=None, indices=[1], one_hot_vector_size=HUGE),
    "windows_too_long": case("sliding_windows", "windows of 5", axis=2, size=5),
    "windows_without_step": case("sliding_windows", "0 apart", axis=2, size=2, stride=0),
    "blocks_that_do_not_fit": case("space_to_depth", "in blocks of 5", x=numbers(1, 1, 4, 4), block_size=5),
    "blocks_of_none": case("pixel_shuffle", "in blocks of 0", x=numbers(1, 1, 4, 4), upscale_factor=0),
    "blocks_huge": case("depth_to_space", "in blocks of 1073741824", x=numbers(1, 1, 4, 4), block_size=HUGE),
    "resize_to_none": case("resize_bilinear", "is empty", target_size_height=0),
    "resize_huge": case("resize_nearest_neighbor", "has more than", target_size_height=HUGE, target_size_width=HUGE),
    "resize_by_an_unknown_mode": unknown("resize_bilinear", "sampling_mode", "CORNERS", f"DEFAULT, {CORNERS}"),
    "resize_by_another_interpolation": unknown("resize", "interpolation_mode", "CUBIC", "LINEAR or NEAREST_NEIGHBOR",
                                               shape=[2, 2], resized_dims=2),
    "upsample_by_none": case("upsample_bilinear", "is empty", scale_factor_width=0),
    "resize_three_dimensions": case("resize", "last one or two dimensions", shape=[2, 2, 2], resized_dims=3),
    "crop_of_all": case("crop", "a slice outside it, or empty", crop_height=[2, 1], crop_width=[0, 0]),
    "gather_outside": case("gather", "along dimension 3 of 3", indices=[0], axis=3),
    "gather_batches": case("gather", "with 2 in common", indices=[0], axis=2, batch_dims=2),
    "gather_along_another_shape": case("gather_along_axis", "places of shape [2]", indices=[0, 1], axis=0),
    "gather_too_deep": case("gather_nd", "places of shape [1, 4]", indices=np.array([[0, 0, 0, 0]])),
    "scatter_of_another_shape": case("scatter", "puts [2] at places for [1, 3, 4]", x=None, data=numbers(2, 3, 4),
                                     indices=[0], updates=numbers(2)),
    "scatter_by_an_unknown_mode": unknown("scatter", "mode", "xor", "update, add, sub, mul, div, max or min", x=None,
                                          data=numbers(2, 3), indices=[0], updates=numbers(1, 3)),
    "resample_beyond_an_unknown_edge": unknown("resample", "padding_mode", "wrap",
                                               "constant, border, reflection or symmetric", **RESAMPLE),
    "resample_in_unknown_coordinates": unknown(
        "resample", "coordinates_mode", "pixels",
        "unnormalized, normalized_minus_one_to_one or normalized_zero_to_one", **RESAMPLE),
    "resample_of_triples": case("resample", "coordinates that are no pairs", x=PICTURE, coordinates=numbers(1, 2, 2, 3),
                                sampling_mode="nearest", padding_mode="border", coordinates_mode="unnormalized"),
    "affine_to_the_nearest": unknown("affine", "sampling_mode", "nearest", "bilinear", x=PICTURE,
                                     transform_matrix=numbers(1, 6), padding_mode="constant"),
    "affine_by_five_numbers": case("affine", "without six numbers for all pictures", x=PICTURE,
                                   transform_matrix=numbers(1, 5), sampling_mode="bilinear", padding_mode="constant",
                                   coordinates_mode="normalized_minus_one_to_one"),
    "crops_of_unknown_boxes": unknown("crop_resize", "box_coordinate_mode", "XYWH", FORMS, x=PICTURE,
                                      boxes=numbers(1, 4)),
    "crops_of_three_numbers": case("crop_resize", "boxes of shape [1, 3], want four numbers", x=PICTURE,
                                   boxes=numbers(1, 3)),
    "crops_of_more_boxes_than_pictures": case("crop_resize", "of more boxes than pictures", x=PICTURE,
                                              boxes=numbers(2, 4)),
    "crops_to_no_size": case("crop_resize", "counts to 0", x=PICTURE, boxes=numbers(1, 4), target_height=0),
    "crops_huge": case("crop_resize", "counts to 1073741824", x=PICTURE, boxes=numbers(1, 4), target_width=HUGE),
    "gelu_by_an_unknown_mode": unknown(
        "gelu", "mode", "FAST", "EXACT, TANH_APPROXIMATION or SIGMOID_APPROXIMATION"),
    "pad_by_an_unknown_mode": unknown("pad", "mode", "wrap", "constant, reflect or replicate", pad=[1, 1]),
    "cast_to_an_unknown_type": unknown("cast", "dtype", "int4", TYPES),
    "cast_to_nothing": case("cast", f"'dtype' is '', want {TYPES}"),
    "conv_by_an_unknown_padding": unknown("conv", "pad_type", "full", "valid, custom, same or same_lower",
                                          weight=numbers(5, 3, 2)),
    "pool_by_an_unknown_padding": unknown("max_pool", "pad_type", "same_upper", "valid, custom, same or same_lower",
                                          kernel_sizes=[2]),
    "transposed_conv_by_an_unknown_padding": unknown("conv_transpose", "pad_type", "same_lower",
                                                     "valid, custom or same", weight=numbers(3, 2, 2)),
    "quantize_to_an_unknown_type": unknown("quantize", "output_dtype", "int4", "int8 or uint8", x=None,
                                           input=numbers(2, 3), scale=np.float32(1)),
    "conv_by_weights_of_a_run": case("conv", "'conv' whose weights are computed in each run, want constants", weight="x"),
    "transposed_conv_by_weights_of_a_run": case("conv_transpose", "whose weights are computed in each run, want constants",
                                                weight="x"),
    "conv_by_a_matrix": case("conv", "'conv' whose weights are of other than three or four dimensions",
                             weight=numbers(5, 3)),
    "lstm_by_weights_of_a_run": case("lstm", "'lstm' whose weights are computed in each run, want constants",
                                     **{**LSTM, "weight_ih": "x"}),
    "lstm_of_three_gates": case("lstm", "'lstm' whose weights are not of four gates", **{**LSTM, "weight_hh": numbers(12, 4)}),
    "gru_by_a_vector": case("gru", "'gru' whose weights are no matrix", initial_h=numbers(3, 4),
                            weight_ih=numbers(12, 4), weight_hh=numbers(12)),
    "einsum_with_a_letter_twice": case("einsum", "none twice", x=None, values="xx", equation="aab,abc->c"),
    "einsum_of_other_sizes": case("einsum", "'b' has two sizes", x=None, values="xx", equation="abc,bde->acde"),
    "einsum_of_nothing": case("einsum", "none twice", x=None, values="xx", equation="->"),
    "pad_more_than_there_is": case("pad", "pads 4 numbers by 4", pad=[4, 0], mode="reflect"),
    "slice_without_step": case("slice_by_index", "with a stride of 0", begin=[0, 0, 0], end=[2, 3, 4],
                               stride=[1, 0, 1]),
    "slice_of_one_before_the_beginning": case("slice_by_index", "takes number -3 of 2, want -2 to 1",
                                              begin=[-3, 0, 0], end=[2, 3, 4], squeeze_mask=[True, False, False]),
    "slice_of_one_behind_the_end": case("slice_by_index", "takes number 3 of 3, want -3 to 2", begin=[0, 3, 0],
                                        end=[2, 9, 4], squeeze_mask=[False, True, False]),
    "update_of_another_shape": case("slice_update", "'slice_update' of a slice of shape [1, 3, 4] by one of [2, 3]",
                                    update=numbers(2, 3), begin=[0, 0, 0], end=[1, 3, 4]),
    "update_of_nothing": case("slice_update", "or empty", update=numbers(1), begin=[0, 0, 0], end=[0, 3, 4]),
    "slice_of_nothing": case("slice_by_index", "or empty", begin=[0, 0, 0], end=[2, 3, 4], stride=[1, -1, 1]),
    "split_of_less_than_all": case("split", f"into parts that are not all of it{ADVICE}", split_sizes=[2], axis=2),
    "split_of_more_than_all": case("split", "into parts that are not all of it", split_sizes=[5], axis=2),
    "split_into_another_number": case("split", "into other than its outputs", num_splits=2, axis=2),
    "norm_of_other_channels": case("instance_norm", "do not go together", gamma=numbers(5)),
    "local_norm_of_none": case("local_response_norm", "a norm of 0 channels", size=0),
    "quantize_by_other_scales": case("quantize", "one for each index of its axis", x=None, input=numbers(2, 3),
                                     scale=numbers(2), axis=1, output_dtype="int8"),
    "gru_of_other_weights": case("gru", "a recurrent layer of gates", initial_h=numbers(3, 5),
                                 weight_ih=numbers(12, 4), weight_hh=numbers(12, 4)),
    "lstm_by_an_unknown_activation": unknown("lstm", "activation", "softmax", "sigmoid, tanh or relu", **LSTM),
    "lstm_by_an_unknown_gate": unknown("lstm", "recurrent_activation", "elu", "sigmoid, tanh or relu", **LSTM),
    "lstm_by_an_unknown_cell": unknown("lstm", "cell_activation", "linear", "sigmoid, tanh or relu", **LSTM),
    "lstm_in_an_unknown_direction": unknown("lstm", "direction", "backward", "forward, reverse or bidirectional",
                                            **LSTM),
    "declared_larger": case("relu", "an output of shape [2, 3, 4] that is declared as [2, 3, 5]", declared=[2, 3, 5]),
    "declared_as_nothing": case("relu", "that is declared as [2, 0, 4]", declared=[2, 0, 4]),
    "convolution_by_steps_of_none": case("conv", "convolution along the width: stride is 0, want 1 to", weight=numbers(5, 3, 2),
                                         strides=[0]),
    "convolution_dilated_by_none": case("conv", "convolution along the width: dilation is 0, want 1 to",
                                        weight=numbers(5, 3, 2), dilations=[0]),
    "convolution_padded_by_less": case("conv", "convolution along the width: padding behind is -1, want 0 to",
                                       weight=numbers(5, 3, 2), pad_type="custom", pad=[0, -1]),
    "convolution_of_more_axes": case("conv", "'conv' whose 'strides' has 2 numbers, want 1", weight=numbers(5, 3, 2),
                                     strides=[1, 1]),
    "convolution_padded_on_one_side": case("conv", "'conv' whose 'pad' has 1 numbers, want 2", weight=numbers(5, 3, 2),
                                           pad_type="custom", pad=[1]),
    "pooling_by_steps_of_none": case("max_pool", "pooling along the height: stride is 0, want 1 to", x=PICTURE,
                                     kernel_sizes=[2, 2], strides=[0, 1]),
    "pooling_padded_by_its_kernel": case(
        "max_pool", "pads the width 3 of a map of shape [1, 2, 3, 3] by 2 before and 0 behind, and a window of 2",
        x=PICTURE, kernel_sizes=[2, 2], pad_type="custom", pad=[0, 0, 2, 0]),
    "pooling_of_less": case("avg_pool", "pooling by 4 x 1 does not fit a map of shape [1, 2, 3, 5]", x=numbers(1, 2, 3, 5),
                            kernel_sizes=[4, 1]),
    "convolution_of_less": case("conv", "a kernel of 1 x 6 does not fit a map of shape [1, 2, 3, 5]", x=numbers(1, 2, 3, 5),
                                weight=numbers(4, 2, 1, 6)),
    "relu_with_a_slope": case("relu", "'relu' has no parameter 'alpha', want among x;", alpha=0.5),
    "pair_with_an_axis": case("add", "'add' has no parameter 'axis', want among x, y;", y=numbers(4), axis=1),
    "reduction_misspelt": case("reduce_sum", "no parameter 'keepdims', want among x, axes, keep_dims;", keepdims=True),
    "part_of_a_parameter": case("topk", "'topk' has no parameter 'as', want among x, k, axis, ascending, sort", **{"as": True}),
    "gather_behind_the_end": case("gather", "gathering at place 3 of dimension 1, want -3 to 2", indices=[0, 3], axis=1),
    "gather_before_the_beginning": case("gather", "gathering at place -5 of dimension 2, want -4 to 3", indices=[-5], axis=2),
    "gather_along_behind_the_end": case("gather_along_axis", "gathering at place 2 of dimension 0, want -2 to 1",
                                        indices=np.full((2, 3, 4), 2), axis=0),
    "gather_of_a_point_outside": case("gather_nd", "gathering at place 3 of dimension 1, want -3 to 2",
                                      indices=np.array([[1, 2], [0, 3]])),
    "scatter_behind_the_end": case("scatter", "scattering at place 2 of dimension 0, want -2 to 1", x=None,
                                   data=numbers(2, 3), indices=[2], updates=numbers(1, 3)),
    "concat_of_nothing": case("concat", "'concat' of 0 values, want 1 to 64", x=None, axis=0),
    "concat_of_many": case("concat", "'concat' of 65 values, want 1 to 64", x=None, values="x" * 65, axis=0),
    "stack_of_many": case("stack", "'stack' of 65 values, want 1 to 64", x=None, values="x" * 65, axis=0),
    "relu_of_whole_numbers": case("relu", "'relu' of fp32 that is declared as int32", dtypes=[I32]),
    "declared_as_whole_numbers": case("relu", "an output of fp32 that is declared as int32", output=array(INT32)),
    "declared_as_no_numbers": case("relu", f"an array of dataType 0, which is none, {WANTED}", output=array(NO_DTYPE)),
    "declared_as_bytes": case("relu", f"an array of dataType INT8, which is not computed, {WANTED}", output=array(INT8)),
    "input_of_no_numbers": case("relu", f"an array of dataType 0, which is none, {WANTED}", input_type=array(NO_DTYPE)),
    "non_zero": case("non_zero", "shape depends on the run"),
    "random": case("random_normal", "draws random numbers", x=None, shape=[2]),
}


def kinds():
    """All operations of the families, which are computed."""
    found = set()
    for family in FAMILIES.values():
        c = Cases()
        family(c)
        found |= {text(fields(o), 1) for o in c.program.operations}
    return sorted(kind for kind in found if kind != "const" and not kind.startswith("constexpr_"))


# A parameter that no version of the format has given an operation.
REFUSED.update({f"misspelt_{kind}": case(kind, f"'{kind}' has no parameter 'nothing', want among ", x=None, nothing=1)
                for kind in kinds()})


def more_than_memory():
    """400 values of 2 GiB that are all wanted in the end."""
    c = Cases()
    x = c.input("x", 1)
    ones = c.make("fill", shape=[1 << 29], value=np.float32(1))[0]
    values = [c.make("add", x=ones, y=x)[0] for _ in range(400)]
    total = x
    for value in values:
        total = c.make("add", x=total, y=c.make("reduce_sum", x=value, axes=[0])[0])[0]
    c.add("relu", x=total)
    return c


def weights_of_a_small_file():
    """A kernel of 50 MB that a file of a few bytes names."""
    c = Cases()
    weight = c.make("fill", shape=[1 << 12, 3, 1 << 10], value=np.float32(1))[0]
    c.add("conv", x=c.input("x", 1, 3, 1 << 10), weight=weight)
    return c


def recurrence_by_weights_of_a_run():
    c = Cases()
    weight = c.input("w", 12, 4)
    c.add("gru", x=c.input("x", 2, 3, 4), initial_h=numbers(3, 4), weight_ih=numbers(12, 4), weight_hh=weight)
    return c


def repeats(value):
    """"xx": a list of x and x."""
    return isinstance(value, str) and set(value) == {"x"}


def refused(name):
    kind, _, inputs = REFUSED[name]
    c = Cases()
    x = c.input("x", 2, 3, 4)
    inputs = {"x": x, **inputs}
    declared, output, x.feature = (inputs.pop(k, None) for k in ("declared", "output", "input_type"))
    inputs = {k: [x] * len(v) if repeats(v) else v for k, v in inputs.items() if v is not None}
    c.add(kind, **inputs)
    c.program.outputs[-1].feature = output
    if declared is not None:
        c.declare(*declared)
    return c


def main(folder):
    for name, (_, words, _) in REFUSED.items():
        write(name, refused(name), folder)
        print(name, words)
    for family, words in ((more_than_memory, "a run of the model takes "),
                          (weights_of_a_small_file, "whose weights are computed in each run, want constants"),
                          (recurrence_by_weights_of_a_run, "'gru' whose weights are computed in each run, want constants")):
        write(family.__name__, family(), folder)
        print(family.__name__, words)


if __name__ == "__main__":
    main(sys.argv[1])
