/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot archive's index: good archives, archives that lie, paths, listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive.h"

/* --- Making archives --- */

struct maker {
    uint8_t bytes[8192];
    size_t length;
};

static void add(struct maker *maker, const char *name, unsigned mode, const char *data)
{
    size_t size = strlen(data), name_size = strlen(name) + 1;
    char header[111];
    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             0u, mode, 0u, 0u, 1u, 0u, (unsigned)size, 0u, 0u, 0u, 0u, (unsigned)name_size, 0u);
    memcpy(maker->bytes + maker->length, header, 110);
    memcpy(maker->bytes + maker->length + 110, name, name_size);
    maker->length = (maker->length + 110 + name_size + 3) & ~(size_t)3;
    memcpy(maker->bytes + maker->length, data, size);
    maker->length = (maker->length + size + 3) & ~(size_t)3;
}

static void finish(struct maker *maker)
{
    add(maker, "TRAILER!!!", 0, "");
}

#define FILE_MODE 0100644
#define FOLDER_MODE 0040755

static void make_sample(struct maker *maker)
{
    memset(maker, 0, sizeof(*maker));
    add(maker, "bin", FOLDER_MODE, "");
    add(maker, "bin/init", 0100755, "ELF");
    add(maker, "www/a-b", FILE_MODE, "dash");
    add(maker, "www/a/x", FILE_MODE, "xx");
    add(maker, "www/a/y/z", FILE_MODE, "zzz");
    add(maker, "www/index.html", FILE_MODE, "<p>");
    add(maker, "www/link", 0120777, "a-b");
    add(maker, "www/ab", FOLDER_MODE, "");
    add(maker, "empty", FILE_MODE, "");
    finish(maker);
}

static status_t open_copy(const struct maker *maker, size_t length, struct archive *archive,
                          uint8_t **copy, size_t *where)
{
    *copy = malloc(length + 1);
    memcpy(*copy, maker->bytes, length);
    return archive_open(archive, *copy, length, where);
}

static struct maker sample;
static struct archive archive;
static uint8_t *bytes;

static int setup(void **state)
{
    size_t where;
    make_sample(&sample);
    return open_copy(&sample, sample.length, &archive, &bytes, &where);
}

static int teardown(void **state)
{
    archive_free(&archive);
    free(bytes);
    return 0;
}

/* --- Looking up --- */

static status_t lookup(const char *path, struct archive_node *node)
{
    char normal[ARCHIVE_PATH_MAX];
    size_t length;
    status_t status = archive_normalize(path, strlen(path), normal, &length);
    return status != SK_OK ? status : archive_lookup(&archive, normal, length, node);
}

static void expect_file(const char *path, const char *data)
{
    struct archive_node node;
    assert_int_equal(lookup(path, &node), SK_OK);
    assert_false(node.directory);
    assert_int_equal(node.size, strlen(data));
    assert_memory_equal(bytes + node.data, data, node.size);
}

static void test_lookup(void **state)
{
    struct archive_node node;
    expect_file("bin/init", "ELF");
    expect_file("/www/a/y/z", "zzz");
    expect_file("//www/./a/../a-b", "dash");
    expect_file("/empty", "");
    assert_int_equal(lookup("bin/init", &node), SK_OK);
    assert_int_equal(node.mode, 0755);
    static const char *const folders[] = {"",      "/",     "bin",     "www",
                                          "/www/", "www/a", "www/a/y", "www/ab"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        assert_int_equal(lookup(folders[i], &node), SK_OK);
        assert_true(node.directory);
    }
    static const char *const missing[] = {"b", "binx", "www/a/y/z/q", "www/link", "www/a.b", "zzz"};
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        assert_int_equal(lookup(missing[i], &node), SK_NOT_FOUND);
    }
    assert_int_equal(lookup("..", &node), SK_INVALID_ARGS);
    assert_int_equal(lookup("bin/../../x", &node), SK_INVALID_ARGS);
}

static void test_normalize_limits(void **state)
{
    char path[2 * ARCHIVE_PATH_MAX], out[ARCHIVE_PATH_MAX];
    size_t length;
    memset(path, 'a', sizeof(path));
    assert_int_equal(archive_normalize(path, ARCHIVE_NAME_MAX, out, &length), SK_OK);
    assert_int_equal(archive_normalize(path, ARCHIVE_NAME_MAX + 1, out, &length), SK_INVALID_ARGS);
    for (size_t i = 0; i < sizeof(path); i += 2) {
        path[i] = '/';
    }
    assert_int_equal(archive_normalize(path, ARCHIVE_PATH_MAX, out, &length), SK_OK);
    assert_int_equal(archive_normalize(path, ARCHIVE_PATH_MAX + 4, out, &length), SK_INVALID_ARGS);
    assert_int_equal(archive_normalize("a\0b", 3, out, &length), SK_INVALID_ARGS);
}

static void expect_list(const char *path, const char *wanted)
{
    char told[512] = "";
    uint32_t cursor = 0;
    struct archive_child child;
    while (archive_next(&archive, path, strlen(path), &cursor, &child)) {
        size_t used = strlen(told);
        snprintf(told + used, sizeof(told) - used, "%.*s%s:%u ", (int)child.name_length, child.name,
                 child.directory ? "/" : "", child.size);
    }
    assert_string_equal(told, wanted);
}

static void test_list(void **state)
{
    expect_list("", "bin/:0 empty:0 www/:0 ");
    expect_list("www", "a-b:4 a/:0 ab/:0 index.html:3 ");
    expect_list("www/a", "x:2 y/:0 ");
    expect_list("www/ab", "");
    expect_list("bin", "init:3 ");
    expect_list("nothing", "");
}

static void test_any_cursor_is_safe(void **state)
{
    struct archive_child child;
    for (uint32_t cursor = 0; cursor < 64; cursor++) {
        uint32_t at = cursor;
        while (archive_next(&archive, "www", 3, &at, &child)) {
        }
    }
    uint32_t at = UINT32_MAX;
    assert_false(archive_next(&archive, "", 0, &at, &child));
}

/* --- Lies --- */

static status_t status_of(const struct maker *maker)
{
    struct archive opened;
    uint8_t *copy;
    size_t where;
    status_t status = open_copy(maker, maker->length, &opened, &copy, &where);
    if (status == SK_OK) {
        archive_free(&opened);
    }
    free(copy);
    return status;
}

static void test_bad_names(void **state)
{
    static const char *const names[] = {"",     "/etc",   "a/",  "a//b", "../a",
                                        "a/..", "a/../b", "./a", "a/.",  ".."};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct maker maker = {0};
        add(&maker, names[i], FILE_MODE, "x");
        finish(&maker);
        assert_int_equal(status_of(&maker), SK_BAD_FORMAT);
    }
}

static void test_same_name_twice(void **state)
{
    struct maker maker = {0};
    add(&maker, "b", FILE_MODE, "1");
    add(&maker, "a", FILE_MODE, "2");
    add(&maker, "b", FILE_MODE, "3");
    finish(&maker);
    assert_int_equal(status_of(&maker), SK_BAD_FORMAT);
}

static void test_every_truncation_is_refused(void **state)
{
    /* But for the padding at its end. */
    for (size_t length = 0; length < sample.length - 3; length++) {
        struct maker cut = sample;
        cut.length = length;
        assert_int_equal(status_of(&cut), SK_BAD_FORMAT);
    }
}

/* Whatever one byte says, nothing outside the archive is read (the sanitizer watches). */
static void test_every_byte_changed(void **state)
{
    static const uint8_t values[] = {0, '0', '7', 'F', 'g', '/', '.', 0xff};
    for (size_t at = 0; at < sample.length; at++) {
        for (size_t v = 0; v < sizeof(values); v++) {
            struct maker changed = sample;
            struct archive opened;
            uint8_t *copy;
            size_t where = 0;
            changed.bytes[at] = values[v];
            if (open_copy(&changed, changed.length, &opened, &copy, &where) == SK_OK) {
                for (uint32_t i = 0; i < opened.count; i++) {
                    assert_true(opened.entries[i].data + opened.entries[i].size <= changed.length);
                }
                archive_free(&opened);
            } else {
                assert_true(where <= changed.length);
            }
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_normalize_limits),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_any_cursor_is_safe),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_same_name_twice),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_byte_changed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
