/* fuzz_hub_answers.c - everything of a hub's answers that is parsed: the first byte chooses what, the
 * rest is the text. What is accepted is checked against what the parser promises. */
#include "files.h"
#include "hub_answers.h"
#include "hub_glob.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void require(bool promise)
{
    if (!promise)
        abort();
}

static void fuzz_url(const char *text)
{
    struct hub_origin origin;
    size_t path = 0;
    char *url = NULL;
    if (hub_url_parse(text, &origin, &path, NULL) == MODEL_OK) {
        require(path <= strlen(text) && origin.port != 0 && origin.host[0] != '\0');
        require(strpbrk(origin.host, "/@ \r\n") == NULL);
    }
    if (hub_url_join("https://hub.test/a/b?c", text, &url, NULL) == MODEL_OK) {
        require(hub_url_parse(url, &origin, &path, NULL) == MODEL_OK);
        require(strlen(url) < HUB_MAX_URL_BYTES && strpbrk(url, "\r\n \t") == NULL);
    }
    free(url);
}

static void fuzz_headers(const char *text)
{
    const char *next = NULL;
    size_t n = 0;
    if (hub_link_next(text, &next, &n))
        require(n > 0 && next >= text && next + n < text + strlen(text));
    require(hub_retry_wait_ms(text, NULL, 784111777) <= 86400000);
    require(hub_retry_wait_ms(NULL, text, 784111777) <= 86400000);
    struct hub_digest digest = hub_digest_read(text);
    require(digest.kind != HUB_DIGEST_SHA256 || hub_is_hex(digest.hex, 64));
    require(digest.kind != HUB_DIGEST_GIT_BLOB || hub_is_hex(digest.hex, 40));
}

static void fuzz_content_range(const char *text)
{
    uint64_t start, end, total;
    if (hub_content_range_read(text, &start, &end, &total))
        require(start < end && end <= total);
}

static void fuzz_tree(const char *text, size_t size_bytes)
{
    struct hub_files files = {0};
    if (hub_parse_tree_page(text, size_bytes, &files, NULL) == MODEL_OK &&
        hub_files_complete(&files, NULL) == MODEL_OK)
        for (size_t i = 0; i < files.n_files; i++) {
            require(path_is_safe(files.files[i].path));
            require(i == 0 || strcmp(files.files[i - 1].path, files.files[i].path) < 0);
        }
    hub_files_finish(&files);
}

static void fuzz_model(const char *text, size_t size_bytes)
{
    struct hub_model model;
    if (hub_parse_model(text, size_bytes, "acme/tiny", &model, NULL) == MODEL_OK) {
        require(hub_is_hex(model.commit, 40) && hub_check_id(model.id, NULL) == MODEL_OK);
        hub_model_finish(&model);
    }
}

static void fuzz_refusal(const char *text)
{
    static const struct hub_subject subject = {"acme/tiny", "main", "a.txt"};
    struct model_error err = {.struct_size = sizeof err};
    struct hub_response response;
    hub_response_init(&response);
    response.status = 500;
    (void)buffer_append(&response.error_body, text, strlen(text));
    require(hub_explain(&response, "https://hub.test", &subject, false, -1, &err) != MODEL_OK);
    hub_response_finish(&response);
}

static void fuzz_glob(const char *text)
{
    size_t half = strcspn(text, "\n");
    char *pattern = strndup(text, half < 200 ? half : 200);
    char *path = strndup(text[half] == '\n' ? text + half + 1 : text, 2000);
    if (pattern != NULL && path != NULL)
        (void)hub_glob_match(pattern, path);
    free(pattern);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes > 100000)
        return 0;
    char *text = malloc(size_bytes);
    if (text == NULL)
        return 0;
    memcpy(text, data + 1, size_bytes - 1);
    text[size_bytes - 1] = '\0';
    switch (data[0]) {
    case 'u':
        fuzz_url(text);
        break;
    case 'c':
        fuzz_content_range(text);
        break;
    case 'h':
        fuzz_headers(text);
        break;
    case 't':
        fuzz_tree(text, size_bytes - 1);
        break;
    case 'm':
        fuzz_model(text, size_bytes - 1);
        break;
    case 'e':
        fuzz_refusal(text);
        break;
    case 'g':
        fuzz_glob(text);
        break;
    default:
        break;
    }
    free(text);
    return 0;
}
