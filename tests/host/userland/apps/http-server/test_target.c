/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths out of request targets, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "target.h"

static const struct {
    const char *target;
    int status;
    const char *path;
} cases[] = {
    {"/", 0, "/"},
    {"/index.html", 0, "/index.html"},
    {"/a/b/", 0, "/a/b/"},
    {"//a///b//", 0, "/a/b/"},
    {"/a/./b/.", 0, "/a/b/"},
    {"/a/../b", 0, "/b"},
    {"/a/b/..", 0, "/a/"},
    {"/a/b/../", 0, "/a/"},
    {"/a/b/../..", 0, "/"},
    {"/...", 0, "/..."},
    {"/..a/.b", 0, "/..a/.b"},
    {"/a%20b", 0, "/a b"},
    {"/%41%5a", 0, "/AZ"},
    {"/%e4%Bd%a0", 0, "/\xe4\xbd\xa0"},
    {"/a%2Fb", 0, "/a/b"},
    {"/a%2F..%2Fb", 0, "/b"},
    {"/%25%32%65", 0, "/%2e"},
    {"/a?b/../..", 0, "/a"},
    {"/?", 0, "/"},
    {"http://host", 0, "/"},
    {"http://host/a", 0, "/a"},
    {"HTTP://host:80/a?b", 0, "/a"},
    {"https://host?x", 0, "/"},
    {"", 400, NULL},
    {"*", 400, NULL},
    {"a", 400, NULL},
    {"http://", 400, NULL},
    {"http:///a", 400, NULL},
    {"ftp://host/a", 400, NULL},
    {"/..", 400, NULL},
    {"/../a", 400, NULL},
    {"/a/../../b", 400, NULL},
    {"/%2e%2e/a", 400, NULL},
    {"/.%2E/a", 400, NULL},
    {"/..%2fa", 400, NULL},
    {"/a#b", 400, NULL},
    {"/%", 400, NULL},
    {"/%1", 400, NULL},
    {"/%1g", 400, NULL},
    {"/%g1", 400, NULL},
    {"/%00", 400, NULL},
};

static void test_paths(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path = malloc(HTTP_PATH_MAX);
        size_t length = strlen(cases[i].target), path_length = 0;
        char *target = malloc(length + 1);
        memcpy(target, cases[i].target, length);
        int status = http_target_path(target, length, path, &path_length);
        if (status != cases[i].status) {
            fail_msg("%s: %d instead of %d", cases[i].target, status, cases[i].status);
        }
        if (status == 0 && (path_length != strlen(cases[i].path) ||
                            memcmp(path, cases[i].path, path_length) != 0)) {
            fail_msg("%s: %.*s instead of %s", cases[i].target, (int)path_length, path,
                     cases[i].path);
        }
        free(target);
        free(path);
    }
}

static void test_longest(void **state)
{
    char target[HTTP_PATH_MAX + 1], path[HTTP_PATH_MAX];
    size_t length;
    memset(target, 'a', sizeof(target));
    target[0] = '/';
    assert_int_equal(http_target_path(target, HTTP_PATH_MAX, path, &length), 0);
    assert_int_equal(length, HTTP_PATH_MAX);
    assert_int_equal(http_target_path(target, HTTP_PATH_MAX + 1, path, &length), 404);
}

/* No byte string gives a path with a dot segment, a doubled slash or a NUL. */
static void test_random_targets_stay_inside(void **state)
{
    static const char alphabet[] = "/./.%2eF5c?a";
    uint32_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        char target[16], path[HTTP_PATH_MAX + 2];
        size_t length = 0, path_length;
        target[length++] = '/';
        while (length < sizeof(target)) {
            seed = seed * 1664525 + 1013904223;
            target[length++] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        if (http_target_path(target, length, path, &path_length) != 0) {
            continue;
        }
        path[path_length] = 0;
        assert_int_equal(strlen(path), path_length);
        assert_int_equal(path[0], '/');
        assert_null(strstr(path, "//"));
        path[path_length] = '/';
        path[path_length + 1] = 0;
        assert_null(strstr(path, "/../"));
        assert_null(strstr(path, "/./"));
    }
}

static void test_encode(void **state)
{
    char out[64];
    static const char path[] = "/a b/\xc3\xa4\r\n%?#\"<~";
    size_t length = http_target_encode(path, sizeof(path) - 1, out, sizeof(out));
    static const char wanted[] = "/a%20b/%C3%A4%0D%0A%25%3F%23%22%3C~";
    assert_int_equal(length, sizeof(wanted) - 1);
    assert_memory_equal(out, wanted, length);
    assert_int_equal(http_target_encode(path, sizeof(path) - 1, out, sizeof(wanted) - 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_random_targets_stay_inside),
        cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
