/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects by path: a hash table with a bound. Pure but for malloc.
 */
#ifndef HTTP_CACHE_H
#define HTTP_CACHE_H

#include "object.h"

#define HTTP_CACHE_MAX 512u
#define HTTP_CACHE_BUCKETS 256u

struct http_cache_entry;

struct http_cache {
    struct http_cache_entry *buckets[HTTP_CACHE_BUCKETS];
    uint32_t count;
    uint32_t hand; /* the bucket that gives the next victim */
};

/* The object with a reference for the caller, or NULL. */
struct http_object *http_cache_get(struct http_cache *cache, const char *path, size_t length);

/*
 * Keeps a reference to the object under a path that is not in the cache. When the cache is full an
 * old entry makes room. Out of memory: the object is not kept, which is no error.
 */
void http_cache_put(struct http_cache *cache, const char *path, size_t length,
                    struct http_object *object);

void http_cache_clear(struct http_cache *cache);

#endif
