/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of userland/lib/cpio.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sk/cpio.h>

static size_t add(char *archive, size_t at, const char *name, const char *data)
{
    size_t name_size = strlen(name) + 1, size = strlen(data);
    sprintf(archive + at, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, 0100644,
            0, 0, 1, 0, (unsigned)size, 0, 0, 0, 0, (unsigned)name_size, 0);
    memcpy(archive + at + 110, name, name_size);
    at = (at + 110 + name_size + 3) & ~(size_t)3;
    memcpy(archive + at, data, size);
    return (at + size + 3) & ~(size_t)3;
}

static size_t make(char *archive)
{
    size_t at = add(archive, 0, "bin/init", "binary");
    at = add(archive, at, "etc/empty", "");
    at = add(archive, at, "etc/x", "text");
    return add(archive, at, "TRAILER!!!", "");
}

static void finds_files(void **state)
{
    char archive[1024] = {0};
    size_t size = make(archive);
    struct sk_cpio_entry entry;

    assert_int_equal(sk_cpio_find(archive, size, "etc/x", &entry), SK_OK);
    assert_int_equal(entry.size, 4);
    assert_memory_equal(archive + entry.offset, "text", 4);
    assert_int_equal(sk_cpio_find(archive, size, "etc/empty", &entry), SK_OK);
    assert_int_equal(entry.size, 0);
    assert_int_equal(sk_cpio_find(archive, size, "etc", &entry), SK_NOT_FOUND);
    assert_int_equal(sk_cpio_find(archive, size, "TRAILER!!!", &entry), SK_NOT_FOUND);
}

/* Each prefix lies in a buffer of exactly its size, so that a sanitizer sees a read behind it. */
static void every_cut_is_refused(void **state)
{
    char archive[1024] = {0};
    size_t size = make(archive);
    for (size_t cut = 0; cut + 4 < size; cut++) {
        char *copy = malloc(cut != 0 ? cut : 1);
        memcpy(copy, archive, cut);
        struct sk_cpio_entry entry;
        assert_int_equal(sk_cpio_find(copy, cut, "none", &entry), SK_BAD_FORMAT);
        free(copy);
    }
}

static void lies_are_refused(void **state)
{
    struct sk_cpio_entry entry;
    static const size_t fields[] = {0, 6 + 8 * 6, 6 + 8 * 11};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char archive[1024] = {0};
        size_t size = make(archive);
        memcpy(archive + fields[i], "ffffffff", 8);
        assert_int_equal(sk_cpio_find(archive, size, "none", &entry), SK_BAD_FORMAT);
        memcpy(archive + fields[i], "0000000g", 8);
        assert_int_equal(sk_cpio_find(archive, size, "none", &entry), SK_BAD_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_files),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(lies_are_refused),
    };
    return cmocka_run_group_tests_name("cpio", tests, NULL, NULL);
}
