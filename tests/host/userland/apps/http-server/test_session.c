/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP engine as a whole: requests in, answers out, over a site of two files. Every stream is
 * fed in one piece, in two pieces cut at every place, and byte by byte; the answers must be equal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static const char page[] = "<p>hello</p>";
static uint32_t answers;
static int last_status;
static uint64_t last_sent;
static char last_method[16];

static struct http_object *find(void *context, const char *path, size_t length, const char *query,
                                size_t query_length)
{
    if (length == 1 || (length == 7 && memcmp(path, "/a.html", 7) == 0)) {
        struct http_content content = {.status = 200,
                                       .type = "text/html; charset=utf-8",
                                       .body = page,
                                       .body_length = sizeof(page) - 1,
                                       .has_etag = true,
                                       .etag = 0x0123456789abcdefull};
        return http_object_create("test", &content);
    }
    return http_object_error("test", 404, NULL);
}

static void answered(void *context, const struct http_request *request, int status, uint64_t sent,
                     void *connection)
{
    answers++;
    last_status = status;
    last_sent = sent;
    snprintf(last_method, sizeof(last_method), "%s", http_request_method(request));
}

static struct http_server server = {.version = "test", .find = find, .answered = answered};

static void drop_errors(void)
{
    while (server.error_count > 0) {
        http_object_release(server.errors[--server.error_count]);
    }
}

struct exchange {
    char *output;
    size_t length;
    bool closed;
};

/* Takes what is to be sent, at most `step` bytes at a time. */
static void drain(struct http_session *session, struct exchange *exchange, size_t step)
{
    const void *bytes;
    size_t length;
    while (http_session_output(session, &bytes, &length)) {
        assert_true(length > 0);
        length = length < step ? length : step;
        exchange->output = realloc(exchange->output, exchange->length + length + 1);
        memcpy(exchange->output + exchange->length, bytes, length);
        exchange->length += length;
        exchange->output[exchange->length] = 0;
        http_session_sent(session, length);
    }
}

static void feed(struct http_session *session, struct exchange *exchange, const char *bytes,
                 size_t length, size_t step)
{
    /* A copy of the exact size, so that reading beyond it is caught. */
    char *copy = malloc(length);
    memcpy(copy, bytes, length);
    for (size_t at = 0; at < length && http_session_phase(session) != HTTP_CLOSING;) {
        size_t taken = http_session_input(session, copy + at, length - at);
        size_t before = exchange->length;
        drain(session, exchange, step);
        if (taken == 0 && exchange->length == before) {
            fail_msg("no progress at %zu of %s", at, bytes);
        }
        at += taken;
    }
    free(copy);
}

static struct exchange run(const char *stream, size_t length, size_t cut, size_t step)
{
    struct http_session *session = malloc(sizeof(*session));
    struct exchange exchange = {calloc(1, 1), 0, false};
    http_session_init(session, &server, NULL);
    if (cut == 0) { /* byte by byte */
        for (size_t i = 0; i < length; i++) {
            feed(session, &exchange, stream + i, 1, step);
        }
    } else {
        feed(session, &exchange, stream, cut < length ? cut : length, step);
        if (cut < length) {
            feed(session, &exchange, stream + cut, length - cut, step);
        }
    }
    exchange.closed = http_session_phase(session) == HTTP_CLOSING;
    http_session_end(session);
    free(session);
    return exchange;
}

/* The answer to a stream, the same for every cut. The caller frees .output. */
static struct exchange run_all(const char *stream, size_t length)
{
    struct exchange whole = run(stream, length, length, SIZE_MAX);
    for (size_t cut = 0; cut < length && length < 2000; cut++) {
        struct exchange other = run(stream, length, cut, cut % 7 + 1);
        if (other.length != whole.length || memcmp(other.output, whole.output, whole.length) != 0 ||
            other.closed != whole.closed) {
            fail_msg("cut at %zu of: %s\ngives:\n%s\ninstead of:\n%s", cut, stream, other.output,
                     whole.output);
        }
        free(other.output);
    }
    return whole;
}

static int status_of(const struct exchange *exchange)
{
    int status = 0;
    return sscanf(exchange->output, "HTTP/1.1 %d ", &status) == 1 ? status : -1;
}

static void expect_output(const char *stream, const char *output, bool closed)
{
    struct exchange exchange = run_all(stream, strlen(stream));
    assert_string_equal(exchange.output, output);
    assert_int_equal(exchange.closed, closed);
    free(exchange.output);
}

#define HEAD_200                                                                                   \
    "HTTP/1.1 200 OK\r\nServer: Skerry/test\r\nContent-Type: text/html; charset=utf-8"             \
    "\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 12\r\n"                                \
    "ETag: \"0123456789abcdef\"\r\n"

static void test_get(void **state)
{
    expect_output("GET /a.html HTTP/1.1\r\nHost: x\r\n\r\n", HEAD_200 "\r\n<p>hello</p>", false);
    assert_int_equal(last_status, 200);
    assert_int_equal(last_sent, 12);
    assert_string_equal(last_method, "GET");
}

static void test_head(void **state)
{
    expect_output("HEAD /a.html HTTP/1.1\r\nHost: x\r\n\r\n", HEAD_200 "\r\n", false);
    assert_int_equal(last_sent, 0);
}

static void test_close_is_honoured(void **state)
{
    expect_output("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                  "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                  HEAD_200 "Connection: close\r\n\r\n<p>hello</p>", true);
}

static void test_crowded(void **state)
{
    server.crowded = true;
    expect_output("GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                  HEAD_200 "Connection: close\r\n\r\n<p>hello</p>", true);
    server.crowded = false;
}

static void test_http_10(void **state)
{
    expect_output("GET / HTTP/1.0\r\n\r\n", HEAD_200 "Connection: close\r\n\r\n<p>hello</p>", true);
    expect_output("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                  HEAD_200 "Connection: keep-alive\r\n\r\n<p>hello</p>", false);
}

static void test_pipelining(void **state)
{
    answers = 0;
    expect_output("GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD /a.html HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                  HEAD_200 "\r\n<p>hello</p>" HEAD_200 "\r\n" HEAD_200
                           "Connection: close\r\n\r\n<p>hello</p>",
                  true);
}

static void test_date_only_when_known(void **state)
{
    memcpy(server.date, DATE, sizeof(DATE) - 1);
    server.date_length = sizeof(DATE) - 1;
    expect_output("GET / HTTP/1.1\r\nHost: x\r\n\r\n", HEAD_200 DATE "\r\n<p>hello</p>", false);
    server.date_length = 0;
}

static void test_not_modified(void **state)
{
    static const char answer[] =
        "HTTP/1.1 304 Not Modified\r\nServer: Skerry/test\r\nETag: \"0123456789abcdef\"\r\n\r\n";
    expect_output("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"0123456789abcdef\"\r\n\r\n",
                  answer, false);
    expect_output(
        "GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"u\", W/\"0123456789abcdef\"\r\n\r\n", answer,
        false);
    expect_output("GET / HTTP/1.1\r\nHost: x\r\nif-none-match: \"u\"\r\nIf-None-Match: *\r\n\r\n",
                  HEAD_200 "\r\n<p>hello</p>", false);
    expect_output("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"other\"\r\n\r\n",
                  HEAD_200 "\r\n<p>hello</p>", false);
}

static void test_request_body_is_dropped(void **state)
{
    expect_output("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                  "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
                  HEAD_200 "\r\n<p>hello</p>" HEAD_200 "\r\n", false);
    expect_output(
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;a=b\r\nhello\r\n0\r\nHost: y\r\nX: z\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD_200 "\r\n<p>hello</p>" HEAD_200 "\r\n", false);
}

static void test_continue(void **state)
{
    expect_output(
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\nhi",
        "HTTP/1.1 100 Continue\r\n\r\n" HEAD_200 "\r\n<p>hello</p>", false);
    expect_output("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
                  HEAD_200 "\r\n<p>hello</p>", false);
}

static void test_upgrade_is_ignored(void **state)
{
    expect_output("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                  "Upgrade: h2c\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
                  HEAD_200 "\r\n<p>hello</p>" HEAD_200 "\r\n", false);
}

struct hostile {
    const char *name;
    const char *stream;
    int status;
    bool closed;
};

#define REQUEST(fields) "GET / HTTP/1.1\r\nHost: x\r\n" fields "\r\n\r\n"

static const struct hostile hostile[] = {
    {"no host", "GET / HTTP/1.1\r\n\r\n", 400, true},
    {"two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, true},
    {"host with a blank", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400, true},
    {"host with a slash", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400, true},
    {"host list", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, true},
    {"no version", "GET /\r\n\r\n", 400, true},
    {"version 2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, true},
    {"version 3.7", "GET / HTTP/3.7\r\nHost: x\r\n\r\n", 505, true},
    {"version 9.9", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505, true},
    {"version letters", "GET / HTTP/x.y\r\nHost: x\r\n\r\n", 400, true},
    {"version long", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400, true},
    {"version lower case", "GET / http/1.1\r\nHost: x\r\n\r\n", 400, true},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true},
    {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, true},
    {"unknown method", "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", 501, true},
    {"unknown method like GET", "GETX / HTTP/1.1\r\nHost: x\r\n\r\n", 501, true},
    {"lower-case method", "get / HTTP/1.1\r\nHost: x\r\n\r\n", 501, true},
    {"method with a bad byte", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
    {"unknown method, no target", "BREW  HTTP/1.1\r\n\r\n", 400, true},
    {"unknown method, bad version", "BREW / HTPP/1.1\r\n\r\n", 400, true},
    {"unknown method alone", "BREW\r\n\r\n", 400, true},
    {"POST", "POST / HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
    {"POST with a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405, true},
    {"PUT", "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, false},
    {"DELETE", "DELETE /x HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
    {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
    {"TRACE", "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
    {"CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
    {"length and chunked", REQUEST("Content-Length: 3\r\nTransfer-Encoding: chunked"), 400, true},
    {"two lengths", REQUEST("Content-Length: 3\r\nContent-Length: 4"), 400, true},
    {"two equal lengths", REQUEST("Content-Length: 3\r\nContent-Length: 3"), 400, true},
    {"length +3", REQUEST("Content-Length: +3"), 400, true},
    {"length 3,3", REQUEST("Content-Length: 3,3"), 400, true},
    {"length -1", REQUEST("Content-Length: -1"), 400, true},
    {"length 0x3", REQUEST("Content-Length: 0x3"), 400, true},
    {"no length value", REQUEST("Content-Length:"), 400, true},
    {"huge length", REQUEST("Content-Length: 99999999999999999999999"), 400, true},
    {"body too large", REQUEST("Content-Length: 65537"), 413, true},
    {"unknown coding", REQUEST("Transfer-Encoding: xchunked"), 400, true},
    {"coding not last", REQUEST("Transfer-Encoding: chunked, gzip"), 400, true},
    {"chunked in 1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true},
    {"bad chunk size", REQUEST("Transfer-Encoding: chunked") "g\r\n", 400, true},
    {"huge chunk size", REQUEST("Transfer-Encoding: chunked") "fffffffffffffffff\r\n", 400, true},
    {"folded field", REQUEST("A: b\r\n c"), 400, true},
    {"blank before colon", REQUEST("A : b"), 400, true},
    {"blank before the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400, true},
    {"bare LF", "GET / HTTP/1.1\nHost: x\n\n", 400, true},
    {"bare CR", "GET / HTTP/1.1\r\nHost: x\r\rA: b\r\n\r\n", 400, true},
    {"no colon", REQUEST("nonsense"), 400, true},
    {"empty name", REQUEST(": b"), 400, true},
    {"bad name byte", REQUEST("a@b: c"), 400, true},
    {"raw byte in target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
    {"blank in target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
    {"target without slash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
    {"fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"asterisk with GET", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"bad escape", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"cut escape", "GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"NUL by escape", "GET /a%00.html HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"above the root", "GET /../etc HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"above the root, escaped", "GET /a/%2e%2E/%2e./x HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"above the root, escaped slash", "GET /..%2f..%2fx HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"not there", "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
    {"unknown expectation", REQUEST("Expect: tea\r\nContent-Length: 3"), 417, true},
    {"absolute form", "GET http://x/a.html HTTP/1.1\r\nHost: x\r\n\r\n", 200, false},
    {"absolute form, root", "GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", 200, false},
    {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200, false},
    {"host with port", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200, false},
    {"empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, false},
    {"query", "GET /a.html?x=/../y HTTP/1.1\r\nHost: x\r\n\r\n", 200, false},
    {"dot segments", "GET /x/.././a.html HTTP/1.1\r\nHost: x\r\n\r\n", 200, false},
    {"escaped letters", "GET /%61.%68tml HTTP/1.1\r\nHost: x\r\n\r\n", 200, false},
};

static void test_hostile(void **state)
{
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        const struct hostile *h = &hostile[i];
        struct exchange exchange = run_all(h->stream, strlen(h->stream));
        if (status_of(&exchange) != h->status || exchange.closed != h->closed) {
            fail_msg("%s: status %d instead of %d, closed %d instead of %d\n%s", h->name,
                     status_of(&exchange), h->status, exchange.closed, h->closed, exchange.output);
        }
        assert_int_equal(strstr(exchange.output, "Allow: GET, HEAD\r\n") != NULL, h->status == 405);
        free(exchange.output);
    }
}

/* NUL bytes cannot be in the list above. */
static void test_nul_bytes(void **state)
{
    static const char in_value[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n";
    static const char in_target[] = "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n";
    struct exchange exchange = run_all(in_value, sizeof(in_value) - 1);
    assert_int_equal(status_of(&exchange), 400);
    free(exchange.output);
    exchange = run_all(in_target, sizeof(in_target) - 1);
    assert_int_equal(status_of(&exchange), 400);
    free(exchange.output);
}

/* prefix, then `count` times `unit`, then suffix; the status must not depend on the cut. */
static int status_of_long(const char *prefix, const char *unit, size_t count, const char *suffix)
{
    size_t p = strlen(prefix), u = strlen(unit), s = strlen(suffix), length = p + u * count + s;
    char *stream = malloc(length + 1);
    memcpy(stream, prefix, p);
    for (size_t i = 0; i < count; i++) {
        memcpy(stream + p + i * u, unit, u);
    }
    memcpy(stream + p + u * count, suffix, s + 1);
    struct exchange whole = run(stream, length, length, SIZE_MAX);
    struct exchange bytes = run(stream, length, 0, SIZE_MAX);
    int status = status_of(&whole);
    assert_int_equal(status, status_of(&bytes));
    free(whole.output);
    free(bytes.output);
    free(stream);
    return status;
}

static void test_limits(void **state)
{
    static const char end[] = " HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\n";
    assert_int_equal(status_of_long("GET /", "a", HTTP_TARGET_MAX, end), 414);
    assert_int_equal(status_of_long("GET /", "a", HTTP_TARGET_MAX - 1, end), 404);
    assert_int_equal(status_of_long("GET /?", "a", HTTP_TARGET_MAX - 2, end), 200);
    assert_int_equal(status_of_long(head, "A: b\r\n", HTTP_FIELDS_MAX, "\r\n"), 431);
    assert_int_equal(status_of_long(head, "A: b\r\n", HTTP_FIELDS_MAX - 1, "\r\n"), 200);
    assert_int_equal(
        status_of_long("GET / HTTP/1.1\r\nHost: x\r\nA: ", "a", HTTP_HEAD_MAX, "\r\n\r\n"), 431);
    assert_int_equal(
        status_of_long("GET / HTTP/1.1\r\nHost: x\r\n", "a", HTTP_HEAD_MAX, ": b\r\n\r\n"), 431);
    assert_int_equal(
        status_of_long("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                       "4\r\nabcd\r\n", HTTP_BODY_MAX / 4 + 1, "0\r\n\r\n"),
        413);
    assert_int_equal(status_of_long("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n",
                                    "a", HTTP_BODY_MAX, ""),
                     200);
    assert_int_equal(
        status_of_long("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"", "a", 4000, "\"\r\n\r\n"),
        200);
}

static void test_timed_out(void **state)
{
    struct http_session *session = malloc(sizeof(*session));
    struct exchange exchange = {calloc(1, 1), 0, false};
    http_session_init(session, &server, NULL);
    assert_int_equal(http_session_phase(session), HTTP_IDLE);
    assert_int_equal(http_session_input(session, "GET / HT", 8), 8);
    assert_int_equal(http_session_phase(session), HTTP_READING);
    http_session_timed_out(session);
    assert_int_equal(http_session_phase(session), HTTP_SENDING);
    drain(session, &exchange, SIZE_MAX);
    assert_int_equal(status_of(&exchange), 408);
    assert_non_null(strstr(exchange.output, "\r\nConnection: close\r\n"));
    assert_int_equal(http_session_phase(session), HTTP_CLOSING);
    assert_int_equal(http_session_input(session, "TP/1.1", 6), 0);
    http_session_end(session);
    free(session);
    free(exchange.output);
}

static void test_no_input_while_sending(void **state)
{
    static const char two[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_session *session = malloc(sizeof(*session));
    http_session_init(session, &server, NULL);
    size_t first = http_session_input(session, two, sizeof(two) - 1);
    assert_int_equal(first, (sizeof(two) - 1) / 2);
    assert_int_equal(http_session_input(session, two + first, sizeof(two) - 1 - first), 0);
    http_session_end(session); /* lets go of the answer; a leak would be reported */
    free(session);
}

static int teardown(void **state)
{
    drop_errors();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_close_is_honoured),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_http_10),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_date_only_when_known),
        cmocka_unit_test(test_not_modified),
        cmocka_unit_test(test_request_body_is_dropped),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_upgrade_is_ignored),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_timed_out),
        cmocka_unit_test(test_no_input_while_sending),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
