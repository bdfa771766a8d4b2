/* store_history.c - see store_history.h. Owns nothing between calls; any thread, any process: two that
 * write at the same time leave the lines of one. */
#include "store_history.h"
#include "errors.h"
#include "store_folder.h"
#include "store_paths.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_BYTES  (1u << 18)
#define TIME_BYTES 20 /* "YYYY-MM-DDTHH:MM:SSZ" */

/* ---- the file */

static model_status history_path(const struct store *store, const char *key, const char *revision,
                                 char **ret, struct model_error *err)
{
    char *ref = NULL;
    model_status status = store_ref_path(store, key, revision, &ref, err);
    if (status != MODEL_OK)
        return status;
    char *path = text_format("%s/history/%s/%s", store->dir, key, path_base(ref));
    free(ref);
    if (path == NULL)
        return error_no_memory(err, "a history's path");
    *ret = path;
    return MODEL_OK;
}

static model_status append(struct store_history *history, const char *target, const char *time_text,
                           bool is_back)
{
    void *larger = realloc(history->entries, (history->n_entries + 1) * sizeof *history->entries);
    if (larger == NULL)
        return MODEL_OUT_OF_MEMORY;
    history->entries = larger;
    struct store_history_entry entry = {.target = text_format("%s", target), .is_back = is_back};
    memcpy(entry.time, time_text, TIME_BYTES);
    if (entry.target == NULL)
        return MODEL_OUT_OF_MEMORY;
    history->entries[history->n_entries++] = entry;
    return MODEL_OK;
}

/* "<time> set|back <target>"; a line that is none of ours is left out. */
static model_status take_line(struct store_history *history, char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ ";
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
            return MODEL_OK;
    const char *word = line + TIME_BYTES + 1;
    bool is_back = strncmp(word, "back ", 5) == 0;
    if (!is_back && strncmp(word, "set ", 4) != 0)
        return MODEL_OK;
    const char *target = word + (is_back ? 5 : 4);
    return store_target_is_good(target) ? append(history, target, line, is_back) : MODEL_OK;
}

static model_status take_text(struct store_history *history, struct buffer *text)
{
    model_status status = MODEL_OK;
    for (char *line = text->data; line != NULL && *line != '\0' && status == MODEL_OK;) {
        char *end = line + strcspn(line, "\n");
        char *next = *end == '\n' ? end + 1 : end;
        *end = '\0';
        status = take_line(history, line);
        line = next;
    }
    return status;
}

model_status store_history_read(const struct store *store, const char *key, const char *revision,
                                struct store_history *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_BYTES);
    struct store_history history = {0};
    char *path = NULL;
    model_status status = history_path(store, key, revision, &path, err);
    if (status == MODEL_OK && file_read(path, MAX_BYTES, &text, NULL) == MODEL_OK &&
        take_text(&history, &text) != MODEL_OK)
        status = error_no_memory(err, "the history of a ref");
    buffer_finish(&text);
    free(path);
    if (status == MODEL_OK)
        *ret = history;
    else
        store_history_finish(&history);
    return status;
}

void store_history_finish(struct store_history *history)
{
    for (size_t i = 0; i < history->n_entries; i++)
        free(history->entries[i].target);
    free(history->entries);
    *history = (struct store_history){0};
}

static model_status write_history(const struct store *store, const char *key, const char *revision,
                                  const struct store_history *history, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_BYTES);
    char *path = NULL, *folder = text_format("history/%s", key);
    size_t first =
        history->n_entries > STORE_HISTORY_MAX ? history->n_entries - STORE_HISTORY_MAX : 0;
    model_status status = folder != NULL ? history_path(store, key, revision, &path, err)
                                         : error_no_memory(err, "a history's path");
    for (size_t i = first; i < history->n_entries && status == MODEL_OK; i++)
        status =
            buffer_printf(&text, "%s %s %s\n", history->entries[i].time,
                          history->entries[i].is_back ? "back" : "set", history->entries[i].target);
    if (status == MODEL_OK)
        status = store_folder_write(store, folder, path_base(path), text.data, text.size, err);
    buffer_finish(&text);
    free(folder);
    free(path);
    return status;
}

static bool now_utc(char ret[24])
{
    time_t now = time(NULL);
    struct tm utc;
    return gmtime_r(&now, &utc) != NULL &&
           strftime(ret, 24, "%Y-%m-%dT%H:%M:%SZ", &utc) == TIME_BYTES;
}

model_status store_history_add(const struct store *store, const char *key, const char *revision,
                               const char *before, const char *target, bool is_back,
                               struct model_error *err)
{
    struct store_history history = {0};
    char now[24] = "1970-01-01T00:00:00Z";
    (void)now_utc(now);
    model_status status = store_history_read(store, key, revision, &history, err);
    if (status != MODEL_OK)
        return status;
    const size_t n = history.n_entries;
    bool is_known = n > 0 && before != NULL && strcmp(history.entries[n - 1].target, before) == 0;
    if (before != NULL && !is_known)
        status = append(&history, before, now, false);
    if (status == MODEL_OK)
        status = append(&history, target, now, is_back);
    status = status == MODEL_OK ? write_history(store, key, revision, &history, err)
                                : error_no_memory(err, "the history of a ref");
    store_history_finish(&history);
    return status;
}

/* ---- which one was before */

const struct store_history_entry *store_history_before(
    const struct store_history *history, const char *current,
    bool (*exists)(void *context, const char *target), void *context)
{
    const struct store_history_entry **stack = calloc(history->n_entries + 1, sizeof(void *));
    const struct store_history_entry *found = NULL;
    size_t depth = 0;
    for (size_t i = 0; i < history->n_entries && stack != NULL; i++) {
        const struct store_history_entry *entry = &history->entries[i];
        size_t at = depth;
        while (entry->is_back && at > 0 && strcmp(stack[at - 1]->target, entry->target) != 0)
            at--;
        if (entry->is_back && at > 0)
            depth = at; /* everything behind it is undone */
        else
            stack[depth++] = entry;
    }
    while (depth > 0 && found == NULL) {
        const struct store_history_entry *entry = stack[--depth];
        if (strcmp(entry->target, current) != 0 && exists(context, entry->target))
            found = entry;
    }
    free(stack);
    return found;
}
