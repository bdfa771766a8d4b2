/* cmd_tokenize.c - `modelhost tokenize PKG`: what the tokenizer makes of texts. */
#include "errors.h"
#include "package_file.h"
#include "json_view.h"
#include "modelhost_commands.h"
#include "tokenizer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char cmd_tokenize_help[] =
    "usage: modelhost tokenize PKG [--text TEXT]... [--pair TEXT] [--jsonl [--details]]\n"
    "                          [--no-special] [--store DIR] [--passphrase-file FILE]\n\n"
    "Prints the tokens of texts, as the Hugging Face tokenizers library would make them. PKG is a\n"
    "name in the store, a package's folder, or any folder with tokenizer.json, vocab.txt, or\n"
    "vocab.json and merges.txt.\n"
    "Without --text the texts are the lines of standard input.\n\n"
    "  --text TEXT   a text; may be given several times\n"
    "  --jsonl       each input line is a JSON string or {\"text\":..,\"pair\":..}; each output line\n"
    "                {\"ids\":[..],\"type_ids\":[..],\"tokens\":[..]}, or {\"error\":..}\n"
    "                and exit code 1 at the end\n"
    "  --details     with --jsonl: also \"spans\", each token's bytes [from, to] in its text, and\n"
    "                \"decoded\", the text of the ids without special tokens\n"
    "  --pair TEXT   a second text for every --text\n"
    "  --no-special  without [CLS], [SEP] and the like\n"
    "  --store DIR   default: MODELHOST_STORE, or ~/.cache/modelhost\n" COMMAND_LOAD_SECRET_HELP;

#define MAX_DECODED_BYTES (256u << 20)

struct tokenize {
    const struct tokenizer *tokenizer;
    struct encoding encoding;
    struct tokenizer_options options;
    bool details;
    size_t n_failed; /* lines that could not be tokenized */
};

static model_status print_encoding(const struct tokenize *tokenize, struct model_error *err)
{
    const struct encoding *encoding = &tokenize->encoding;
    for (size_t i = 0; i < encoding->n_tokens; i++) {
        const char *token = tokenizer_token(tokenize->tokenizer, encoding->ids[i]);
        printf("%s%s", i > 0 ? " " : "", token != NULL ? token : "?");
    }
    putchar('\n');
    for (size_t i = 0; i < encoding->n_tokens; i++)
        printf("%s%lld", i > 0 ? " " : "", (long long)encoding->ids[i]);
    putchar('\n');
    return ferror(stdout) != 0 ? command_flush(err) : MODEL_OK;
}

static bool add_details(const struct tokenize *tokenize, json_node *root)
{
    const struct encoding *encoding = &tokenize->encoding;
    json_node *spans = json_add_array(root, "spans");
    bool whole = spans != NULL;
    for (size_t i = 0; i < encoding->n_tokens && whole; i++) {
        json_node *span = json_add_array(spans, NULL);
        whole = json_add_number(span, NULL, encoding->spans[i].start) != NULL &&
                json_add_number(span, NULL, encoding->spans[i].end) != NULL;
    }
    struct buffer text = BUFFER_INIT(MAX_DECODED_BYTES);
    struct model_error ignored = MODEL_ERROR_INIT;
    whole = whole &&
            tokenizer_decode(tokenize->tokenizer, encoding->ids, encoding->n_tokens, true, &text,
                             &ignored) == MODEL_OK &&
            json_add_text(root, "decoded", text.data != NULL ? text.data : "", text.size) != NULL;
    buffer_finish(&text);
    return whole;
}

static model_status print_jsonl(const struct tokenize *tokenize, struct model_error *err)
{
    const struct encoding *encoding = &tokenize->encoding;
    json_node *root = json_new_object();
    json_node *ids = json_add_array(root, "ids"), *type_ids = json_add_array(root, "type_ids"),
              *tokens = json_add_array(root, "tokens");
    bool whole = tokens != NULL;
    for (size_t i = 0; i < encoding->n_tokens && whole; i++) {
        const char *token = tokenizer_token(tokenize->tokenizer, encoding->ids[i]);
        whole = json_add_number(ids, NULL, (double)encoding->ids[i]) != NULL &&
                json_add_number(type_ids, NULL, (double)encoding->type_ids[i]) != NULL &&
                json_add_string(tokens, NULL, token != NULL ? token : "") != NULL;
    }
    if (whole && tokenize->details)
        whole = add_details(tokenize, root);
    char *text = whole ? json_print(root, false) : NULL;
    json_free(root);
    if (text == NULL)
        return error_no_memory(err, "a line");
    (void)puts(text);
    free(text);
    return ferror(stdout) != 0 ? command_flush(err) : MODEL_OK;
}

/* The line's place is kept: each line of the input has one of the output. */
static model_status print_json_error(const char *sentence, struct model_error *err)
{
    json_node *root = json_new_object();
    char *text = json_add_string(root, "error", sentence) != NULL ? json_print(root, false) : NULL;
    json_free(root);
    if (text == NULL)
        return error_no_memory(err, "a line");
    (void)puts(text);
    free(text);
    return ferror(stdout) != 0 ? command_flush(err) : MODEL_OK;
}

static model_status encode(struct tokenize *tokenize, const char *text, size_t text_bytes,
                           const char *pair, struct model_error *err)
{
    return tokenizer_encode(tokenize->tokenizer, text, text_bytes, pair,
                            pair != NULL ? strlen(pair) : 0, &tokenize->options,
                            &tokenize->encoding, err);
}

static model_status encode_json(struct tokenize *tokenize, const char *line, size_t line_bytes,
                                struct model_error *err)
{
    json_node *root = NULL;
    model_status status = json_parse(line, line_bytes, "the line", &root, err);
    if (status != MODEL_OK)
        return status;
    const json_node *text = json_is_object(root) ? json_member(root, "text") : root;
    const json_node *pair = json_member(root, "pair");
    if (!json_is_string(text) || !(json_is_null(pair) || json_is_string(pair)))
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "want a JSON string or {\"text\":..,\"pair\":..}");
    if (status == MODEL_OK) {
        const char *string = json_string_or(text, "");
        status = encode(tokenize, string, strlen(string), json_string_or(pair, NULL), err);
    }
    json_free(root);
    return status;
}

/* What is wrong with a line is said in its place; only a failed write ends the run. */
static model_status do_json_line(struct tokenize *tokenize, const char *line, size_t line_bytes,
                                 struct model_error *err)
{
    if (encode_json(tokenize, line, line_bytes, err) == MODEL_OK)
        return print_jsonl(tokenize, err);
    tokenize->n_failed++;
    return print_json_error(err->message, err);
}

static model_status do_plain_line(struct tokenize *tokenize, const char *line, size_t line_bytes,
                                  size_t number, const char *pair, struct model_error *err)
{
    model_status status = encode(tokenize, line, line_bytes, pair, err);
    if (status == MODEL_OK)
        return print_encoding(tokenize, err);
    tokenize->n_failed++;
    error_prefix(err, "line %zu", number);
    (void)command_fail(status, err);
    return MODEL_OK;
}

static model_status do_stdin(struct tokenize *tokenize, const char *pair, bool jsonl,
                             struct model_error *err)
{
    model_status status = MODEL_OK;
    size_t n_lines = 0, line_bytes = 0;
    for (const char *line;
         status == MODEL_OK && (line = command_next_line(&line_bytes, &status, err)) != NULL;) {
        n_lines++;
        status = jsonl ? do_json_line(tokenize, line, line_bytes, err)
                       : do_plain_line(tokenize, line, line_bytes, n_lines, pair, err);
    }
    if (status == MODEL_OK && tokenize->n_failed > 0)
        status = error_set(err, MODEL_INVALID_ARGUMENT, "%zu of %zu lines could not be tokenized",
                           tokenize->n_failed, n_lines);
    if (status == MODEL_INVALID_ARGUMENT && tokenize->n_failed > 0)
        error_advise(err, jsonl ? "the \"error\" in a line's place says why"
                                : "what is wrong with each stands above");
    return status;
}

/* A folder with tokenizer files is taken as it is; anything else is a name in the store. */
static model_status open_tokenizer(const struct command_places *places,
                                   const struct command_loading *loading, const char *name,
                                   struct tokenizer **ret, struct model_error *err)
{
    char *dir = NULL;
    struct archive_access access = {.level = ARCHIVE_CHECKSUM};
    if (path_is_dir(name))
        return tokenizer_load(name, ret, err);
    model_status status = command_find_package(places, name, &dir, err);
    struct archive *archive = NULL;
    if (status == MODEL_OK)
        status = command_secret(loading, &access.secret, err);
    if (status == MODEL_OK)
        status = package_archive_open_with(dir, &access, &archive, err);
    if (status == MODEL_OK)
        status = tokenizer_load_from(archive, dir, ret, err);
    archive_close(archive);
    free(dir);
    return status;
}

static model_status tokenize_all(struct tokenize *tokenize, char **texts, size_t n_texts,
                                 const char *pair, bool jsonl, struct model_error *err)
{
    if (n_texts == 0)
        return do_stdin(tokenize, pair, jsonl, err);
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n_texts && status == MODEL_OK; i++) {
        status = encode(tokenize, texts[i], strlen(texts[i]), pair, err);
        if (status == MODEL_OK)
            status = jsonl ? print_jsonl(tokenize, err) : print_encoding(tokenize, err);
    }
    return status;
}

int cmd_tokenize(int argc, char **argv)
{
    static const struct option options[] = {{"text", required_argument, NULL, 't'},
                                            {"pair", required_argument, NULL, 'p'},
                                            {"jsonl", no_argument, NULL, 'j'},
                                            {"no-special", no_argument, NULL, 'n'},
                                            {"store", required_argument, NULL, 's'},
                                            {"details", no_argument, NULL, 'd'},
                                            {"passphrase-file", required_argument, NULL, 'P'},
                                            {"key-file", required_argument, NULL, 'K'},
                                            {NULL, 0, NULL, 0}};
    struct command_places places = {0};
    struct command_loading loading = {0};
    struct tokenize tokenize = {.encoding = ENCODING_INIT, .options = {.add_special_tokens = true}};
    const char *pair = NULL;
    bool jsonl = false;
    char **texts = calloc((size_t)argc, sizeof *texts);
    size_t n_texts = 0;
    for (int c; texts != NULL && (c = command_next_option(argc, argv, ":", options)) != -1;) {
        switch (c) {
        case 't':
            texts[n_texts++] = optarg;
            break;
        case 'p':
            pair = optarg;
            break;
        case 'j':
            jsonl = true;
            break;
        case 'd':
            tokenize.details = true;
            break;
        case 'n':
            tokenize.options.add_special_tokens = false;
            break;
        case 's':
            places.store_dir = optarg;
            break;
        case 'P':
            loading.passphrase_file = optarg;
            break;
        case 'K':
            loading.key_file = optarg;
            break;
        default:
            free(texts);
            return COMMAND_USAGE;
        }
    }
    if (texts == NULL || argc - optind != 1) {
        free(texts);
        return command_usage(argv[0], "wants one package or folder, got %d", argc - optind);
    }
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *tokenizer = NULL;
    model_status status = open_tokenizer(&places, &loading, argv[optind], &tokenizer, &err);
    tokenize.tokenizer = tokenizer;
    if (status == MODEL_OK)
        status = tokenize_all(&tokenize, texts, n_texts, pair, jsonl, &err);
    if (status == MODEL_OK)
        status = command_flush(&err);
    encoding_finish(&tokenize.encoding);
    tokenizer_destroy(tokenizer);
    free(texts);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
