/* cmd_keys.c - `pkgmgr keys`: a table of what it can do. */
#include "buffer.h"
#include "command_trust.h"
#include "commands.h"
#include "errors.h"
#include "printable_text.h"

#include <getopt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char help_keys[] =
    "usage: pkgmgr keys new NAME [OPTION]...        make a key to sign with, and trust it here\n"
    "       pkgmgr keys list                        show keys of yours, trusted and revoked ones\n"
    "       pkgmgr keys trust FILE.pub|KEY          trust what that key signs\n"
    "       pkgmgr keys revoke NAME|ID|FILE.pub|KEY never trust it again\n"
    "       pkgmgr keys show NAME|ID                print a public key, to be published\n\n"
    "Keys are Ed25519 keys in minisign's files: each program takes those of the other. Secret keys lie\n"
    "in ~/.config/modelhost/keys, for their owner only; whom you trust in trusted-keys.json there.\n\n"
    "  --comment TEXT     new, trust: whose key it is (default: of a new one, its name)\n"
    "  --reason TEXT      revoke: why\n"
    "  --password-file FILE  new: the password is the first line; '-' is standard input (default:\n"
    "                     asked for at a terminal)\n"
    "  --no-password      new: whoever reads the file can sign\n"
    "  --json             print the result as JSON\n"
    "  -q, --quiet        say nothing but errors\n";

#define MAX_TEXT_BYTES (4u << 20)

struct arguments {
    const char *word; /* what follows the action; NULL: nothing */
    const char *comment, *reason, *password_file;
    bool no_password, json, quiet;
    struct key_store store;
};

/* ---- which key is meant */

/* What begins like a public key and is about as long was meant as one. */
static bool looks_like_key(const char *word)
{
    return strncmp(word, "RW", 2) == 0 && strlen(word) >= PUBLIC_KEY_TEXT_BYTES / 2;
}

/* A file, or the key itself. */
static model_status read_public(const char *word, struct public_key *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(KEY_FILE_MAX_BYTES);
    char shown[PRINTABLE_TEXT_BYTES];
    const bool is_there = path_is_file(word) || path_is_dir(word);
    if (!is_there && !looks_like_key(word))
        return error_set(err, MODEL_NOT_FOUND,
                         "there is no key '%s': want a file, the public key itself (it begins with "
                         "RW), or the name or id of a key that `pkgmgr keys list` shows",
                         printable(word, shown));
    if (!is_there)
        return public_key_parse(word, strlen(word), "what was given", ret, err);
    model_status status = file_read(word, KEY_FILE_MAX_BYTES, &text, err);
    if (status == MODEL_OK)
        status = public_key_parse(text.data != NULL ? text.data : "", text.size, word, ret, err);
    buffer_finish(&text);
    return status;
}

static model_status find_by_id(const struct arguments *arguments, const uint8_t id[KEY_ID_BYTES],
                               struct public_key *ret, struct model_error *err)
{
    struct trusted_keys keys = {0};
    model_status status = trusted_keys_read(arguments->store.trusted_path, &keys, err);
    const struct trusted_key *key = status == MODEL_OK ? trusted_keys_find(&keys, id) : NULL;
    if (key != NULL)
        *ret = key->key;
    else if (status == MODEL_OK)
        status = error_set(err, MODEL_NOT_FOUND,
                           "no key with the id %s is known here; `pkgmgr keys list` shows those "
                           "that are",
                           arguments->word);
    trusted_keys_finish(&keys);
    return status;
}

/* The id of a known key, a name of one's own, a file, or the key. */
static model_status find_public(const struct arguments *arguments, struct public_key *ret,
                                struct model_error *err)
{
    uint8_t id[KEY_ID_BYTES];
    if (key_id_read(arguments->word, id))
        return find_by_id(arguments, id, ret, err);
    model_status status = MODEL_NOT_FOUND;
    if (key_name_is_good(arguments->word))
        status = key_store_public(&arguments->store, arguments->word, ret, err);
    return status == MODEL_NOT_FOUND ? read_public(arguments->word, ret, err) : status;
}

static json_node *key_json(const struct public_key *key)
{
    char id[KEY_ID_TEXT_BYTES], text[PUBLIC_KEY_TEXT_BYTES], fingerprint[KEY_FINGERPRINT_BYTES];
    json_node *node = json_new_object();
    key_id_write(key->id, id);
    public_key_write(key, text);
    (void)json_add_string(node, "id", id);
    (void)json_add_string(node, "key", text);
    if (public_key_fingerprint(key, fingerprint))
        (void)json_add_string(node, "fingerprint", fingerprint);
    return node;
}

/* The key as JSON, or the line; a sentence besides. */
static model_status tell(const struct arguments *arguments, const struct public_key *key,
                         const char *line, const char *sentence, struct model_error *err)
{
    char id[KEY_ID_TEXT_BYTES];
    key_id_write(key->id, id);
    if (!arguments->quiet)
        fprintf(stderr, "pkgmgr: the key %s %s\n", id, sentence);
    if (!arguments->json)
        return printf("%s\n", line != NULL ? line : id) > 0 ? command_flush(err) : MODEL_OK;
    json_node *root = key_json(key);
    model_status status = command_print_json(root, err);
    json_free(root);
    return status;
}

/* ---- trust and revoke */

struct change {
    struct public_key key;
    const char *text; /* the comment or the reason */
};

static model_status add(void *context, struct trusted_keys *keys, struct model_error *err)
{
    const struct change *change = context;
    return trusted_keys_add(keys, &change->key, change->text, time(NULL), err);
}

/* A key that nobody knew is listed, so that it stays refused. */
static model_status revoke(void *context, struct trusted_keys *keys, struct model_error *err)
{
    const struct change *change = context;
    model_status status = MODEL_OK;
    if (trusted_keys_find(keys, change->key.id) == NULL)
        status = trusted_keys_add(keys, &change->key, "", time(NULL), err);
    return status == MODEL_OK
               ? trusted_keys_revoke(keys, &change->key, change->text, time(NULL), err)
               : status;
}

static model_status keys_trust(const struct arguments *arguments, struct model_error *err)
{
    struct change change = {.text = arguments->comment != NULL ? arguments->comment : ""};
    model_status status = find_public(arguments, &change.key, err);
    if (status == MODEL_OK)
        status = trusted_keys_change(arguments->store.trusted_path, add, &change, err);
    return status == MODEL_OK ? tell(arguments, &change.key, NULL, "is trusted", err) : status;
}

static model_status keys_revoke(const struct arguments *arguments, struct model_error *err)
{
    struct change change = {.text = arguments->reason != NULL ? arguments->reason : ""};
    model_status status = find_public(arguments, &change.key, err);
    if (status == MODEL_OK)
        status = trusted_keys_change(arguments->store.trusted_path, revoke, &change, err);
    return status == MODEL_OK ? tell(arguments, &change.key, NULL, "is revoked", err) : status;
}

/* ---- new */

static model_status write_key(const struct arguments *arguments, const struct secret_key *key,
                              const struct public_key *public, const char *password,
                              struct model_error *err)
{
    const struct key_cost cost = KEY_COST_USUAL;
    char *secret_text = NULL, *public_text = NULL;
    model_status status = secret_key_print(key, password, &cost, &secret_text, err);
    if (status == MODEL_OUT_OF_MEMORY)
        error_advise(err, "no key was made: make it where there is more, or with --no-password");
    if (status == MODEL_OK && (public_text = public_key_print(public, NULL)) == NULL)
        status = error_no_memory(err, "a public key");
    if (status == MODEL_OK)
        status = key_store_add(&arguments->store, arguments->word, secret_text, public_text, err);
    const int cause = status == MODEL_IO ? error_cause(err) : 0;
    if (cause == ENOSPC || cause == EDQUOT)
        error_advise(err, "no key was made: free some space and make it again");
    secret_text_free(secret_text);
    free(public_text);
    return status;
}

static model_status keys_new(const struct arguments *arguments, struct model_error *err)
{
    struct change change = {.text =
                                arguments->comment != NULL ? arguments->comment : arguments->word};
    struct secret_key *key = NULL;
    char *password = NULL, *path = NULL;
    model_status status = secret_key_create(&key, err);
    if (status == MODEL_OK && !arguments->no_password)
        status = command_password(arguments->password_file, "Password for the new key: ", true,
                                  &password, err);
    if (status == MODEL_OK) {
        secret_key_public(key, &change.key);
        status = write_key(arguments, key, &change.key, password, err);
    }
    if (status == MODEL_OK)
        status = trusted_keys_change(arguments->store.trusted_path, add, &change, err);
    if (status == MODEL_OK &&
        (path = text_format("%s/%s.pub", arguments->store.keys_dir, arguments->word)) == NULL)
        status = error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = tell(arguments, &change.key, path,
                      "was made and is trusted here; others trust it by this file", err);
    free(path);
    secret_free(password);
    secret_key_destroy(key);
    return status;
}

/* ---- show and list */

static model_status keys_show(const struct arguments *arguments, struct model_error *err)
{
    struct public_key key;
    model_status status = find_public(arguments, &key, err);
    if (status != MODEL_OK)
        return status;
    if (arguments->json) {
        json_node *root = key_json(&key);
        status = command_print_json(root, err);
        json_free(root);
        return status;
    }
    char *text = public_key_print(&key, NULL);
    status = text != NULL ? command_print(text, err) : error_no_memory(err, "a public key");
    free(text);
    return status;
}

/* The name of one's own secret key, in a copy; NULL: it is somebody else's. */
static char *own_name(const struct arguments *arguments, const struct dir_list *names,
                      const struct public_key *key)
{
    struct public_key own;
    for (size_t i = 0; i < names->n_names; i++)
        if (key_store_public(&arguments->store, names->names[i], &own, NULL) == MODEL_OK &&
            memcmp(&own, key, sizeof own) == 0)
            return text_format("%s", names->names[i]);
    return NULL;
}

static void list_key(const struct arguments *arguments, const struct dir_list *names,
                     const struct public_key *key, const struct trusted_key *trusted,
                     json_node *list)
{
    char *own = own_name(arguments, names, key);
    json_node *node = json_add_tree(list, NULL, key_json(key));
    (void)json_add_string(node, "state",
                          trusted == NULL               ? "not trusted"
                          : trusted->revoked[0] != '\0' ? "revoked"
                                                        : "trusted");
    if (own != NULL)
        (void)json_add_string(node, "name", own);
    free(own);
    if (trusted == NULL)
        return;
    (void)json_add_string(node, "comment", trusted->comment);
    (void)json_add_string(node, "trusted", trusted->trusted);
    if (trusted->revoked[0] != '\0') {
        (void)json_add_string(node, "revoked", trusted->revoked);
        (void)json_add_string(node, "reason", trusted->reason);
    }
}

static model_status print_table(const json_node *list, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    if (json_count(list) > 0)
        (void)buffer_printf(&text, "%-16s  %-11s  %-10s  %-12s  %s\n", "KEY", "STATE", "SINCE",
                            "OWN", "COMMENT");
    for (const json_node *node = json_first(list); node != NULL; node = json_next(node)) {
        const char *revoked = json_string_or(json_member(node, "revoked"), NULL);
        const char *reason = json_string_or(json_member(node, "reason"), "");
        const char *since = json_string_or(json_member(node, "trusted"), "-");
        (void)buffer_printf(&text, "%-16s  %-11s  %-10.10s  %-12s  %s%s%s\n",
                            json_string_or(json_member(node, "id"), "?"),
                            json_string_or(json_member(node, "state"), "?"),
                            revoked != NULL ? revoked : since,
                            json_string_or(json_member(node, "name"), "-"),
                            json_string_or(json_member(node, "comment"), ""),
                            reason[0] != '\0' ? "; " : "", reason);
    }
    model_status status = command_print_text(&text, err);
    buffer_finish(&text);
    return status;
}

static model_status keys_list(const struct arguments *arguments, struct model_error *err)
{
    struct trusted_keys keys = {0};
    struct dir_list names = {0};
    struct public_key own;
    json_node *list = json_new_array();
    model_status status = trusted_keys_read(arguments->store.trusted_path, &keys, err);
    if (status == MODEL_OK)
        status = key_store_list(&arguments->store, &names, err);
    for (size_t i = 0; i < keys.n_keys && status == MODEL_OK; i++)
        list_key(arguments, &names, &keys.keys[i].key, &keys.keys[i], list);
    for (size_t i = 0; i < names.n_names && status == MODEL_OK; i++)
        if (key_store_public(&arguments->store, names.names[i], &own, NULL) == MODEL_OK &&
            trusted_keys_find(&keys, own.id) == NULL)
            list_key(arguments, &names, &own, NULL, list);
    if (status == MODEL_OK)
        status = arguments->json ? command_print_json(list, err) : print_table(list, err);
    json_free(list);
    dir_list_finish(&names);
    trusted_keys_finish(&keys);
    return status;
}

/* ---- all of it */

static const struct action {
    const char *name;
    model_status (*run)(const struct arguments *arguments, struct model_error *err);
    const char *wants; /* NULL: no word */
} actions[] = {
    {"new", keys_new, "the NAME of the key"},
    {"list", keys_list, NULL},
    {"trust", keys_trust, "FILE.pub, or the key itself"},
    {"revoke", keys_revoke, "NAME, ID, FILE.pub, or the key itself"},
    {"show", keys_show, "NAME or ID"},
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static int check_words(int argc, char **argv, const struct arguments *arguments,
                       const struct action **ret)
{
    const struct action *action = argc > optind ? find_action(argv[optind]) : NULL;
    if (action == NULL)
        return command_usage("keys", "want new, list, trust, revoke or show");
    if (argc - optind != (action->wants != NULL ? 2 : 1))
        return action->wants != NULL
                   ? command_usage("keys", "%s: want %s", action->name, action->wants)
                   : command_usage("keys", "%s wants nothing more", action->name);
    if (action->run == keys_new && !key_name_is_good(argv[optind + 1]))
        return command_usage("keys",
                             "'%.80s' is no name for a key: want letters, digits, '-', '_' "
                             "and '.'",
                             argv[optind + 1]);
    if (arguments->no_password && arguments->password_file != NULL)
        return command_usage("keys", "want one of --password-file and --no-password");
    *ret = action;
    return 0;
}

int cmd_keys(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct arguments arguments = {.word = NULL};
    const struct action *action = NULL;
    const struct command_option options[] = {{"comment", .text = &arguments.comment},
                                             {"reason", .text = &arguments.reason},
                                             {"password-file", .text = &arguments.password_file},
                                             {"no-password", .flag = &arguments.no_password},
                                             {"json", .flag = &arguments.json},
                                             {"quiet", .flag = &arguments.quiet, .letter = 'q'},
                                             {.name = NULL}};
    if (!command_read_options(argc, argv, options))
        return COMMAND_USAGE;
    int code = check_words(argc, argv, &arguments, &action);
    if (code != 0)
        return code;
    arguments.word = action->wants != NULL ? argv[optind + 1] : NULL;
    model_status status = command_key_store(&arguments.store, &err);
    if (status == MODEL_OK)
        status = action->run(&arguments, &err);
    key_store_finish(&arguments.store);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
