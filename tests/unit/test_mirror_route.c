/* test_mirror_route.c - addresses of the hub, as its clients write them. */
#include "errors.h"
#include "mirror_route.h"
#include "testing.h"

static void check(const char *raw_path, enum mirror_route_kind kind, const char *id,
                  const char *revision, const char *path)
{
    struct mirror_route route;
    struct model_error err = MODEL_ERROR_INIT;
    if (mirror_route_parse(raw_path, &route, &err) != MODEL_OK)
        fail_msg("%s: %s", raw_path, err.message);
    assert_int_equal(route.kind, kind);
    assert_int_equal(mirror_route_is_file(&route), strstr(raw_path, "/resolve/") != NULL ||
                                                       strstr(raw_path, "/raw/") != NULL ||
                                                       strstr(raw_path, "/resolve-cache/") != NULL);
    if (id == NULL) {
        assert_null(route.id);
    } else {
        assert_string_equal(route.id, id);
        assert_string_equal(route.revision, revision);
        assert_string_equal(route.path, path);
    }
    mirror_route_finish(&route);
}

static void check_refused(const char *raw_path, model_status want)
{
    struct mirror_route route;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(mirror_route_parse(raw_path, &route, &err), want);
    assert_true(err.message[0] != '\0');
}

static void ids_have_one_part_or_two(void **state)
{
    (void)state;
    check("/api/models/a/b", MIRROR_INFO, "a/b", "main", "");
    check("/api/models/b", MIRROR_INFO, "b", "main", "");
    check("/api/models/a/b/revision/v1", MIRROR_INFO, "a/b", "v1", "");
    check("/api/models/b/revision/v1", MIRROR_INFO, "b", "v1", "");
    check("/a/b/resolve/main/config.json", MIRROR_RESOLVE, "a/b", "main", "config.json");
    check("/b/resolve/main/config.json", MIRROR_RESOLVE, "b", "main", "config.json");
    check("/a/b/raw/main/config.json", MIRROR_RAW, "a/b", "main", "config.json");
    check_refused("/api/models/a/b/c", MODEL_NOT_FOUND);
    check_refused("/a/b/c/resolve/main/x", MODEL_NOT_FOUND);
}

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static void addresses_that_resolve_leads_to_are_understood(void **state)
{
    (void)state;
    check("/api/resolve-cache/models/a/b/" COMMIT "/d/x.json", MIRROR_CACHED, "a/b", COMMIT,
          "d/x.json");
    check("/api/resolve-cache/models/b/" COMMIT "/x%20y", MIRROR_CACHED, "b", COMMIT, "x y");
    check("/~cdn/a/b/resolve/" COMMIT "/d/x", MIRROR_CDN, "a/b", COMMIT, "d/x");
    check("/~cdn/b/resolve/" COMMIT "/x", MIRROR_CDN, "b", COMMIT, "x");
    check_refused("/api/resolve-cache/models/a/b/main/x", MODEL_NOT_FOUND);
    check_refused("/api/resolve-cache/models/a/b/" COMMIT, MODEL_NOT_FOUND);
    check_refused("/api/resolve-cache/models/" COMMIT "/x", MODEL_NOT_FOUND);
    check_refused("/~cdn", MODEL_NOT_FOUND);
    check_refused("/~cdn/a/b/resolve/" COMMIT, MODEL_NOT_FOUND);
}

static void names_may_be_words_of_the_api(void **state)
{
    (void)state;
    check("/api/models/a/tree", MIRROR_INFO, "a/tree", "main", "");
    check("/api/models/a/tree/tree/main", MIRROR_TREE, "a/tree", "main", "");
    check("/resolve/resolve/resolve/main/resolve", MIRROR_RESOLVE, "resolve/resolve", "main",
          "resolve");
    check("/a/b/resolve/resolve/resolve", MIRROR_RESOLVE, "a/b", "resolve", "resolve");
}

static void revisions_are_encoded_or_plain(void **state)
{
    (void)state;
    check("/a/b/resolve/refs%2Fpr%2F1/x", MIRROR_RESOLVE, "a/b", "refs/pr/1", "x");
    check("/a/b/resolve/refs/pr/1/d/x", MIRROR_RESOLVE, "a/b", "refs/pr/1", "d/x");
    check("/api/models/a/b/tree/refs%2fheads%2fmain/d", MIRROR_TREE, "a/b", "refs/heads/main", "d");
    check("/api/models/a/b/tree/refs/convert/parquet", MIRROR_TREE, "a/b", "refs/convert/parquet",
          "");
    check("/a/b/resolve/refs/x", MIRROR_RESOLVE, "a/b", "refs", "x");
    check("/a/b/resolve/refs/pr", MIRROR_RESOLVE, "a/b", "refs", "pr");
}

static void paths_are_decoded_and_left_alone(void **state)
{
    (void)state;
    check("/a/b/resolve/main/d%2Fx%20y+z", MIRROR_RESOLVE, "a/b", "main", "d/x y+z");
    check("/a/b/resolve/main/../../x", MIRROR_RESOLVE, "a/b", "main", "../../x");
    check("/a/b/resolve/main/%2e%2e/x", MIRROR_RESOLVE, "a/b", "main", "../x");
    check("/a/b/resolve/main/d//x", MIRROR_RESOLVE, "a/b", "main", "d//x");
    check("/api/models/a/b/tree/main/", MIRROR_TREE, "a/b", "main", "");
    check("/api/models/a/b/tree/main/d/", MIRROR_TREE, "a/b", "main", "d");
    check("/a/b/resolve/main/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/"
          "27/28/29/30/31/32/33/34/35/36/37/38/39/40/41/42/43/44/45/46/47/48/49/50/51/52/53/54/55/"
          "56/57/58/59/60/61/62/63/64/65/66",
          MIRROR_RESOLVE, "a/b", "main",
          "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/"
          "33/34/35/36/37/38/39/40/41/42/43/44/45/46/47/48/49/50/51/52/53/54/55/56/57/58/59/60/61/"
          "62/63/64/65/66");
}

static void other_addresses_have_their_kind(void **state)
{
    (void)state;
    check("/", MIRROR_INDEX, NULL, NULL, NULL);
    check("/api/models", MIRROR_LIST, NULL, NULL, NULL);
    check("/api/models/", MIRROR_LIST, NULL, NULL, NULL);
    check("/api/whoami-v2", MIRROR_WHOAMI, NULL, NULL, NULL);
    check("/api/models/a/b/refs", MIRROR_REFS, "a/b", "main", "");
    check("/api/models/a/b/paths-info/main", MIRROR_PATHS_INFO, "a/b", "main", "");
    check("/api/models/a/b/commits/main", MIRROR_COMMITS, "a/b", "main", "");
    check("/api/models/a/b/xet-read-token/main", MIRROR_XET_TOKEN, "a/b", "main", "");
}

static void the_place_of_the_id_is_what_a_redirect_replaces(void **state)
{
    (void)state;
    struct mirror_route route;
    static const char path[] = "/api/models/a%2Db/c/tree/main";
    assert_int_equal(mirror_route_parse(path, &route, NULL), MODEL_OK);
    assert_string_equal(route.id, "a-b/c");
    assert_int_equal(route.id_at, 12);
    assert_int_equal(route.id_bytes, 7);
    mirror_route_finish(&route);
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    check_refused("", MODEL_NOT_FOUND);
    check_refused("*", MODEL_NOT_FOUND);
    check_refused("/x", MODEL_NOT_FOUND);

    check_refused("/api", MODEL_NOT_FOUND);
    check_refused("/a/b/resolve/main/%zz", MODEL_INVALID_ARGUMENT);
    check_refused("/a/b/resolve/%/x", MODEL_INVALID_ARGUMENT);
    check_refused("/a%00/b/resolve/main/x", MODEL_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_one_part_or_two),
        cmocka_unit_test(addresses_that_resolve_leads_to_are_understood),
        cmocka_unit_test(names_may_be_words_of_the_api),
        cmocka_unit_test(revisions_are_encoded_or_plain),
        cmocka_unit_test(paths_are_decoded_and_left_alone),
        cmocka_unit_test(other_addresses_have_their_kind),
        cmocka_unit_test(the_place_of_the_id_is_what_a_redirect_replaces),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
