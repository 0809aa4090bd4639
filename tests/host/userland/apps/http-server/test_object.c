/* SPDX-License-Identifier: BSD-2-Clause */
/* Media types, dates, entity tags, and objects made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "object.h"
#include "types.h"

static const char *type(const char *path)
{
    return http_type(path, strlen(path));
}

static void test_types(void **state)
{
    assert_string_equal(type("/index.html"), "text/html; charset=utf-8");
    assert_string_equal(type("/A.HTML"), "text/html; charset=utf-8");
    assert_string_equal(type("/a.b/c.tar.gz"), "application/gzip");
    assert_string_equal(type("/x.7z"), "application/x-7z-compressed");
    assert_string_equal(type("/x.zst"), "application/zstd");
    assert_string_equal(type("/x.js"), "text/javascript; charset=utf-8");
    assert_string_equal(type("/x.svg"), "image/svg+xml");
    assert_string_equal(type("/x.webmanifest"), "application/manifest+json");
    static const char *const unknown[] = {
        "/",  "/html", "/.html", "/a.", "/a.b/c", "/a.unknown", "/a.averyveryverylongextension",
        "/.", ""};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_string_equal(type(unknown[i]), "application/octet-stream");
    }
}

/* The binary search finds every entry only if the table is sorted; these are spread over it. */
static void test_every_common_type_is_found(void **state)
{
    static const char *const known[] = {
        "a.7z",   "a.aac",  "a.apng", "a.avif", "a.bmp",  "a.bz2",  "a.c",    "a.conf", "a.css",
        "a.csv",  "a.doc",  "a.docx", "a.eot",  "a.epub", "a.flac", "a.gif",  "a.gz",   "a.h",
        "a.htm",  "a.html", "a.ico",  "a.ics",  "a.jpeg", "a.jpg",  "a.js",   "a.json", "a.jxl",
        "a.log",  "a.m4a",  "a.map",  "a.md",   "a.mid",  "a.mjs",  "a.mov",  "a.mp3",  "a.mp4",
        "a.mpeg", "a.odt",  "a.oga",  "a.ogg",  "a.ogv",  "a.opus", "a.otf",  "a.pdf",  "a.png",
        "a.ppt",  "a.rss",  "a.rtf",  "a.svg",  "a.tar",  "a.tif",  "a.tiff", "a.ts",   "a.ttf",
        "a.txt",  "a.vtt",  "a.wasm", "a.wav",  "a.weba", "a.webm", "a.webp", "a.woff", "a.woff2",
        "a.xls",  "a.xlsx", "a.xml",  "a.xz",   "a.yaml", "a.yml",  "a.zip",
    };
    assert_true(sizeof(known) / sizeof(known[0]) >= 40);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(type(known[i]), "application/octet-stream") == 0) {
            fail_msg("%s has no type", known[i]);
        }
    }
}

static void test_dates(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } dates[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        char out[HTTP_DATE_LENGTH + 1] = {0};
        http_date(dates[i].seconds, out);
        assert_string_equal(out, dates[i].text);
    }
}

static bool matches(const char *list, const char *tag)
{
    /* An exact copy, so that reading beyond the list is caught. */
    size_t length = strlen(list);
    char *copy = malloc(length);
    memcpy(copy, list, length);
    bool result = http_etag_matches(copy, length, tag, strlen(tag));
    free(copy);
    return result;
}

static void test_etags(void **state)
{
    assert_true(matches("\"a\"", "\"a\""));
    assert_true(matches("W/\"a\"", "\"a\""));
    assert_true(matches("*", "\"a\""));
    assert_true(matches("\"b\" , \"a\"", "\"a\""));
    assert_true(matches("\"b\",W/\"a\"", "\"a\""));
    assert_true(matches("\"x,y\", \"a\"", "\"a\""));
    assert_false(matches("\"b\"", "\"a\""));
    assert_false(matches("a", "\"a\""));
    assert_false(matches("\"a", "\"a\""));
    assert_false(matches("W/", "\"a\""));
    assert_false(matches("W", "\"a\""));
    assert_false(matches(" , ,", "\"a\""));
    assert_false(matches("\"", "\"a\""));
    assert_false(matches("", "\"a\""));
}

static void test_hash_depends_on_every_byte_and_the_length(void **state)
{
    uint8_t bytes[64] = {0};
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        uint64_t plain = http_hash(bytes, length);
        assert_true(length == 0 || plain != http_hash(bytes, length - 1));
        for (size_t i = 0; i < length; i++) {
            bytes[i] = 1;
            assert_true(http_hash(bytes, length) != plain);
            bytes[i] = 0;
        }
    }
}

static void test_error_object(void **state)
{
    struct http_object *object = http_object_error("1", 405, "Allow: GET, HEAD\r\n");
    assert_non_null(object);
    assert_int_equal(object->status, 405);
    assert_memory_equal(object->head, "HTTP/1.1 405 Method Not Allowed\r\nServer: Skerry/1\r\n",
                        51);
    assert_memory_equal(object->head + object->head_length - 18, "Allow: GET, HEAD\r\n", 18);
    assert_true(object->body_length > 0);
    http_object_release(object);
}

static uint32_t released;

static void count_release(struct http_object *object)
{
    released++;
}

static void test_references(void **state)
{
    struct http_content content = {
        .status = 200, .type = "text/plain", .body = "x", .body_length = 1};
    struct http_object *object = http_object_create("1", &content);
    object->release = count_release;
    http_object_acquire(object);
    http_object_release(object);
    assert_int_equal(released, 0);
    http_object_release(object);
    assert_int_equal(released, 1);
}

static void test_head_too_long(void **state)
{
    char extra[2000];
    memset(extra, 'a', sizeof(extra));
    extra[sizeof(extra) - 1] = 0;
    struct http_content content = {.status = 200, .extra = extra};
    assert_null(http_object_create("1", &content));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_every_common_type_is_found),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_hash_depends_on_every_byte_and_the_length),
        cmocka_unit_test(test_error_object),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_head_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
