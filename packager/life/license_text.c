/* license_text.c - see license_text.h. Of YAML only what authors write here is read: plain or quoted values,
 * and lists of them in either form. */
#include "license_text.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define GUESSED_BYTES 4096
#define BLANKS        " \t\r"

/* ---- lines */

struct lines {
    const char *at, *end;
};

static bool next_line(struct lines *lines, const char **ret, size_t *ret_bytes)
{
    if (lines->at >= lines->end)
        return false;
    const char *newline = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    const char *end = newline != NULL ? newline : lines->end;
    *ret = lines->at;
    *ret_bytes = (size_t)(end - lines->at);
    while (*ret_bytes > 0 && strchr(BLANKS, (*ret)[*ret_bytes - 1]) != NULL &&
           (*ret)[*ret_bytes - 1] != '\0')
        (*ret_bytes)--;
    lines->at = newline != NULL ? newline + 1 : lines->end;
    return true;
}

static bool is_rule(const char *line, size_t n)
{
    return n == 3 && memcmp(line, "---", 3) == 0;
}

/* ---- values */

static void strip(const char **value, size_t *n)
{
    while (*n > 0 && (**value == ' ' || **value == '\t')) {
        (*value)++;
        (*n)--;
    }
    while (*n > 0 && ((*value)[*n - 1] == ' ' || (*value)[*n - 1] == '\t'))
        (*n)--;
    if (*n >= 2 && (**value == '"' || **value == '\'') && (*value)[*n - 1] == **value) {
        (*value)++;
        *n -= 2;
    }
}

/* Printable ASCII and what is beyond it, as the terminal shows it; false: too long, or nothing. */
static bool copy_value(const char *value, size_t n, char ret[LICENSE_MAX_BYTES])
{
    strip(&value, &n);
    if (n == 0 || n >= LICENSE_MAX_BYTES)
        return false;
    for (size_t i = 0; i < n; i++)
        ret[i] = (unsigned char)value[i] < 0x20 || (unsigned char)value[i] >= 0x7F ? '?' : value[i];
    ret[n] = '\0';
    return true;
}

static void add_value(struct license_claim *claim, const char *value, size_t n)
{
    if (claim->n_values < LICENSE_MAX_VALUES &&
        copy_value(value, n, claim->values[claim->n_values]))
        claim->n_values++;
}

/* "[a, b]" or "a". */
static void add_values(struct license_claim *claim, const char *value, size_t n)
{
    strip(&value, &n);
    if (n < 2 || value[0] != '[' || value[n - 1] != ']') {
        add_value(claim, value, n);
        return;
    }
    const char *end = value + n - 1;
    for (value++; value <= end;) {
        const char *comma = memchr(value, ',', (size_t)(end - value));
        const char *stop = comma != NULL ? comma : end;
        add_value(claim, value, (size_t)(stop - value));
        value = stop + 1;
    }
}

/* Whether the line is "<key>:"; *ret is what follows. */
static bool has_key(const char *line, size_t n, const char *key, const char **ret,
                    size_t *ret_bytes)
{
    size_t length = strlen(key);
    if (n <= length || memcmp(line, key, length) != 0 || line[length] != ':')
        return false;
    *ret = line + length + 1;
    *ret_bytes = n - length - 1;
    return true;
}

void license_read_front_matter(const char *text, size_t size_bytes, struct license_claim *ret)
{
    struct license_claim claim = {0};
    struct lines lines = {text, text + size_bytes};
    const char *line = NULL, *value = NULL;
    size_t n = 0, value_bytes = 0;
    bool in_list = false;
    *ret = claim;
    if (size_bytes == 0 || !next_line(&lines, &line, &n) || !is_rule(line, n))
        return;
    while (next_line(&lines, &line, &n) && !is_rule(line, n)) {
        size_t indent = 0;
        while (indent < n && line[indent] == ' ')
            indent++;
        if (in_list && indent + 1 < n && line[indent] == '-') {
            add_value(&claim, line + indent + 1, n - indent - 1);
            continue;
        }
        in_list = false;
        if (has_key(line, n, "license", &value, &value_bytes)) {
            in_list = value_bytes == 0;
            add_values(&claim, value, value_bytes);
        } else if (has_key(line, n, "license_name", &value, &value_bytes)) {
            (void)copy_value(value, value_bytes, claim.name);
        } else if (has_key(line, n, "license_link", &value, &value_bytes)) {
            (void)copy_value(value, value_bytes, claim.link);
        }
    }
    *ret = claim;
}

/* ---- SPDX */

/* The hub's names that are SPDX's but for the case, as SPDX writes them, and those that are not. */
static const char *const same_names[] = {"Apache-2.0",
                                         "MIT",
                                         "BSD-2-Clause",
                                         "BSD-3-Clause",
                                         "BSD-3-Clause-Clear",
                                         "CC0-1.0",
                                         "CC-BY-2.0",
                                         "CC-BY-2.5",
                                         "CC-BY-3.0",
                                         "CC-BY-4.0",
                                         "CC-BY-SA-3.0",
                                         "CC-BY-SA-4.0",
                                         "CC-BY-NC-2.0",
                                         "CC-BY-NC-3.0",
                                         "CC-BY-NC-4.0",
                                         "CC-BY-ND-4.0",
                                         "CC-BY-NC-ND-3.0",
                                         "CC-BY-NC-ND-4.0",
                                         "CC-BY-NC-SA-2.0",
                                         "CC-BY-NC-SA-3.0",
                                         "CC-BY-NC-SA-4.0",
                                         "EPL-1.0",
                                         "EPL-2.0",
                                         "EUPL-1.1",
                                         "EUPL-1.2",
                                         "MPL-2.0",
                                         "MS-PL",
                                         "AFL-3.0",
                                         "Artistic-2.0",
                                         "BSL-1.0",
                                         "ISC",
                                         "NCSA",
                                         "OFL-1.1",
                                         "OSL-3.0",
                                         "PostgreSQL",
                                         "Unlicense",
                                         "WTFPL",
                                         "Zlib",
                                         "ECL-2.0",
                                         "CDLA-Permissive-1.0",
                                         "CDLA-Permissive-2.0",
                                         "CDLA-Sharing-1.0",
                                         "etalab-2.0",
                                         "LPPL-1.3c",
                                         "GPL-2.0-only",
                                         "GPL-3.0-only",
                                         "AGPL-3.0-only",
                                         "LGPL-2.1-only",
                                         "LGPL-3.0-only"};
static const struct {
    const char *hub, *spdx;
} other_names[] = {
    {"gpl-2.0", "GPL-2.0-only"},   {"gpl-3.0", "GPL-3.0-only"},   {"agpl-3.0", "AGPL-3.0-only"},
    {"lgpl-2.1", "LGPL-2.1-only"}, {"lgpl-3.0", "LGPL-3.0-only"}, {"odbl", "ODbL-1.0"},
    {"odc-by", "ODC-By-1.0"},      {"pddl", "PDDL-1.0"},          {"intel-research", NULL}};

const char *license_spdx_of(const char *value)
{
    for (size_t i = 0; i < sizeof same_names / sizeof same_names[0]; i++)
        if (strcasecmp(value, same_names[i]) == 0)
            return same_names[i];
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++)
        if (strcasecmp(value, other_names[i].hub) == 0)
            return other_names[i].spdx;
    return NULL;
}

/* Words that all stand at the beginning of the text; the first row that fits decides. */
static const struct {
    const char *words[2], *spdx;
} texts[] = {
    {{"Apache License", "Version 2.0"}, "Apache-2.0"},
    {{"GNU AFFERO GENERAL PUBLIC LICENSE", "Version 3"}, "AGPL-3.0-only"},
    {{"GNU LESSER GENERAL PUBLIC LICENSE", "Version 3"}, "LGPL-3.0-only"},
    {{"GNU LESSER GENERAL PUBLIC LICENSE", "Version 2.1"}, "LGPL-2.1-only"},
    {{"GNU GENERAL PUBLIC LICENSE", "Version 3"}, "GPL-3.0-only"},
    {{"GNU GENERAL PUBLIC LICENSE", "Version 2"}, "GPL-2.0-only"},
    {{"Mozilla Public License", "2.0"}, "MPL-2.0"},
    {{"Attribution-NonCommercial-ShareAlike 4.0", ""}, "CC-BY-NC-SA-4.0"},
    {{"Attribution-NonCommercial 4.0", ""}, "CC-BY-NC-4.0"},
    {{"Attribution-ShareAlike 4.0", ""}, "CC-BY-SA-4.0"},
    {{"Attribution 4.0 International", ""}, "CC-BY-4.0"},
    {{"CC0 1.0 Universal", ""}, "CC0-1.0"},
    {{"This is free and unencumbered software", ""}, "Unlicense"},
    {{"Redistribution and use in source and binary forms", "Neither the name"}, "BSD-3-Clause"},
    {{"Redistribution and use in source and binary forms", ""}, "BSD-2-Clause"},
    {{"Permission is hereby granted, free of charge", "without restriction"}, "MIT"},
};

const char *license_guess(const char *text, size_t size_bytes)
{
    size_t n = size_bytes < GUESSED_BYTES ? size_bytes : GUESSED_BYTES;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && n > 0; i++) {
        const char *first = texts[i].words[0], *second = texts[i].words[1];
        if (memmem(text, n, first, strlen(first)) != NULL &&
            (second[0] == '\0' || memmem(text, n, second, strlen(second)) != NULL))
            return texts[i].spdx;
    }
    return NULL;
}
