/* post_processor.c - where special tokens go: TemplateProcessing, BertProcessing and RobertaProcessing,
 * all read into templates of pieces; and ByteLevel, which trims spans. After Hugging Face tokenizers,
 * processors/. [any-thread] */
#include "pipeline.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PIECES  1024
#define MAX_TYPE_ID INT32_MAX

static model_status add_piece(struct template *template, struct template_piece piece,
                              const struct json_place *place, struct model_error *err)
{
    if (template->n_pieces >= MAX_PIECES)
        return error_set(err, MODEL_CORRUPT, "%s: %s has more than %d pieces", place->what,
                         place->path, MAX_PIECES);
    struct template_piece *pieces =
        realloc(template->pieces, (template->n_pieces + 1) * sizeof *pieces);
    if (pieces == NULL)
        return error_no_memory(err, place->path);
    template->pieces = pieces;
    template->pieces[template->n_pieces++] = piece;
    template->n_special += piece.kind == PIECE_SPECIAL;
    return MODEL_OK;
}

/* {"Sequence": {"id": "A", "type_id": 0}} */
static model_status add_sequence(struct template *template, const struct json_place *place,
                                 int32_t type_id, struct model_error *err)
{
    const char *id = json_string_or(json_member(place->node, "id"), "");
    if (strcmp(id, "A") != 0 && strcmp(id, "B") != 0)
        return error_set(err, MODEL_CORRUPT, "%s: %s names sequence '%s', want 'A' or 'B'",
                         place->what, place->path, id);
    enum piece_kind kind = *id == 'A' ? PIECE_FIRST : PIECE_SECOND;
    return add_piece(template, (struct template_piece){kind, type_id, 0}, place, err);
}

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}}, whose ids special_tokens lists. */
static model_status add_special(struct template *template, const struct json_place *place,
                                const json_node *special_tokens, int32_t type_id,
                                struct model_error *err)
{
    const char *name = json_string_or(json_member(place->node, "id"), "");
    const json_node *ids = json_member(json_member(special_tokens, name), "ids");
    if (!json_is_array(ids))
        return error_set(err, MODEL_CORRUPT,
                         "%s: %s uses the special token '%s', but post_processor.special_tokens "
                         "lists no ids for it",
                         place->what, place->path, name);
    model_status status = MODEL_OK;
    for (const json_node *i = json_first(ids); i != NULL && status == MODEL_OK; i = json_next(i)) {
        int64_t id;
        if (!json_integer(i, 0, VOCABULARY_MAX_IDS - 1, &id))
            return error_set(err, MODEL_CORRUPT,
                             "%s: post_processor.special_tokens['%s'].ids holds something that is "
                             "not an id",
                             place->what, name);
        status = add_piece(template, (struct template_piece){PIECE_SPECIAL, type_id, (int32_t)id},
                           place, err);
    }
    return status;
}

static model_status load_template(const struct json_place *place, const json_node *special_tokens,
                                  struct template *ret, struct model_error *err)
{
    if (!json_is_array(place->node))
        return error_set(err, MODEL_CORRUPT, "%s: %s is %s, want an array of pieces", place->what,
                         place->path, json_kind(place->node));
    model_status status = MODEL_OK;
    const json_node *item = json_first(place->node);
    for (; item != NULL && status == MODEL_OK; item = json_next(item)) {
        struct json_place piece = *place;
        int64_t type_id = 0;
        bool sequence = json_member(item, "Sequence") != NULL;
        piece.node = json_member(item, sequence ? "Sequence" : "SpecialToken");
        if (piece.node == NULL)
            return error_set(err, MODEL_CORRUPT,
                             "%s: a piece of %s is neither a Sequence nor a SpecialToken",
                             place->what, place->path);
        status = json_field_integer(&piece, "type_id", 0, MAX_TYPE_ID, &type_id, err);
        if (status == MODEL_OK)
            status = sequence ? add_sequence(ret, &piece, (int32_t)type_id, err)
                              : add_special(ret, &piece, special_tokens, (int32_t)type_id, err);
    }
    return status;
}

static bool uses(const struct template *template, enum piece_kind kind)
{
    for (size_t i = 0; i < template->n_pieces; i++)
        if (template->pieces[i].kind == kind)
            return true;
    return false;
}

/* One template is what there can be; a sequence may have ByteLevel beside it. */
static model_status claim_template(const struct json_place *place, struct post_processor *processor,
                                   struct model_error *err)
{
    if (processor->has_template)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: %s adds special tokens twice, which is not supported", place->what,
                         place->path);
    processor->has_template = true;
    return MODEL_OK;
}

static model_status load_templates(const struct json_place *place, struct post_processor *ret,
                                   struct model_error *err)
{
    const json_node *special_tokens = json_member(place->node, "special_tokens");
    struct json_place single = {json_member(place->node, "single"), place->what,
                                "post_processor.single"};
    struct json_place pair = {json_member(place->node, "pair"), place->what, "post_processor.pair"};
    model_status status = claim_template(place, ret, err);
    if (status == MODEL_OK)
        status = load_template(&single, special_tokens, &ret->single, err);
    if (status == MODEL_OK)
        status = load_template(&pair, special_tokens, &ret->pair, err);
    if (status != MODEL_OK)
        return status;
    if (!uses(&ret->single, PIECE_FIRST) || uses(&ret->single, PIECE_SECOND))
        return error_set(err, MODEL_CORRUPT,
                         "%s: post_processor.single must use sequence A and not B", place->what);
    if (!uses(&ret->pair, PIECE_FIRST) || !uses(&ret->pair, PIECE_SECOND))
        return error_set(err, MODEL_CORRUPT,
                         "%s: post_processor.pair must use the sequences A and B", place->what);
    return MODEL_OK;
}

const struct post_processor_type template_processing_type = {"TemplateProcessing", load_templates};

/* "sep": ["[SEP]", 102] */
static model_status pair_id(const struct json_place *place, const char *key, int32_t *ret,
                            struct model_error *err)
{
    const json_node *item = json_first(json_member(place->node, key));
    int64_t id;
    if (!json_is_string(item) || !json_integer(json_next(item), 0, VOCABULARY_MAX_IDS - 1, &id))
        return error_set(err, MODEL_CORRUPT, "%s: %s.%s is not a token and its id", place->what,
                         place->path, key);
    *ret = (int32_t)id;
    return MODEL_OK;
}

static model_status load_pieces(const struct json_place *place, const struct template_piece *pieces,
                                size_t n_pieces, struct template *ret, struct model_error *err)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n_pieces && status == MODEL_OK; i++)
        status = add_piece(ret, pieces[i], place, err);
    return status;
}

static model_status load_bert(const struct json_place *place, struct post_processor *ret,
                              struct model_error *err)
{
    int32_t sep = 0;
    int32_t cls = 0;
    model_status status = claim_template(place, ret, err);
    if (status == MODEL_OK)
        status = pair_id(place, "sep", &sep, err);
    if (status == MODEL_OK)
        status = pair_id(place, "cls", &cls, err);
    if (status != MODEL_OK)
        return status;
    const struct template_piece pieces[] = {{PIECE_SPECIAL, 0, cls},
                                            {PIECE_FIRST, 0, 0},
                                            {PIECE_SPECIAL, 0, sep},
                                            {PIECE_SECOND, 1, 0},
                                            {PIECE_SPECIAL, 1, sep}};
    status = load_pieces(place, pieces, 3, &ret->single, err);
    if (status == MODEL_OK)
        status = load_pieces(place, pieces, 5, &ret->pair, err);
    return status;
}

const struct post_processor_type bert_processing_type = {"BertProcessing", load_bert};

/* "trim_offsets" and "add_prefix_space" */
static model_status load_trimming(const struct json_place *place, struct post_processor *ret,
                                  struct model_error *err)
{
    bool trims = true;
    bool add_prefix_space = true;
    model_status status = json_field_bool(place, "trim_offsets", &trims, err);
    if (status == MODEL_OK)
        status = json_field_bool(place, "add_prefix_space", &add_prefix_space, err);
    if (status != MODEL_OK || !trims)
        return status;
    if (ret->trims_offsets)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: %s trims offsets twice, which is not supported", place->what,
                         place->path);
    ret->trims_offsets = true;
    ret->add_prefix_space = add_prefix_space;
    return MODEL_OK;
}

static model_status load_byte_level(const struct json_place *place, struct post_processor *ret,
                                    struct model_error *err)
{
    bool had_template = ret->has_template;
    model_status status = load_trimming(place, ret, err);
    if (status == MODEL_OK && ret->trims_offsets && had_template)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: %s trims offsets behind the special tokens: want ByteLevel first",
                         place->what, place->path);
    return status;
}

const struct post_processor_type byte_level_processing_type = {"ByteLevel", load_byte_level};

/* <s> A </s>, <s> A </s> </s> B </s>; all of type 0. */
static model_status load_roberta(const struct json_place *place, struct post_processor *ret,
                                 struct model_error *err)
{
    int32_t sep = 0;
    int32_t cls = 0;
    model_status status = claim_template(place, ret, err);
    if (status == MODEL_OK)
        status = load_trimming(place, ret, err);
    if (status == MODEL_OK)
        status = pair_id(place, "sep", &sep, err);
    if (status == MODEL_OK)
        status = pair_id(place, "cls", &cls, err);
    if (status != MODEL_OK)
        return status;
    const struct template_piece pieces[] = {{PIECE_SPECIAL, 0, cls}, {PIECE_FIRST, 0, 0},
                                            {PIECE_SPECIAL, 0, sep}, {PIECE_SPECIAL, 0, sep},
                                            {PIECE_SECOND, 0, 0},    {PIECE_SPECIAL, 0, sep}};
    status = load_pieces(place, pieces, 3, &ret->single, err);
    if (status == MODEL_OK)
        status = load_pieces(place, pieces, 6, &ret->pair, err);
    return status;
}

const struct post_processor_type roberta_processing_type = {"RobertaProcessing", load_roberta};

static model_status load_default(const struct json_place *place, struct post_processor *ret,
                                 struct model_error *err)
{
    const struct template_piece pieces[] = {{PIECE_FIRST, 0, 0}, {PIECE_SECOND, 1, 0}};
    model_status status = load_pieces(place, pieces, 1, &ret->single, err);
    if (status == MODEL_OK)
        status = load_pieces(place, pieces, 2, &ret->pair, err);
    return status;
}

const struct post_processor_type default_processing_type = {NULL, load_default};

void post_processor_finish(struct post_processor *processor)
{
    free(processor->single.pieces);
    free(processor->pair.pieces);
    *processor = (struct post_processor){0};
}
