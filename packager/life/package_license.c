/* package_license.c - see package_license.h. */
#include "package_license.h"
#include "errors.h"
#include "package_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_README_BYTES (4u << 20)

const char *license_reference(const char *value, char text[LICENSE_MAX_BYTES + 16])
{
    int n = snprintf(text, LICENSE_MAX_BYTES + 16, "LicenseRef-%s", value);
    for (int i = 0; i < n && text[i] != '\0'; i++) {
        char c = text[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.';
        text[i] = good ? c : '-';
    }
    return text;
}

/* Too large or not there: it says nothing. */
static void read_readme(const struct package *package, struct license_claim *claim)
{
    struct buffer text = BUFFER_INIT(MAX_README_BYTES);
    char *path = path_join(package->dir, "README.md");
    if (path != NULL &&
        package_file_read(package->archive, path, MAX_README_BYTES, &text, NULL) == MODEL_OK &&
        text.data != NULL)
        license_read_front_matter(text.data, text.size, claim);
    buffer_finish(&text);
    free(path);
}

static bool is_license_name(const char *name)
{
    static const char *const names[] = {"LICENSE", "LICENCE", "COPYING"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);
        if (strncasecmp(name, names[i], n) == 0 && (name[n] == '\0' || name[n] == '.'))
            return true;
    }
    return false;
}

/* Of several, the first by name. */
static model_status find_text(const struct package *package, struct package_license *license,
                              struct model_error *err)
{
    struct dir_list list = {0};
    model_status status = package_folder_read(package->archive, package->dir, &list, err);
    for (size_t i = 0; i < list.n_names && license->text_path == NULL && status == MODEL_OK; i++) {
        if (!is_license_name(list.names[i]))
            continue;
        struct buffer text = BUFFER_INIT(PACKAGE_LICENSE_MAX_BYTES);
        char *path = path_join(package->dir, list.names[i]);
        if (path == NULL)
            status = error_no_memory(err, "a licence");
        else if (package_file_read(package->archive, path, PACKAGE_LICENSE_MAX_BYTES, &text,
                                   NULL) == MODEL_OK) {
            license->text_path = text_format("%s", list.names[i]);
            license->text = buffer_take(&text);
            if (license->text_path == NULL || license->text == NULL)
                status = error_no_memory(err, "a licence");
        }
        buffer_finish(&text);
        free(path);
    }
    dir_list_finish(&list);
    return status;
}

static model_status make_expression(struct package_license *license, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(LICENSE_MAX_VALUES * (LICENSE_MAX_BYTES + 32));
    char reference[LICENSE_MAX_BYTES + 16];
    model_status status = MODEL_OK;
    for (size_t i = 0; i < license->claim.n_values && status == MODEL_OK; i++) {
        const char *value = license->claim.values[i], *spdx = license_spdx_of(value);
        /* "other" with a name of its own */
        if (spdx == NULL && license->claim.name[0] != '\0' && strcasecmp(value, "other") == 0)
            value = license->claim.name;
        status = buffer_printf(&text, "%s%s", i > 0 ? " AND " : "",
                               spdx != NULL ? spdx : license_reference(value, reference));
    }
    if (license->claim.n_values == 0 && license->text != NULL) {
        const char *guess = license_guess(license->text, strlen(license->text));
        license->is_guessed = guess != NULL;
        if (guess != NULL)
            status = buffer_append_text(&text, guess);
    }
    if (status == MODEL_OK && text.size > 0 && (license->expression = buffer_take(&text)) == NULL)
        status = MODEL_OUT_OF_MEMORY;
    buffer_finish(&text);
    return status == MODEL_OK ? MODEL_OK : error_no_memory(err, "a licence");
}

model_status package_license_read(const struct package *package, struct package_license *ret,
                                  struct model_error *err)
{
    struct package_license license = {0};
    read_readme(package, &license.claim);
    model_status status = find_text(package, &license, err);
    if (status == MODEL_OK)
        status = make_expression(&license, err);
    if (status == MODEL_OK)
        *ret = license;
    else
        package_license_finish(&license);
    return status;
}

void package_license_finish(struct package_license *license)
{
    free(license->expression);
    free(license->text_path);
    free(license->text);
    *license = (struct package_license){0};
}
