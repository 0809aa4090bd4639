/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects by path. Owns a reference to each object and a copy of its path.
 * Tests: tests/host/userland/apps/http-server/test_cache.c.
 */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

struct http_cache_entry {
    struct http_cache_entry *next;
    struct http_object *object;
    uint32_t hash;
    uint32_t length;
    char path[];
};

static uint32_t hash_path(const char *path, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (uint8_t)path[i]) * 16777619u;
    }
    return hash ^ hash >> 16;
}

struct http_object *http_cache_get(struct http_cache *cache, const char *path, size_t length)
{
    uint32_t hash = hash_path(path, length);
    struct http_cache_entry *entry = cache->buckets[hash % HTTP_CACHE_BUCKETS];
    for (; entry != NULL; entry = entry->next) {
        if (entry->hash == hash && entry->length == length &&
            memcmp(entry->path, path, length) == 0) {
            http_object_acquire(entry->object);
            return entry->object;
        }
    }
    return NULL;
}

static void drop_first(struct http_cache *cache, struct http_cache_entry **bucket)
{
    struct http_cache_entry *entry = *bucket;
    *bucket = entry->next;
    http_object_release(entry->object);
    free(entry);
    cache->count--;
}

void http_cache_put(struct http_cache *cache, const char *path, size_t length,
                    struct http_object *object)
{
    struct http_cache_entry *entry = malloc(sizeof(*entry) + length);
    if (entry == NULL) {
        return;
    }
    while (cache->count >= HTTP_CACHE_MAX) {
        struct http_cache_entry **bucket = &cache->buckets[cache->hand++ % HTTP_CACHE_BUCKETS];
        if (*bucket != NULL) {
            drop_first(cache, bucket);
        }
    }
    entry->object = object;
    entry->hash = hash_path(path, length);
    entry->length = (uint32_t)length;
    memcpy(entry->path, path, length);
    struct http_cache_entry **bucket = &cache->buckets[entry->hash % HTTP_CACHE_BUCKETS];
    entry->next = *bucket;
    *bucket = entry;
    cache->count++;
    http_object_acquire(object);
}

void http_cache_clear(struct http_cache *cache)
{
    for (uint32_t i = 0; i < HTTP_CACHE_BUCKETS; i++) {
        while (cache->buckets[i] != NULL) {
            drop_first(cache, &cache->buckets[i]);
        }
    }
}
