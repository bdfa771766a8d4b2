#!/usr/bin/env python3
"""coreml_layers_refused.py - NeuralNetworks of one layer each that must be refused.

    coreml_layers_refused.py OUT_DIR

Writes OUT_DIR/NAME/model.mlmodel for each and prints the names, and behind each what the sentence must say.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from coreml_layers import TANH, Network, real, save_network, several, weights  # noqa: E402
from coreml_writer import numbers, put  # noqa: E402

HUGE = 1 << 40
MAP = "a map of shape [1, 2, 3, 4]"
REFUSED = {  # a layer of x [2, 3, 4]: kind, parameters, inputs, what is said, outputs
    "top_of_more": (1015, put(1, -1) + put(2, 5), 1, "sorts out 5 of 4 numbers"),
    "reduction_outside": (1270, several(1, [3]), 1, "dimension 3 of 3"),
    "softmax_outside": (950, put(1, -4), 1, "dimension -4 of 3"),
    "reduction_along_one_twice": (1270, several(1, [0, 1, -3]), 1, "dimension -3 of 3 stands twice in axes"),
    "dimension_made_twice": (1125, several(1, [0, 0]), 1, "dimension 0 of 5 stands twice in axes"),
    "tile_huge": (920, several(1, [HUGE, 1, 1]), 1,
                  f"a value of shape [2, 3, 4] {HUGE} times over along dimension 0, want 1 to "),
    "tile_by_none": (920, several(1, [1, 0, 1]), 1,
                     "a value of shape [2, 3, 4] 0 times over along dimension 1, want 1 to "),
    "split_uneven": (975, put(1, 2) + put(2, 1), 1, "do not split", 3),
    "constant_without_shape": (1070, b"", 0, "a constant of 0 dimensions"),
    "weights_missing": (1045, put(5, 4) + put(6, 2), 1, "layer 1"),
    "weights_huge": (1045, put(5, 4) + put(6, HUGE), 1, "that is none, or too many"),
    "norm_of_none": (180, real(1, 1) + real(2, 1), 1, "a norm of 0 channels"),
    "blocks_of_none": (345, put(1, 1), 1, "in blocks of 0"),
    "blocks_in_no_mode": (345, put(1, 3) + put(2, 2), 1, "'reorganizeData' whose mode is 3, want 0 to 2"),
    "flatten_in_no_mode": (301, put(1, 2), 1, "'flatten' whose mode is 2, want 0 to 1"),
    "reshape_in_no_mode": (300, several(1, [24, 1, 1]) + put(2, 2), 1, "'reshape' whose mode is 2, want 0 to 1"),
    "upsample_in_no_mode": (210, put(5, 2), 1, "'upsample' whose mode is 2, want 0 to 1"),
    "upsample_by_no_corners": (210, put(5, 1) + put(6, 3), 1, "'upsample' whose linearUpsampleMode is 3, want 0 to 2"),
    "resize_by_no_sampling": (211, several(1, [4, 4]) + put(2, put(1, 4)), 1,
                              "'resizeBilinear' whose samplingMethod is 4, want 0 to 2"),
    "resize_by_regions": (211, several(1, [4, 4]) + put(2, put(1, 3)), 1,
                          "'resizeBilinear' whose samplingMethod is 3, want 0 to 2"),
    "unary_of_no_type": (220, put(1, 8), 1, "'unary' whose type is 8, want 0 to 7"),
    "pooling_of_no_type": (120, put(1, 3), 1, "'pooling' whose type is 3, want 0 to 2"),
    "pooling_same_to_no_side": (120, put(31, put(1, 2)), 1, "'pooling' whose asymmetryMode is 2, want 0 to 1"),
    "convolution_same_to_no_side": (100, put(1, 1) + put(51, put(1, 2)), 1,
                                    "'convolution' whose asymmetryMode is 2, want 0 to 1"),
    "crops_by_no_sampling": (212, several(1, [2, 2]) + put(3, put(1, 4)), 2, "whose samplingMethod is 4, want 0 to 3"),
    "crops_of_no_boxes": (212, several(1, [2, 2]) + put(4, put(1, 4)), 2, "whose boxMode is 4, want 0 to 3"),
    "crops_of_another_shape": (212, several(1, [2, 2]), 2, "want [n, 1, 4, 1, 1] or [n, 1, 5, 1, 1]"),
    "pooling_of_less": (120, several(10, [5, 1]), 1, f"pooling by 5 x 1 does not fit {MAP}"),
    "pooling_in_its_padding": (120, several(10, [1, 2]) + put(30, put(1, put(10, b"") + put(10, put(1, 2)))), 1,
                               f"pads the width 4 of {MAP} by 2 before and 0 behind, and a window of 2 would lie"),
    "pooling_by_steps_of_none": (120, several(20, [0, 1]), 1, "a kernel, stride or dilation of 0, want 1 to 65536"),
    "convolution_of_less": (100, put(1, 1) + several(20, [1, 5]) + weights(90, numbers(1, 2, 1, 5)), 1,
                            f"a kernel of 1 x 5 does not fit {MAP}"),
    "convolution_of_other_channels": (100, put(1, 1) + put(2, 3) + several(20, [1, 1]) + weights(90, numbers(3)), 1,
                                      "'convolution' whose kernelChannels is 3, and its input has 2"),
    "transposed_of_other_channels": (
        100, put(1, 2) + put(2, 1) + put(10, 2) + several(20, [1, 1]) + put(60, 1) + weights(90, numbers(2)), 1,
        "'convolution' whose kernelChannels is 1, and its input has 2"),
    "product_of_other_channels": (140, put(1, 5) + put(2, 2) + weights(20, numbers(2, 4)), 1,
                                  "'innerProduct' whose inputChannels is 5, and its input has 4"),
    "product_of_other_weights": (140, put(1, 4) + put(2, 2) + weights(20, numbers(2, 5)), 1,
                                 "are 10 elements, its parameters want 8"),
    "norm_of_other_channels": (160, put(1, 3) + weights(15, numbers(3)), 1,
                               "'batchnorm' whose channels is 3, and its input has 2"),
    "recurrence_of_other_sizes": (400, put(1, 5) + put(2, 4) + put(10, TANH), 1,
                                  "a sequence of shape [2, 3, 4], want [steps, batch, 5, 1, 1]"),
    "embedding_of_other_sizes": (150, put(1, 5) + put(2, 4) + weights(20, numbers(4, 5)), 1,
                                 "an embedding of places of shape [2, 3, 4]"),
    "embedding_of_other_weights": (150, put(1, 5) + put(2, 4) + weights(20, numbers(4, 6)), 1,
                                   "are 24 elements, its parameters want 20"),
    "prelu_of_other_channels": (130, put(25, weights(1, numbers(3))), 1, "are 3 elements, its parameters want 2"),
    "prelu_without_alpha": (130, put(25, b""), 1, "are 0 elements, its parameters want 2"),
    "scale_of_other_channels": (245, several(1, [3, 1, 1]) + weights(2, numbers(3)), 1,
                                "values of shapes [1, 2, 3, 4] and [1, 3, 1, 1] do not go together"),
    "gelu_in_no_mode": (795, put(1, 3), 1, "'gelu' whose mode is 3, want 0 to 2"),
    "slice_along_no_axis": (350, put(2, 1) + put(4, 3), 1, "'slice' whose axis is 3, want 0 to 2"),
    "reduction_in_no_mode": (280, put(1, 10), 1, "'reduce' whose mode is 10, want 0 to 9"),
    "reduction_along_no_axis": (280, put(3, 5), 1, "'reduce' whose axis is 5, want 0 to 4"),
    "activation_of_no_kind": (130, put(99, b""), 1, "activation 99 is not known"),
    "activation_of_none": (130, b"", 1, "no activation is given"),
    "sequence_of_three": (400, put(1, 3) + put(2, 4) + put(10, TANH), 1, "want [steps, batch, 3, 1, 1]"),
    "state_of_none": (400, put(1, 3) + put(10, TANH), 1, "layer 1"),
    "lstm_without_activations": (420, put(1, 3) + put(2, 4), 1, "no activation is given"),
    "scatter_in_no_mode": (935, put(2, 9), 3, "'scatter' whose mode is 9, want 0 to 6"),
    "broadcast_to_another": (1105, several(1, [2, 3, 5]), 1, "does not become"),
    "reshape_to_another": (1140, several(1, [5, 5]), 1,
                           "reshaping a value of shape [2, 3, 4] to [5, 5]: the numbers of both differ"),
    "reshape_to_no_part": (1140, several(1, [5, -1]), 1, "of shape [2, 3, 4] to [5, -1]: the numbers of both differ"),
    "reshape_left_open_twice": (1140, several(1, [-1, -1, 4]), 1,
                                "of shape [2, 3, 4] to [-1, -1, 4]: -1 may stand there once"),
    "windows_without_step": (1005, put(1, 1) + put(2, 2), 1, "0 apart"),
    "slice_of_other_rank": (995, several(1, [0]) + several(3, [1]), 1, "a slice of 3 dimensions"),
    "slice_of_one_outside": (995, several(1, [2, 0, 0]) + several(2, [0] * 3) + several(3, [2, 3, 4]) +
                             several(4, [0] * 3) + several(5, [1] * 3) + several(6, [1, 0, 0]), 1,
                             "takes number 2 of 2, want -2 to 1"),
    "one_hot_of_none": (1450, put(2, 0), 1, "counts to 0"),
    "range_without_end": (635, real(2, 5), 0, "counts to 0"),
    "layer_of_later": (12345, b"", 1, "layer 'layer 1': a layer of kind 12345, which this plugin does not know"),
    "pooling_of_volumes": (1465, b"", 1, "'pooling3d' (1465) is not computed"),
    "convolution_of_volumes": (1471, b"", 1, "'convolution3d' (1471) is not computed"),
    "places_of_what_is_not_zero": (1313, b"", 1, "'whereNonZero' (1313) is not computed"),
}


def main(folder):
    for name, (kind, params, n, words, *outputs) in REFUSED.items():
        p = Network()
        p.add(kind, [p.input("x", 2, 3, 4)] * n, params, *outputs)
        save_network(p, folder, name, words)


if __name__ == "__main__":
    main(*sys.argv[1:])
