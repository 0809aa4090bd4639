/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Children of tests: jobs of their own, programs from the boot archive.
 */
#include "guest_test.h"

#include <string.h>

#include <sk/cpio.h>

handle_t test_job_with(struct sk_budget budget)
{
    handle_t job;
    status_t status = sk_job_create(sk_self_job, &budget, &job);
    if (status != SK_OK) {
        sk_die("no job for a child: %s", sk_status_words(status));
    }
    return job;
}

handle_t test_job(void)
{
    return test_job_with((struct sk_budget){
        .pages = 512, .objects = 512, .handles = 512, .messages = 128, .threads = 16});
}

void test_job_end(handle_t job)
{
    uint64_t observed;
    test_status(sk_job_kill(job), SK_OK);
    test_status(sk_object_wait(job, SK_SIGNAL_TERMINATED, test_deadline(), &observed), SK_OK);
    test_status(sk_handle_close(job), SK_OK);
}

/* Found once; the archive stays mapped, which the counts of every case include. */
static status_t find_child(struct sk_cpio_entry *entry)
{
    static struct sk_cpio_entry found;
    if (found.name == NULL) {
        struct sk_memory_info info;
        uint64_t written, address;
        handle_t bootfs = sk_boot_handle("bootfs");
        status_t status = sk_object_info(bootfs, &info, sizeof info, &written);
        if (status == SK_OK) {
            status = sk_memory_map(sk_self_process, bootfs, 0, info.size, 0, SK_PROT_READ,
                                   &address);
        }
        if (status == SK_OK) {
            status = sk_cpio_find((const void *)address, info.size, "bin/test-child", &found);
        }
        if (status != SK_OK) {
            return status;
        }
    }
    *entry = found;
    return SK_OK;
}

status_t test_spawn(handle_t job, const char *const *arguments,
                    const struct sk_spawn_handle *handles, size_t handle_count,
                    struct sk_child *child)
{
    struct sk_cpio_entry image;
    status_t status = find_child(&image);
    if (status != SK_OK) {
        return status;
    }
    const char *list[16] = {"test-child"};
    size_t count = 1;
    while (arguments != NULL && arguments[count - 1] != NULL && count < 16) {
        list[count] = arguments[count - 1];
        count++;
    }
    struct sk_spawn spawn = {
        .name = "test-child",
        .job = job,
        .image = sk_boot_handle("bootfs"),
        .image_offset = image.offset,
        .image_size = image.size,
        .argument_count = count,
        .arguments = list,
        .handles = handles,
        .handle_count = handle_count,
    };
    return sk_spawn(&spawn, child);
}

struct sk_process_info test_child_end(struct sk_child *child)
{
    struct sk_process_info info = {0};
    test_status(sk_process_wait(child->process, test_deadline(), &info), SK_OK);
    test_status(sk_handle_close(child->process), SK_OK);
    test_status(sk_handle_close(child->boot), SK_OK);
    return info;
}
