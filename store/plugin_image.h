/* plugin_image.h - the parts of reading a plugin's file that do not depend on its format: the note,
 * and the lists of exports and libraries. Part of plugin_file.c. Everything is untrusted bytes. */
#ifndef PLUGIN_IMAGE_H
#define PLUGIN_IMAGE_H

#include "plugin_file.h"

/* Looks through a run of notes (owner, content, type; padded to `alignment`, 4 or 8) for ours and
 * reads it. *ret_found is set to true when it is there; twice is MODEL_CORRUPT. */
model_status plugin_image_read_notes(const uint8_t *notes, size_t notes_bytes, size_t alignment,
                                     const char *what, struct plugin_file *ret, bool *ret_found,
                                     struct model_error *err);

void plugin_image_add_export(struct plugin_file *file, const char *symbol, size_t symbol_bytes);
void plugin_image_add_needed(struct plugin_file *file, const char *library, size_t library_bytes);
void plugin_image_add_place(struct plugin_file *file, const char *place, size_t place_bytes);

/* What the file's format says: plugin_elf.c, or plugin_macho.c on macOS. */
model_status plugin_image_parse(const uint8_t *file, size_t file_bytes, const char *what,
                                struct plugin_file *ret, struct model_error *err);

#endif
