/* SPDX-License-Identifier: BSD-2-Clause */
/* The object cache's bound and references, and access lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access.h"
#include "cache.h"

static uint32_t alive;

static void count_release(struct http_object *object)
{
    alive--;
}

static struct http_object *make(int status)
{
    struct http_content content = {
        .status = status, .type = "text/plain", .body = "x", .body_length = 1};
    struct http_object *object = http_object_create("1", &content);
    object->release = count_release;
    alive++;
    return object;
}

static void put(struct http_cache *cache, const char *path, int status)
{
    struct http_object *object = make(status);
    http_cache_put(cache, path, strlen(path), object);
    http_object_release(object);
}

static int get(struct http_cache *cache, const char *path)
{
    struct http_object *object = http_cache_get(cache, path, strlen(path));
    int status = object != NULL ? object->status : 0;
    if (object != NULL) {
        http_object_release(object);
    }
    return status;
}

static void test_get_and_put(void **state)
{
    struct http_cache cache = {0};
    put(&cache, "/a", 200);
    put(&cache, "/b", 404);
    assert_int_equal(get(&cache, "/a"), 200);
    assert_int_equal(get(&cache, "/b"), 404);
    assert_int_equal(get(&cache, "/"), 0);
    assert_int_equal(get(&cache, "/ab"), 0);
    http_cache_clear(&cache);
    assert_int_equal(get(&cache, "/a"), 0);
    assert_int_equal(alive, 0);
}

static void test_bound(void **state)
{
    struct http_cache cache = {0};
    char path[32];
    for (uint32_t i = 0; i < 4 * HTTP_CACHE_MAX; i++) {
        snprintf(path, sizeof(path), "/%u", i);
        put(&cache, path, 200);
        assert_int_equal(get(&cache, path), 200);
        assert_true(cache.count <= HTTP_CACHE_MAX);
        assert_int_equal(alive, cache.count);
    }
    http_cache_clear(&cache);
    assert_int_equal(alive, 0);
}

static void test_evicted_object_lives_while_it_is_sent(void **state)
{
    struct http_cache cache = {0};
    put(&cache, "/held", 200);
    struct http_object *held = http_cache_get(&cache, "/held", 5);
    http_cache_clear(&cache);
    assert_int_equal(alive, 1);
    assert_memory_equal(held->body, "x", 1);
    http_object_release(held);
    assert_int_equal(alive, 0);
}

static void expect_line(const char *stream, int status, uint64_t sent, const char *wanted)
{
    static const uint8_t ip[4] = {10, 0, 200, 255};
    struct http_request request;
    size_t consumed;
    char line[ACCESS_LINE_MAX];
    http_request_init(&request);
    http_request_feed(&request, stream, strlen(stream), &consumed);
    size_t length = access_line(line, ip, &request, status, sent);
    assert_int_equal(length, strlen(line));
    assert_string_equal(line, wanted);
    http_request_end(&request);
}

static void test_access_lines(void **state)
{
    expect_line("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", 200, 1048576,
                "10.0.200.255 \"GET /a?b HTTP/1.1\" 200 1048576\n");
    expect_line("HEAD / HTTP/1.0\r\n\r\n", 404, 0, "10.0.200.255 \"HEAD / HTTP/1.0\" 404 0\n");
    expect_line("GET /\"\\ HTTP/1.1\r\nHost: x\r\n\r\n", 404, 0,
                "10.0.200.255 \"GET /?? HTTP/1.1\" 404 0\n");
    expect_line("BREW / HTTP/1.1\r\n\r\n", 501, 7, "10.0.200.255 \"- ... HTTP/1.1\" 501 7\n");

    char stream[2000];
    memset(stream, 'a', sizeof(stream));
    memcpy(stream, "GET /", 5);
    strcpy(stream + 1500, " HTTP/1.1\r\nHost: x\r\n\r\n");
    static const uint8_t ip[4] = {255, 255, 255, 255};
    struct http_request request;
    size_t consumed;
    char line[ACCESS_LINE_MAX];
    http_request_init(&request);
    http_request_feed(&request, stream, strlen(stream), &consumed);
    size_t length = access_line(line, ip, &request, 200, UINT64_MAX);
    assert_true(length < ACCESS_LINE_MAX);
    assert_non_null(strstr(line, "aaa... HTTP/1.1\" 200 18446744073709551615\n"));
    http_request_end(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_and_put),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_evicted_object_lives_while_it_is_sent),
        cmocka_unit_test(test_access_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
