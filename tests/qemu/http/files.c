/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file service and sysinfo as their clients see them. The archive itself, which this program
 * also holds, is the reference for what the service says.
 */
#include <stdlib.h>
#include <string.h>

#include <guest_test.h>
#include <sk/cpio.h>
#include <sk/file.h>
#include <sk/protocol/sysinfo.h>
#include <sk/sysinfo.h>

static const void *archive;
static uint64_t archive_size;

static const char path[] = "etc/files.manifest";

/* The bytes of a file as the archive has them. */
static const char *reference(const char *name, uint64_t *size)
{
    struct sk_cpio_entry entry = {0};
    test_status(sk_cpio_find(archive, archive_size, name, &entry), SK_OK);
    *size = entry.size;
    return (const char *)archive + entry.offset;
}

static void bytes_are_the_archives(void)
{
    struct sk_file file;
    const void *mapped = NULL;
    char buffer[64];
    size_t copied = 0;
    uint64_t size;
    const char *wanted = reference(path, &size);
    if (!test_status(sk_file_open(path, &file), SK_OK)) {
        return;
    }
    test_equal(file.size, size);
    if (test_status(sk_file_map(&file, &mapped), SK_OK)) {
        test_check(memcmp(mapped, wanted, size) == 0);
        uint64_t length = (size + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
        test_status(sk_memory_unmap(sk_self_process, (uintptr_t)mapped, length), SK_OK);
    }
    test_status(sk_file_read(&file, 10, buffer, sizeof(buffer), &copied), SK_OK);
    test_equal(copied, sizeof(buffer));
    test_check(memcmp(buffer, wanted + 10, copied) == 0);
    test_status(sk_file_read(&file, size - 3, buffer, sizeof(buffer), &copied), SK_OK);
    test_equal(copied, 3);
    test_status(sk_file_read(&file, size + 3, buffer, sizeof(buffer), &copied), SK_OK);
    test_equal(copied, 0);
    sk_file_close(&file);
}

/* What a client gets is the file's pages; the rest of the archive is not reachable through them. */
static void nothing_but_the_file_is_given(void)
{
    struct sk_file file;
    struct sk_memory_info info;
    uint64_t written, address;
    char byte;
    handle_t slice;
    if (!test_status(sk_file_open(path, &file), SK_OK)) {
        return;
    }
    uint64_t pages = (file.size + SK_PAGE_SIZE - 1) / SK_PAGE_SIZE;
    test_status(sk_object_info(file.memory, &info, sizeof info, &written), SK_ACCESS_DENIED);
    test_status(sk_memory_read(file.memory, pages * SK_PAGE_SIZE, &byte, 1), SK_OUT_OF_RANGE);
    test_status(sk_memory_map(sk_self_process, file.memory, 0, (pages + 1) * SK_PAGE_SIZE, 0,
                              SK_PROT_READ, &address),
                SK_OUT_OF_RANGE);
    test_status(sk_memory_slice(file.memory, sk_self_job, 0, (pages + 1) * SK_PAGE_SIZE, &slice),
                SK_OUT_OF_RANGE);
    sk_file_close(&file);
}

static void files_are_read_only(void)
{
    struct sk_file file;
    uint64_t address;
    if (!test_status(sk_file_open("/etc/../etc/files.manifest", &file), SK_OK)) {
        return;
    }
    test_status(sk_memory_write(file.memory, 0, "x", 1), SK_ACCESS_DENIED);
    test_status(sk_memory_map(sk_self_process, file.memory, 0, SK_PAGE_SIZE, 0,
                              SK_PROT_READ | SK_PROT_WRITE, &address),
                SK_ACCESS_DENIED);
    test_status(sk_memory_map(sk_self_process, file.memory, 0, SK_PAGE_SIZE, 0,
                              SK_PROT_READ | SK_PROT_EXECUTE, &address),
                SK_ACCESS_DENIED);
    sk_file_close(&file);
}

static void errors_are_told(void)
{
    struct sk_file file;
    struct sk_file_info info;
    char longest[SK_FS_PATH_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    test_status(sk_file_open("etc/nothing", &file), SK_NOT_FOUND);
    test_status(sk_file_open("etc", &file), SK_IS_DIRECTORY);
    test_status(sk_file_open("", &file), SK_IS_DIRECTORY);
    test_status(sk_file_open("../etc", &file), SK_INVALID_ARGS);
    test_status(sk_file_open(longest, &file), SK_INVALID_ARGS);
    test_status(sk_file_list(path, NULL, NULL), SK_NOT_DIRECTORY);
    test_status(sk_file_stat("bin/nothing", &info), SK_NOT_FOUND);
    test_status(sk_file_stat("/bin/init", &info), SK_OK);
    test_check(info.executable && !info.directory && info.size > 0);
    test_status(sk_file_stat("/bin/", &info), SK_OK);
    test_check(info.directory);
}

struct seen {
    uint32_t count;
    bool init, self, stop;
};

static bool see(const struct sk_file_entry *entry, void *context)
{
    struct seen *seen = context;
    seen->count++;
    seen->init |= strcmp(entry->name, "init") == 0 && entry->size > 0 && !entry->directory;
    seen->self |= strcmp(entry->name, "test-files") == 0;
    return !seen->stop;
}

static void folders_are_listed(void)
{
    struct seen seen = {0};
    test_status(sk_file_list("/bin", see, &seen), SK_OK);
    test_check(seen.init && seen.self && seen.count > 5);
    seen = (struct seen){.stop = true};
    test_status(sk_file_list("/bin", see, &seen), SK_OK);
    test_equal(seen.count, 1);
}

/* Sends raw bytes; returns the status in the reply. */
static status_t ask(handle_t service, const void *request, size_t length)
{
    uint8_t reply[SK_MESSAGE_BYTES_MAX];
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    int64_t status = SK_BAD_FORMAT;
    struct sk_out out = sk_out_bytes(request, length);
    struct sk_in in = sk_in_bytes(reply, sizeof(reply));
    in.handles = handles;
    in.handle_capacity = SK_MESSAGE_HANDLES_MAX;
    if (!test_status(sk_channel_call(service, &out, &in, test_deadline()), SK_OK)) {
        return SK_BAD_FORMAT;
    }
    for (size_t i = 0; i < in.handle_count; i++) {
        sk_handle_close(handles[i]);
    }
    memcpy(&status, reply, in.length >= sizeof(status) ? sizeof(status) : 0);
    return (status_t)status;
}

static void malformed_requests_are_refused(void)
{
    static const char *const services[] = {"fs", "sysinfo"};
    static uint8_t request[SK_MESSAGE_BYTES_MAX];
    for (size_t i = 0; i < 2; i++) {
        handle_t service;
        if (!test_status(sk_connect(services[i], test_deadline(), &service), SK_OK)) {
            continue;
        }
        uint32_t refused = 0, tried = 0;
        for (uint64_t operation = 0; operation < 8; operation += 7) {
            for (size_t length = 8; length <= sizeof(request); length += 511) {
                memset(request, 0xff, sizeof(request));
                memcpy(request, &operation, sizeof(operation));
                refused += ask(service, request, length) == SK_INVALID_ARGS;
                tried++;
            }
        }
        test_equal(refused, tried);
        /* Known operations with nonsense behind them: any answer but a wrong one. */
        for (uint64_t operation = 1; operation < 6; operation++) {
            memset(request, 0xff, sizeof(request));
            memcpy(request, &operation, sizeof(operation));
            test_check(ask(service, request, 8) != SK_OK);
            ask(service, request, 16);
            test_check(ask(service, request, sizeof(request)) != SK_BAD_FORMAT);
        }
        sk_handle_close(service);
    }
}

static void many_handles_leave_nothing(void)
{
    for (int i = 0; i < 200; i++) {
        struct sk_file file;
        if (!test_status(sk_file_open(path, &file), SK_OK)) {
            return;
        }
        sk_file_close(&file);
    }
}

static void status_is_one_text(void)
{
    char *text;
    size_t length;
    if (!test_status(sk_sysinfo_status(test_deadline(), &text, &length), SK_OK)) {
        return;
    }
    test_equal(strlen(text), length);
    test_check(strncmp(text, "{\"schema\":1,\"version\":\"", 23) == 0);
    test_check(strstr(text, "\"name\":\"test-files\",\"state\":\"running\"") != NULL);
    test_check(strstr(text, "\"service\":\"fs\",\"program\":\"fs\",\"state\":\"up\"") != NULL);
    test_check(strcmp(text + length - 3, "]}\n") == 0);
    free(text);
}

static void raw_numbers_are_given(void)
{
    handle_t service;
    struct {
        struct sk_sysinfo_reply head;
        struct sk_process_info processes[24];
    } reply;
    struct sk_sysinfo_request request = {SK_SYSINFO_PROCESSES, 0};
    struct sk_out out = sk_out_bytes(&request, sizeof(request));
    struct sk_in in = sk_in_bytes(&reply, sizeof(reply));
    if (!test_status(sk_connect("sysinfo", test_deadline(), &service), SK_OK)) {
        return;
    }
    test_status(sk_channel_call(service, &out, &in, test_deadline()), SK_OK);
    test_status((status_t)reply.head.status, SK_OK);
    test_check(reply.head.count > 2 && reply.head.count <= reply.head.total);
    test_equal(in.length, sizeof(reply.head) + reply.head.count * sizeof(reply.processes[0]));
    bool init = false;
    for (uint32_t i = 0; i < reply.head.count && i < 24; i++) {
        init |= strcmp(reply.processes[i].name, "init") == 0;
    }
    test_check(init);
    request = (struct sk_sysinfo_request){SK_SYSINFO_STATUS, 1 << 20};
    test_status(ask(service, &request, sizeof(request)), SK_BAD_STATE);
    sk_handle_close(service);
}

int main(void)
{
    handle_t memory = sk_boot_handle("bootfs");
    struct sk_memory_info info = {0};
    uint64_t written, address = 0;
    if (sk_object_info(memory, &info, sizeof(info), &written) != SK_OK ||
        sk_memory_map(sk_self_process, memory, 0, info.size, 0, SK_PROT_READ, &address) != SK_OK) {
        sk_die("cannot map the archive");
    }
    archive = (const void *)(uintptr_t)address;
    archive_size = info.size;

    /* The first call makes the connection that the cases share; fs keeps an object for each file that
     * was ever opened. */
    const char *const opened[] = {path, "etc/files.manifest"};
    struct sk_file_info stat;
    struct sk_file file;
    char *text;
    size_t length;
    sk_file_stat("/", &stat);
    for (size_t i = 0; i < 2; i++) {
        if (sk_file_open(opened[i], &file) == SK_OK) {
            sk_file_close(&file);
        }
    }
    if (sk_sysinfo_status(test_deadline(), &text, &length) == SK_OK) {
        free(text);
    }
    test_case("a file's bytes are the archive's", bytes_are_the_archives);
    test_case("nothing but the file is given", nothing_but_the_file_is_given);
    test_case("files are read-only", files_are_read_only);
    test_case("what is wrong with a path is told", errors_are_told);
    test_case("folders are listed", folders_are_listed);
    test_case("malformed requests are refused", malformed_requests_are_refused);
    test_case("200 opened and closed files leave nothing behind", many_handles_leave_nothing);
    test_case("the state of the system is one text", status_is_one_text);
    test_case("the state of the system is given as numbers", raw_numbers_are_given);
    return test_done();
}
