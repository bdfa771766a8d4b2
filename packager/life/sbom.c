/* sbom.c - see sbom.h. Follows the SPDX specification 2.3, chapters 6 to 11. */
#include "sbom.h"
#include "errors.h"
#include "file_digests.h"
#include "package_file.h"
#include "package_license.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DOCUMENT     "SPDXRef-DOCUMENT"
#define PACKAGE      "SPDXRef-Package"
#define NO_ASSERTION "NOASSERTION"

struct sbom {
    const struct package *package;
    struct package_license license;
    struct file_digests *digests; /* (manifest.n_files) */
    json_node *root;
    struct model_error *err;
};

static model_status no_memory(const struct sbom *sbom)
{
    return error_no_memory(sbom->err, "a list of what a package is made of");
}

/* ---- files */

static model_status read_file(const struct sbom *sbom, const char *name, struct file_digests *ret)
{
    const struct archive *archive = sbom->package->archive;
    const unsigned wanted = FILE_SHA256 | FILE_SHA1;
    const struct archive_entry *entry = NULL;
    char *path = path_join(sbom->package->dir, name);
    model_status status = path != NULL ? MODEL_OK : no_memory(sbom);
    if (status == MODEL_OK && archive == NULL)
        status = file_digests_read(path, wanted, ret, sbom->err);
    else if (status == MODEL_OK)
        status = package_file_entry(archive, path, &entry, sbom->err);
    if (status == MODEL_OK && entry != NULL)
        status = file_digests_of_entry(archive, entry, wanted, ret, sbom->err);
    free(path);
    return status;
}

static model_status read_files(struct sbom *sbom)
{
    const struct manifest *manifest = &sbom->package->manifest;
    sbom->digests = calloc(manifest->n_files + 1, sizeof *sbom->digests);
    model_status status = sbom->digests != NULL ? MODEL_OK : no_memory(sbom);
    for (size_t i = 0; i < manifest->n_files && status == MODEL_OK; i++) {
        const struct manifest_file *file = &manifest->files[i];
        status = read_file(sbom, file->path, &sbom->digests[i]);
        if (status == MODEL_NOT_FOUND)
            status = error_set(sbom->err, MODEL_CORRUPT,
                               "%s lacks '%.400s', which its metadata.json lists; get the package "
                               "again",
                               sbom->package->dir, file->path);
        if (status == MODEL_OK && strcmp(sbom->digests[i].sha256, file->sha256) != 0)
            status = error_set(sbom->err, MODEL_CORRUPT,
                               "%s: sha256 %s, want %s; `pkgmgr download --force` mends it",
                               file->path, sbom->digests[i].sha256, file->sha256);
    }
    return status;
}

static void add_checksum(json_node *checksums, const char *algorithm, const char *hex)
{
    json_node *item = json_add_object(checksums, NULL);
    (void)json_add_string(item, "algorithm", algorithm);
    (void)json_add_string(item, "checksumValue", hex);
}

static model_status add_file(const struct sbom *sbom, json_node *files, size_t index)
{
    const struct manifest_file *file = &sbom->package->manifest.files[index];
    char *name = text_format("./%s", file->path), *id = text_format("SPDXRef-File-%zu", index);
    model_status status = name != NULL && id != NULL ? MODEL_OK : no_memory(sbom);
    if (status == MODEL_OK) {
        json_node *item = json_add_object(files, NULL);
        (void)json_add_string(item, "fileName", name);
        (void)json_add_string(item, "SPDXID", id);
        json_node *checksums = json_add_array(item, "checksums");
        add_checksum(checksums, "SHA1", sbom->digests[index].sha1);
        add_checksum(checksums, "SHA256", sbom->digests[index].sha256);
        (void)json_add_string(item, "licenseConcluded", NO_ASSERTION);
        json_node *licenses = json_add_array(item, "licenseInfoInFiles");
        (void)json_add_string(licenses, NULL, NO_ASSERTION);
        (void)json_add_string(item, "copyrightText", NO_ASSERTION);
    }
    free(id);
    free(name);
    return status;
}

static int compare_sha1(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* SHA-1 over the files' SHA-1s in their order, as the specification wants (7.9). */
static model_status verification_code(const struct sbom *sbom, char ret_hex[SHA1_HEX_BYTES])
{
    const size_t n = sbom->package->manifest.n_files;
    struct digest *digest = NULL;
    const char **sorted = calloc(n + 1, sizeof *sorted);
    model_status status = sorted != NULL ? digest_create_sha1(&digest, sbom->err) : no_memory(sbom);
    if (status == MODEL_OK) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = sbom->digests[i].sha1;
        qsort(sorted, n, sizeof *sorted, compare_sha1);
        for (size_t i = 0; i < n; i++)
            digest_update(digest, sorted[i], SHA1_HEX_BYTES - 1);
        digest_finish_hex(digest, ret_hex);
    }
    free(sorted);
    return status;
}

/* ---- the package */

static model_status add_origin(const struct sbom *sbom, json_node *item)
{
    const struct manifest *manifest = &sbom->package->manifest;
    if (manifest->endpoint == NULL || manifest->endpoint[0] == '\0') {
        (void)json_add_string(item, "downloadLocation", NO_ASSERTION);
        return MODEL_OK;
    }
    char *origin =
        text_format("git+%s/%s@%s", manifest->endpoint, manifest->id, manifest->revision);
    (void)json_add_string(item, "downloadLocation", origin);
    bool good = origin != NULL;
    free(origin);
    return good ? MODEL_OK : no_memory(sbom);
}

static model_status add_package(const struct sbom *sbom)
{
    char code[SHA1_HEX_BYTES];
    const struct manifest *manifest = &sbom->package->manifest;
    model_status status = verification_code(sbom, code);
    if (status != MODEL_OK)
        return status;
    json_node *item = json_add_object(json_add_array(sbom->root, "packages"), NULL);
    (void)json_add_string(item, "name", manifest->id);
    (void)json_add_string(item, "SPDXID", PACKAGE);
    (void)json_add_string(item, "versionInfo", manifest->revision);
    status = add_origin(sbom, item);
    (void)json_add_bool(item, "filesAnalyzed", true);
    (void)json_add_string(json_add_object(item, "packageVerificationCode"),
                          "packageVerificationCodeValue", code);
    const char *expression = sbom->license.expression;
    (void)json_add_string(item, "licenseConcluded", NO_ASSERTION);
    (void)json_add_string(json_add_array(item, "licenseInfoFromFiles"), NULL, NO_ASSERTION);
    (void)json_add_string(item, "licenseDeclared", expression != NULL ? expression : NO_ASSERTION);
    (void)json_add_string(item, "copyrightText", NO_ASSERTION);
    return status;
}

/* Licences that SPDX has no name for must be told in the document. */
static void add_references(const struct sbom *sbom)
{
    const struct license_claim *claim = &sbom->license.claim;
    json_node *array = NULL;
    for (size_t i = 0; i < claim->n_values; i++) {
        char reference[LICENSE_MAX_BYTES + 16];
        const char *value = claim->values[i];
        if (license_spdx_of(value) != NULL)
            continue;
        if (claim->name[0] != '\0' && strcmp(value, "other") == 0)
            value = claim->name;
        if (array == NULL)
            array = json_add_array(sbom->root, "hasExtractedLicensingInfos");
        json_node *item = json_add_object(array, NULL);
        (void)json_add_string(item, "licenseId", license_reference(value, reference));
        (void)json_add_string(item, "name", value);
        (void)json_add_string(item, "extractedText",
                              sbom->license.text != NULL ? sbom->license.text
                              : claim->link[0] != '\0'   ? claim->link
                                                         : value);
    }
}

static void add_relationship(json_node *array, const char *from, const char *type, const char *to)
{
    json_node *item = json_add_object(array, NULL);
    (void)json_add_string(item, "spdxElementId", from);
    (void)json_add_string(item, "relationshipType", type);
    (void)json_add_string(item, "relatedSpdxElement", to);
}

/* ---- the document */

static model_status add_header(const struct sbom *sbom, int64_t created_s)
{
    char created[32] = "1970-01-01T00:00:00Z", hex[SHA256_HEX_BYTES], *key = NULL;
    const struct manifest *manifest = &sbom->package->manifest;
    time_t at = (time_t)created_s;
    struct tm utc;
    if (gmtime_r(&at, &utc) != NULL)
        (void)strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    model_status status = manifest_digest(manifest, hex, sbom->err);
    if (status == MODEL_OK)
        status = store_key_of(manifest->id, &key, sbom->err);
    char *space = status == MODEL_OK
                      ? text_format("https://spdx.org/spdxdocs/modelhost/%s-%s", key, hex)
                      : NULL;
    if (status == MODEL_OK && space == NULL)
        status = no_memory(sbom);
    (void)json_add_string(sbom->root, "spdxVersion", "SPDX-2.3");
    (void)json_add_string(sbom->root, "dataLicense", "CC0-1.0");
    (void)json_add_string(sbom->root, "SPDXID", DOCUMENT);
    (void)json_add_string(sbom->root, "name", manifest->id);
    (void)json_add_string(sbom->root, "documentNamespace", space);
    json_node *creation = json_add_object(sbom->root, "creationInfo");
    (void)json_add_string(creation, "created", created);
    (void)json_add_string(json_add_array(creation, "creators"), NULL,
                          "Tool: pkgmgr-" MODELHOST_VERSION);
    free(space);
    free(key);
    return status;
}

static model_status fill(struct sbom *sbom, int64_t created_s)
{
    const size_t n = sbom->package->manifest.n_files;
    model_status status = add_header(sbom, created_s);
    if (status == MODEL_OK)
        status = add_package(sbom);
    json_node *files = json_add_array(sbom->root, "files");
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = add_file(sbom, files, i);
    json_node *relationships = json_add_array(sbom->root, "relationships");
    add_relationship(relationships, DOCUMENT, "DESCRIBES", PACKAGE);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        char *id = text_format("SPDXRef-File-%zu", i);
        if (id == NULL)
            status = no_memory(sbom);
        else
            add_relationship(relationships, PACKAGE, "CONTAINS", id);
        free(id);
    }
    add_references(sbom);
    return status;
}

model_status sbom_make(const struct package *package, int64_t created_s, json_node **ret,
                       struct model_error *err)
{
    struct sbom sbom = {.package = package, .err = err};
    if (!package->has_manifest)
        return error_set(err, MODEL_NOT_FOUND,
                         "%.400s has no metadata.json: nothing is known of where it came from; "
                         "`pkgmgr import` makes a package of it",
                         package->dir);
    model_status status = package_license_read(package, &sbom.license, err);
    if (status == MODEL_OK)
        status = read_files(&sbom);
    if (status == MODEL_OK && (sbom.root = json_new_object()) == NULL)
        status = no_memory(&sbom);
    if (status == MODEL_OK)
        status = fill(&sbom, created_s);
    package_license_finish(&sbom.license);
    free(sbom.digests);
    if (status == MODEL_OK)
        *ret = sbom.root;
    else
        json_free(sbom.root);
    return status;
}
