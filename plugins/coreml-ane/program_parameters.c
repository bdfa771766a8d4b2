/* program_parameters.c - which parameters an operation of an ML Program has, of all versions of the format: one that it does
 * not have would be ignored in silence, and the model be another than its author's. See program.h. */
#include "program.h"

#include <stdio.h>
#include <string.h>

#define MAX_LIST_BYTES 400

#define PAIR      "x y"
#define ONE       "x"
#define REDUCED   "x axes keep_dims"
#define ARG       "x axis keep_dims output_dtype"
#define POOLED    "x kernel_sizes strides pad_type pad ceil_mode"
#define LSTM_OF   "weight_ih weight_hh bias peephole"
#define LSTM_BACK "weight_ih_back weight_hh_back bias_back peephole_back"
#define SEQUENCE  "direction output_sequence activation"
#define SLICE     "begin end stride begin_mask end_mask squeeze_mask"
#define SCATTERED "data indices updates axis mode validate_indices"

/* Parameters that are lists of values; others are one value each. */
#define LISTS "values loop_vars elem_shape ref_tensors begins ends end_masks"

static const struct {
    const char *type, *parameters; /* separated by a space each */
} operations[] = {
    {"abs", ONE},
    {"acos", ONE},
    {"acosh", ONE},
    {"add", PAIR},
    {"affine", "x transform_matrix output_height output_width sampling_mode padding_mode "
               "padding_value coordinates_mode align_corners"},
    {"argsort", "x axis ascending"},
    {"asin", ONE},
    {"asinh", ONE},
    {"atan", ONE},
    {"atanh", ONE},
    {"avg_pool", POOLED " exclude_padding_from_average"},
    {"band_part", "x lower upper"},
    {"batch_norm", "x mean variance gamma beta epsilon"},
    {"cast", "x dtype"},
    {"ceil", ONE},
    {"clamped_relu", "x alpha beta"},
    {"classify", "probabilities classes"},
    {"clip", "x alpha beta"},
    {"concat", "values axis interleave"},
    {"cond", "pred"},
    {"conv", "x weight bias strides pad_type pad dilations groups"},
    {"conv_transpose", "x weight bias strides pad_type pad dilations groups output_shape"},
    {"cos", ONE},
    {"cosh", ONE},
    {"crop", "x crop_height crop_width"},
    {"crop_resize", "x roi boxes box_indices target_height target_width normalized_coordinates "
                    "spatial_scale box_coordinate_mode sampling_mode pad_value"},
    {"cumsum", "x axis exclusive reverse"},
    {"depth_to_space", "x block_size"},
    {"dequantize", "input zero_point scale axis"},
    {"einsum", "values equation"},
    {"elu", "x alpha"},
    {"equal", PAIR},
    {"erf", ONE},
    {"exp", ONE},
    {"exp2", ONE},
    {"expand_dims", "x axes"},
    {"fill", "shape value"},
    {"fill_like", "ref_tensor value"},
    {"flatten2d", "x axis"},
    {"floor", ONE},
    {"floor_div", PAIR},
    {"gather", "x indices axis batch_dims validate_indices"},
    {"gather_along_axis", "x indices axis validate_indices"},
    {"gather_nd", "x indices batch_dims validate_indices"},
    {"gelu", "x mode"},
    {"greater", PAIR},
    {"greater_equal", PAIR},
    {"gru",
     "x initial_h weight_ih weight_hh bias input_bias reset_after recurrent_activation " SEQUENCE},
    {"identity", ONE},
    {"instance_norm", "x gamma beta epsilon"},
    {"inverse", "x epsilon"},
    {"l2_norm", "x epsilon"},
    {"l2_pool", POOLED},
    {"layer_norm", "x axes gamma beta epsilon"},
    {"leaky_relu", "x alpha"},
    {"less", PAIR},
    {"less_equal", PAIR},
    {"linear", "x weight bias"},
    {"linear_activation", "x alpha beta"},
    {"list_gather", "ls indices"},
    {"list_length", "ls"},
    {"list_read", "ls index"},
    {"list_scatter", "ls indices value"},
    {"list_write", "ls index value"},
    {"local_response_norm", "x size alpha beta k"},
    {"log", "x epsilon"},
    {"logical_and", PAIR},
    {"logical_not", ONE},
    {"logical_or", PAIR},
    {"logical_xor", PAIR},
    {"lstm", "x initial_h initial_c " LSTM_OF " " LSTM_BACK
             " recurrent_activation cell_activation clip " SEQUENCE},
    {"make_list", "init_length dynamic_length elem_shape dtype"},
    {"matmul", "x y transpose_x transpose_y"},
    {"max_pool", POOLED},
    {"maximum", PAIR},
    {"minimum", PAIR},
    {"mod", PAIR},
    {"mul", PAIR},
    {"not_equal", PAIR},
    {"one_hot", "indices one_hot_vector_size axis on_value off_value"},
    {"pad", "x pad mode constant_val"},
    {"pixel_shuffle", "x upscale_factor"},
    {"pixel_unshuffle", "x downscale_factor"},
    {"pow", PAIR},
    {"prelu", "x alpha"},
    {"quantize", "input zero_point scale axis output_dtype"},
    {"range_1d", "start end step"},
    {"real_div", PAIR},
    {"reduce_argmax", ARG},
    {"reduce_argmin", ARG},
    {"reduce_l1_norm", REDUCED},
    {"reduce_l2_norm", REDUCED},
    {"reduce_log_sum", REDUCED},
    {"reduce_log_sum_exp", REDUCED},
    {"reduce_max", REDUCED},
    {"reduce_mean", REDUCED},
    {"reduce_min", REDUCED},
    {"reduce_prod", REDUCED},
    {"reduce_sum", REDUCED},
    {"reduce_sum_square", REDUCED},
    {"relu", ONE},
    {"relu6", ONE},
    {"resample", "x coordinates sampling_mode padding_mode padding_value coordinates_mode "
                 "align_corners"},
    {"reshape", "x shape"},
    {"reshape_like", "x ref_tensors begins ends end_masks"},
    {"resize", "x shape resized_dims interpolation_mode sampling_mode"},
    {"resize_bilinear", "x target_size_height target_size_width sampling_mode"},
    {"resize_nearest_neighbor", "x target_size_height target_size_width"},
    {"reverse", "x axes"},
    {"reverse_sequence", "x lengths seq_axis batch_axis"},
    {"rnn", "x initial_h weight_ih weight_hh bias " SEQUENCE},
    {"round", ONE},
    {"rsqrt", "x epsilon"},
    {"scaled_dot_product_attention", "query key value attn_mask"},
    {"scaled_tanh", "x alpha beta"},
    {"scatter", SCATTERED},
    {"scatter_along_axis", SCATTERED},
    {"scatter_nd", "data indices updates mode validate_indices"},
    {"select", "cond a b"},
    {"shape", ONE},
    {"sigmoid", ONE},
    {"sigmoid_hard", "x alpha beta"},
    {"sign", ONE},
    {"silu", ONE},
    {"sin", ONE},
    {"sinh", ONE},
    {"slice_by_index", "x " SLICE},
    {"slice_by_size", "x begin size"},
    {"slice_update", "x update " SLICE},
    {"sliding_windows", "x axis size stride"},
    {"softmax", "x axis"},
    {"softplus", ONE},
    {"softplus_parametric", "x alpha beta"},
    {"softsign", ONE},
    {"space_to_depth", "x block_size"},
    {"split", "x axis num_splits split_sizes"},
    {"sqrt", ONE},
    {"square", ONE},
    {"squeeze", "x axes"},
    {"stack", "values axis"},
    {"sub", PAIR},
    {"tan", ONE},
    {"tanh", ONE},
    {"threshold", "x alpha"},
    {"thresholded_relu", "x alpha"},
    {"tile", "x reps"},
    {"topk", "x k axis ascending sort return_indices output_indices_dtype"},
    {"transpose", "x perm"},
    {"upsample_bilinear",
     "x scale_factor_height scale_factor_width align_corners half_pixel_centers"},
    {"upsample_nearest_neighbor", "x scale_factor_height scale_factor_width"},
    {"while_loop", "loop_vars"},
};

static const char *parameters_of(const char *type)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].type, type) == 0)
            return operations[i].parameters;
    return NULL;
}

static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = words; length > 0 && (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* "x, alpha". */
static const char *list_words(const char *words, char text[MAX_LIST_BYTES])
{
    size_t used = 0;
    for (const char *at = words; *at != '\0' && used + 2 < MAX_LIST_BYTES; at++) {
        if (*at == ' ')
            text[used++] = ',';
        text[used++] = *at;
    }
    text[used] = '\0';
    return text;
}

bool program_check_parameters(struct program *p)
{
    const struct coreml_operation *operation = p->operation;
    const char *known = parameters_of(operation->type);
    char list[MAX_LIST_BYTES];
    for (size_t i = 0; i < operation->n_inputs && known != NULL; i++) {
        const struct coreml_argument *input = &operation->inputs[i];
        if (!has_word(known, input->name)) {
            graph_fail(&p->builder, MODEL_UNSUPPORTED,
                       "'%.60s' has no parameter '%.60s', want among %s", operation->type,
                       input->name, list_words(known, list));
            return false;
        }
        if (input->n_bindings > 1 && !has_word(LISTS, input->name)) {
            graph_fail(&p->builder, MODEL_CORRUPT, "'%.60s' with %zu values as '%.60s', want one",
                       operation->type, input->n_bindings, input->name);
            return false;
        }
    }
    return true;
}
