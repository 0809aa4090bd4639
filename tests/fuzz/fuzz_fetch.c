/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds URLs and responses to the client's parsers. */
#include <stdlib.h>
#include <string.h>

#include "fetch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *context, const char *bytes, size_t length)
{
    *(size_t *)context += length;
    return true;
}

static size_t run(const uint8_t *data, size_t size, size_t step, bool *complete)
{
    struct fetch fetch;
    size_t body = 0;
    const char *wrong = NULL;
    fetch_init(&fetch, take, &body);
    for (size_t at = 0; at < size && wrong == NULL; at += step) {
        wrong = fetch_feed(&fetch, (const char *)data + at, size - at < step ? size - at : step);
    }
    *complete = wrong == NULL && fetch_end(&fetch) == NULL;
    return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct url url;
    char request[FETCH_REQUEST_MAX];
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    if (url_parse(text, &url) == NULL && fetch_request(&url, request) != strlen(request)) {
        abort();
    }
    free(text);
    bool whole_complete, bytes_complete;
    size_t whole = run(data, size, size + 1, &whole_complete);
    size_t bytes = run(data, size, 1, &bytes_complete);
    if (whole_complete != bytes_complete || (whole_complete && whole != bytes)) {
        abort();
    }
    return 0;
}
