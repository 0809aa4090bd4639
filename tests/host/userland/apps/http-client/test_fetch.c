/* SPDX-License-Identifier: BSD-2-Clause */
/* URLs and responses, each response fed whole, cut at every place, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fetch.h"

static void test_urls(void **state)
{
    static const struct {
        const char *text, *host, *target;
        uint16_t port;
    } good[] = {
        {"http://host", "host", "/", 80},
        {"http://host/", "host", "/", 80},
        {"http://10.0.2.15:8080/a/b?c=d#e", "10.0.2.15", "/a/b?c=d", 8080},
        {"http://host?q", "host", "/?q", 80},
        {"http://host#f", "host", "/", 80},
        {"http://host:1/x", "host", "/x", 1},
    };
    static const char *const bad[] = {
        "",           "host",         "https://host", "http://",        "http:///a",
        "http://:80", "http://h:/",   "http://h:0/",  "http://h:65536", "http://h:8x",
        "http://a b", "http://h/a b", "http://u@h/",  "http://h/\x7f",  "http://h/\xc3\xa4",
    };
    struct url url;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(url_parse(good[i].text, &url));
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.target, good[i].target);
        assert_int_equal(url.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (url_parse(bad[i], &url) == NULL) {
            fail_msg("%s is taken for a URL", bad[i]);
        }
    }
}

static void test_request(void **state)
{
    struct url url;
    char request[FETCH_REQUEST_MAX];
    assert_null(url_parse("http://h:81/p?q", &url));
    size_t length = fetch_request(&url, request);
    assert_int_equal(length, strlen(request));
    assert_non_null(strstr(request, "GET /p?q HTTP/1.1\r\nHost: h:81\r\n"));
    assert_non_null(strstr(request, "\r\nConnection: close\r\n\r\n"));
}

struct sink {
    char bytes[256];
    size_t length;
};

static bool take(void *context, const char *bytes, size_t length)
{
    struct sink *sink = context;
    assert_true(length <= sizeof(sink->bytes) - sink->length);
    memcpy(sink->bytes + sink->length, bytes, length);
    sink->length += length;
    return true;
}

/* Whether the stream is a complete response; its body is in *sink. cut 0: byte by byte. */
static bool run(const char *stream, size_t cut, struct sink *sink, int *status)
{
    struct fetch fetch;
    size_t length = strlen(stream);
    const char *wrong = NULL;
    sink->length = 0;
    fetch_init(&fetch, take, sink);
    for (size_t at = 0; at < length && wrong == NULL;) {
        size_t part = cut == 0 ? 1 : at == 0 && cut < length ? cut : length - at;
        wrong = fetch_feed(&fetch, stream + at, part);
        at += part;
    }
    wrong = wrong != NULL ? wrong : fetch_end(&fetch);
    *status = fetch.status;
    return wrong == NULL;
}

static void test_responses(void **state)
{
    static const struct {
        const char *stream, *body;
        int status;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: "
         "1\r\n\r\n",
         "hello", 200},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", 200},
        {"HTTP/1.0 404 Not Found\r\n\r\nno", "no", 404},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", 204},
        {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
         "a", 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloTRAILING", "hello", 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", NULL, 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", NULL, 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", NULL, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5", NULL, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", NULL, 200},
        {"HTTP/1.1 103 Early Hints\r\n\r\n", NULL, 0},
        {"nonsense\r\n\r\n", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].stream); cut++) {
            struct sink sink;
            int status;
            bool complete = run(cases[i].stream, cut, &sink, &status);
            if (complete != (cases[i].body != NULL) || status != cases[i].status) {
                fail_msg("complete %d, status %d, cut %zu: %s", complete, status, cut,
                         cases[i].stream);
            }
            if (complete) {
                assert_int_equal(sink.length, strlen(cases[i].body));
                assert_memory_equal(sink.bytes, cases[i].body, sink.length);
            }
        }
    }
}

static bool refuse(void *context, const char *bytes, size_t length)
{
    return false;
}

static void test_sink_that_fails(void **state)
{
    struct fetch fetch;
    static const char stream[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    fetch_init(&fetch, refuse, NULL);
    assert_non_null(fetch_feed(&fetch, stream, sizeof(stream) - 1));
    assert_false(fetch.complete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_sink_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
