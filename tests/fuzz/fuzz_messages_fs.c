/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the service "fs". See messages.h. */
#include <stdlib.h>
#include <string.h>

#include <sk/protocol/fs.h>

#include "double/archive.h"
#include "messages.h"

int service_main(void);

static const char *const words[] = {"/",  "etc", "bin/hello",      "../",     "..",
                                    "//", "./",  "www/index.html", "missing", NULL};

static const char *const shapes[] = {"0s", "0s", "0s"};

static void prepare(void)
{
    static const uint8_t page[SK_PAGE_SIZE];
    const struct archive_file files[] = {{"etc", 040755, NULL, 0},
                                         {"etc/empty", 0100644, NULL, 0},
                                         {"bin/hello", 0100755, page, 100},
                                         {"www/index.html", 0100644, page, sizeof page}};
    double_boot_handle("bootfs", archive_make(files, sizeof files / sizeof files[0]));
}

static void ask_for(uint64_t operation, const char *path)
{
    struct {
        struct sk_fs_request request;
        char path[32];
    } message = {.request.operation = operation};
    memcpy(message.path, path, strlen(path));
    if (!ask(&message, sizeof message.request + strlen(path))) {
        double_broke("%s is not there", path);
    }
}

/* It keeps the memory of every file that was ever opened. */
static void settle(void)
{
    ask_for(SK_FS_OPEN, "bin/hello");
    ask_for(SK_FS_OPEN, "etc/empty");
    ask_for(SK_FS_OPEN, "www/index.html");
    ask_for(SK_FS_LIST, "/");
}

const struct target target = {
    .service = "fs",
    .run = service_main,
    .shapes = shapes,
    .operations = SK_FS_LIST,
    .words = words,
    .prepare = prepare,
    .settle = settle,
};
