/* plugin_image.c - see plugin_image.h. No state, any thread. */
#include "plugin_image.h"
#include "errors.h"
#include "utf8.h"

#include <string.h>

#define NOTE_HEADER_BYTES 12

/* Text of a note: ends within its array, printable, not empty where it must not be. */
static bool text_is_good(const char *text, size_t array_bytes)
{
    size_t length = strnlen(text, array_bytes);
    if (length == 0 || length == array_bytes || utf8_valid_prefix(text, length) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    return true;
}

static model_status read_note(const uint8_t *content, size_t content_bytes, const char *what,
                              struct plugin_file *ret, struct model_error *err)
{
    struct model_note note;
    if (content_bytes < sizeof note)
        return error_set(err, MODEL_CORRUPT, "%s: a modelhost note of %zu bytes, want %zu", what,
                         content_bytes, sizeof note);
    memcpy(&note, content, sizeof note);
    if (memcmp(note.magic, MODEL_NOTE_MAGIC, sizeof note.magic) != 0 ||
        note.size_bytes < sizeof note || note.size_bytes > content_bytes)
        return error_set(err, MODEL_CORRUPT, "%s: the modelhost note is broken", what);
    if (!text_is_good(note.name, sizeof note.name) ||
        !text_is_good(note.version, sizeof note.version) ||
        !text_is_good(note.architectures, sizeof note.architectures))
        return error_set(err, MODEL_CORRUPT,
                         "%s: the modelhost note's name, version or architectures are no text",
                         what);
    ret->abi_major = note.abi_major;
    ret->abi_minor = note.abi_minor;
    memcpy(ret->name, note.name, sizeof ret->name);
    memcpy(ret->version, note.version, sizeof ret->version);
    memcpy(ret->architectures, note.architectures, sizeof ret->architectures);
    return MODEL_OK;
}

static uint64_t round_up(uint64_t value, size_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

model_status plugin_image_read_notes(const uint8_t *notes, size_t notes_bytes, size_t alignment,
                                     const char *what, struct plugin_file *ret, bool *ret_found,
                                     struct model_error *err)
{
    static const char owner[] = MODEL_NOTE_OWNER;
    for (uint64_t at = 0; at < notes_bytes && notes_bytes - at >= NOTE_HEADER_BYTES;) {
        uint32_t header[3]; /* bytes of the owner, bytes of the content, type */
        const uint8_t *note = notes + at;
        uint64_t left = notes_bytes - at;
        memcpy(header, note, sizeof header);
        uint64_t content_at = round_up(NOTE_HEADER_BYTES + (uint64_t)header[0], alignment);
        if (content_at > left || header[1] > left - content_at)
            return error_set(err, MODEL_CORRUPT, "%s: a note runs over its end", what);
        if (header[2] == MODEL_NOTE_TYPE && header[0] == sizeof owner &&
            memcmp(note + NOTE_HEADER_BYTES, owner, sizeof owner) == 0) {
            if (*ret_found)
                return error_set(err, MODEL_CORRUPT, "%s: two modelhost notes, want one", what);
            model_status status = read_note(note + content_at, header[1], what, ret, err);
            if (status != MODEL_OK)
                return status;
            *ret_found = true;
        }
        at += round_up(content_at + header[1], alignment); /* the last may lack its padding */
    }
    return MODEL_OK;
}

/* Adds a word; what does not fit becomes "...". Bytes that would break a line become '?'. */
static void add_word(char *list, size_t list_bytes, const char *word, size_t word_bytes)
{
    static const char cut[] = "...";
    size_t used = strlen(list);
    size_t gap = used > 0 ? 1 : 0;
    if (used >= sizeof cut - 1 && strcmp(list + used - (sizeof cut - 1), cut) == 0)
        return;
    bool fits = gap + word_bytes + 1 + sizeof cut <= list_bytes - used;
    if (!fits) {
        word = cut;
        word_bytes = sizeof cut - 1;
    }
    if (gap > 0)
        list[used++] = ' ';
    for (size_t i = 0; i < word_bytes; i++) {
        char c = word[i];
        list[used++] = c > 0x20 && c < 0x7F ? c : '?';
    }
    list[used] = '\0';
}

void plugin_image_add_export(struct plugin_file *file, const char *symbol, size_t symbol_bytes)
{
    static const char wanted[] = "create_model";
    file->n_exports++;
    if (symbol_bytes == sizeof wanted - 1 && memcmp(symbol, wanted, symbol_bytes) == 0)
        file->exports_create_model = true;
    if (file->n_exports <= PLUGIN_MAX_EXPORTS)
        add_word(file->exports, sizeof file->exports, symbol, symbol_bytes);
    else
        add_word(file->exports, sizeof file->exports, "...", 3);
}

void plugin_image_add_needed(struct plugin_file *file, const char *library, size_t library_bytes)
{
    add_word(file->needed, sizeof file->needed, library, library_bytes);
}

void plugin_image_add_place(struct plugin_file *file, const char *place, size_t place_bytes)
{
    add_word(file->library_places, sizeof file->library_places, place, place_bytes);
}
