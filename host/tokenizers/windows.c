/* windows.c - truncation, and laying out tokens and special tokens as the model takes them. After
 * Hugging Face tokenizers, utils/truncation.rs and processors/template.rs. [any-thread] */
#include "tokenizer_inside.h"
#include "errors.h"

/* A limit on what windows may multiply a text to; the first one may have any size. */
#define MAX_WINDOW_TOKENS (1u << 24)

/* How one text is cut: part 0 is kept, the others are what did not fit. */
struct cut {
    size_t n_tokens, max_tokens, step;
    size_t n_parts;
    bool left;
};

struct part {
    size_t first, end;
};

static struct part cut_part(const struct cut *cut, size_t i)
{
    if (cut->n_tokens <= cut->max_tokens)
        return (struct part){0, cut->n_tokens};
    size_t skipped = i * cut->step;
    if (cut->left) {
        size_t end = cut->n_tokens - skipped;
        return (struct part){end > cut->max_tokens ? end - cut->max_tokens : 0, end};
    }
    size_t rest = cut->n_tokens - skipped;
    return (struct part){skipped, skipped + (rest < cut->max_tokens ? rest : cut->max_tokens)};
}

static model_status make_cut(const struct truncation_plan *plan, size_t n_tokens, size_t max_tokens,
                             struct cut *ret, struct model_error *err)
{
    *ret = (struct cut){n_tokens, max_tokens, 0, 1, plan->left};
    if (n_tokens <= max_tokens || max_tokens == 0 || !plan->windows)
        return MODEL_OK;
    if (plan->stride >= max_tokens)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "a stride of %zu tokens needs windows with room for more than %zu tokens "
                         "of text: raise max_tokens or lower the stride",
                         plan->stride, max_tokens);
    ret->step = max_tokens - plan->stride;
    ret->n_parts = 1 + (n_tokens - max_tokens + ret->step - 1) / ret->step;
    return MODEL_OK;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How long a text looks to the reference, which stops reading (from the end, when that is kept) behind
 * the first word of the model with which it has whole_tokens. It shows where two long texts share. */
static size_t seen_tokens(const struct truncation_plan *plan, const struct token_list *list)
{
    size_t n = list->n_tokens;
    for (size_t i = plan->whole_tokens > 0 ? plan->whole_tokens - 1 : 0; i < n; i++) {
        size_t at = plan->left ? n - 1 - i : i;
        size_t beyond = plan->left ? at - 1 : at + 1; /* the next token that way */
        bool ends = i + 1 == n || list->tokens[beyond].word != list->tokens[at].word;
        if (ends && !list->tokens[at].added)
            return i + 1;
    }
    return n;
}

/* The longer text loses until both are equal, then each in turn: the first has the smaller half of an
 * odd number, unless it was the longer one. */
static void longest_first(size_t max_tokens, const size_t n[2], size_t ret[2])
{
    size_t shorter = smaller(n[0], n[1]);
    size_t longer = shorter > max_tokens             ? shorter
                    : max_tokens - shorter > shorter ? max_tokens - shorter
                                                     : shorter;
    if (shorter + longer > max_tokens) {
        shorter = max_tokens / 2;
        longer = shorter + max_tokens % 2;
    }
    bool swap = n[0] > n[1];
    ret[0] = swap ? longer : shorter;
    ret[1] = swap ? shorter : longer;
}

/* How many tokens each text may keep. */
static model_status share_out(const struct truncation_plan *plan, const struct token_list *lists,
                              const size_t n[2], bool has_pair, size_t ret[2],
                              struct model_error *err)
{
    ret[0] = n[0];
    ret[1] = n[1];
    if (n[0] + n[1] <= plan->max_tokens)
        return MODEL_OK;
    if (plan->max_tokens == 0) {
        ret[0] = ret[1] = 0;
        return MODEL_OK;
    }
    if (plan->strategy == TRUNCATE_LONGEST_FIRST) {
        ret[0] = plan->max_tokens;
        if (has_pair) {
            const size_t seen[2] = {seen_tokens(plan, &lists[0]), seen_tokens(plan, &lists[1])};
            longest_first(plan->max_tokens, seen, ret);
        }
        return MODEL_OK;
    }
    int target = plan->strategy == TRUNCATE_ONLY_SECOND;
    if (target == 1 && !has_pair)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the truncation only_second needs a pair of texts, but there is one text");
    size_t to_remove = n[0] + n[1] - plan->max_tokens;
    if (n[target] <= to_remove)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the %s text has %zu tokens, too few to cut %zu from it: the other text "
                         "alone fills the %zu tokens that there is room for",
                         target == 0 ? "first" : "second", n[target], to_remove, plan->max_tokens);
    ret[target] = n[target] - to_remove;
    return MODEL_OK;
}

/* A lone space before a text's first word was perhaps put there, and is not trimmed then. */
static struct text_span trimmed(const struct token *token, bool keeps_first_space)
{
    struct text_span span = token->span;
    size_t leading = keeps_first_space && token->one_leading_space ? 0 : token->leading_bytes;
    span.start = leading < span.end - span.start ? span.start + (uint32_t)leading : span.end;
    if (token->trailing_bytes <= span.end)
        span.end = span.end - span.start > token->trailing_bytes ? span.end - token->trailing_bytes
                                                                 : span.start;
    return span;
}

static void put_text(const struct post_processor *processor, const struct token_list *list,
                     struct part part, int sequence, int32_t type_id, struct encoding *ret)
{
    size_t at = ret->n_stored;
    for (size_t i = part.first; i < part.end; i++, at++) {
        const struct token *token = &list->tokens[i];
        ret->ids[at] = token->id;
        ret->type_ids[at] = type_id;
        ret->attention_mask[at] = 1;
        ret->spans[at] = token->span;
        if (processor->trims_offsets)
            ret->spans[at] = trimmed(token, processor->add_prefix_space &&
                                                (i == part.first || token->span.start == 0));
        ret->words[at] = token->word;
        ret->sequences[at] = (int8_t)sequence;
        ret->special_mask[at] = 0;
    }
    ret->n_stored = at;
}

static void put_special(const struct template_piece *piece, struct encoding *ret)
{
    size_t at = ret->n_stored++;
    ret->ids[at] = piece->id;
    ret->type_ids[at] = piece->type_id;
    ret->attention_mask[at] = 1;
    ret->spans[at] = (struct text_span){0, 0};
    ret->words[at] = -1;
    ret->sequences[at] = -1;
    ret->special_mask[at] = 1;
}

struct layout {
    const struct post_processor *processor;
    const struct template *template;
    bool add_special_tokens;
    const struct token_list *lists;
    struct cut cuts[2];
};

static model_status put_window(const struct layout *layout, const struct part parts[2],
                               struct encoding *ret, struct model_error *err)
{
    const struct template *template = layout->template;
    size_t n = 0;
    for (size_t i = 0; i < template->n_pieces; i++) {
        enum piece_kind kind = template->pieces[i].kind;
        n += kind == PIECE_SPECIAL
                 ? layout->add_special_tokens
                 : parts[kind == PIECE_SECOND].end - parts[kind == PIECE_SECOND].first;
    }
    if (ret->n_windows > 0 && (n > MAX_WINDOW_TOKENS || ret->n_stored > MAX_WINDOW_TOKENS - n))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the windows of this text have more than %u tokens in all; take larger "
                         "windows, a smaller stride or a shorter text",
                         MAX_WINDOW_TOKENS);
    if (encoding_reserve(ret, ret->n_stored + n) != MODEL_OK ||
        encoding_reserve_windows(ret, ret->n_windows + 1) != MODEL_OK)
        return error_no_memory(err, "an encoding");
    ret->windows[ret->n_windows++] = (struct encoding_window){ret->n_stored, n};
    for (size_t i = 0; i < template->n_pieces; i++) {
        const struct template_piece *piece = &template->pieces[i];
        int sequence = piece->kind == PIECE_SECOND;
        if (piece->kind != PIECE_SPECIAL)
            put_text(layout->processor, &layout->lists[sequence], parts[sequence], sequence,
                     piece->type_id, ret);
        else if (layout->add_special_tokens)
            put_special(piece, ret);
    }
    return MODEL_OK;
}

/* The parts of the first text that did not fit, each with all parts of the second, and then the first
 * part with those of the second that did not fit: the order of the reference. */
static model_status put_rest(const struct layout *layout, struct encoding *ret,
                             struct model_error *err)
{
    const struct cut *cuts = layout->cuts;
    for (size_t i = 1; i <= cuts[0].n_parts; i++) {
        size_t first = i < cuts[0].n_parts ? i : 0;
        for (size_t second = first == 0; second < cuts[1].n_parts; second++) {
            struct part parts[2] = {cut_part(&cuts[0], first), cut_part(&cuts[1], second)};
            model_status status = put_window(layout, parts, ret, err);
            if (status != MODEL_OK)
                return status;
        }
    }
    return MODEL_OK;
}

model_status windows_assemble(const struct post_processor *processor, bool add_special_tokens,
                              const struct truncation_plan *plan, const struct token_list *lists,
                              bool has_pair, struct encoding *ret, struct model_error *err)
{
    const struct template *template = has_pair ? &processor->pair : &processor->single;
    struct layout layout = {processor, template, add_special_tokens, lists, {{0}, {0}}};
    const size_t n[2] = {lists[0].n_tokens, has_pair ? lists[1].n_tokens : 0};
    size_t kept[2];
    model_status status = share_out(plan, lists, n, has_pair, kept, err);
    for (int i = 0; i < 2 && status == MODEL_OK; i++)
        status = make_cut(plan, n[i], kept[i], &layout.cuts[i], err);
    if (status != MODEL_OK)
        return status;
    ret->truncated = kept[0] < n[0] || kept[1] < n[1];
    const struct part parts[2] = {cut_part(&layout.cuts[0], 0), cut_part(&layout.cuts[1], 0)};
    status = put_window(&layout, parts, ret, err);
    if (status == MODEL_OK && plan->windows)
        status = put_rest(&layout, ret, err);
    if (status == MODEL_OK)
        ret->n_tokens = ret->windows[0].n_tokens;
    return status;
}
