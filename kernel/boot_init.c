/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first process: bin/init of the boot archive, and what it is given. The only ELF loader in the
 * kernel; every other program is loaded by user space. Nothing in the file is believed before its length
 * was checked.
 *
 * Context: the boot hart, once. Tests: every boot.
 */
#include <kernel/boot.h>

#include <elf.h>
#include <libfdt.h>
#include <string.h>

#include <skerry/boot.h>

#include <ipc/channel.h>
#include <kernel/log.h>
#include <kernel/memory.h>
#include <kernel/platform.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/resource.h>

#define INIT_NAME "bin/init"
#define STACK_SIZE ((uint64_t)64 << 10)
#define PROGRAM_HEADERS_MAX 16u
#define HANDLES 5u

/* What is needed all along. */
struct loader {
    struct job *job;
    struct process *process;
    struct memory *archive;    /* the whole boot archive */
    const unsigned char *file; /* init in it */
    uint64_t file_offset;      /* in the archive */
    uint64_t file_size;
    vaddr_t moved; /* how far from where it was linked */
};

static const char *status_words(status_t status)
{
    static const struct {
        status_t status;
        const char *words;
    } list[] = {
#define WORDS(name, value, text) {value, text},
        SK_STATUS_LIST(WORDS)
#undef WORDS
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (list[i].status == status) {
            return list[i].words;
        }
    }
    return "unknown error";
}

static void must(status_t status, const char *what)
{
    if (status != SK_OK) {
        boot_fail("%s: %s", what, status_words(status));
    }
}

static void open_archive(struct loader *l)
{
    paddr_t start = platform.initrd.start;
    uint64_t size = platform.initrd.end - start;
    l->file_offset = boot_archive_find(INIT_NAME, &l->file_size);
    l->file = (const unsigned char *)phys_to_virt(start) + l->file_offset;
    must(memory_create_fixed(l->job, MEMORY_PHYSICAL, start, (size + PAGE_MASK) & ~PAGE_MASK,
                             &l->archive),
         "boot archive");
}

/*
 * A segment that is never written is mapped from the archive itself, any other is a copy. The first one goes to a
 * random place, and the others follow it.
 */
static void load_segment(struct loader *l, const Elf64_Phdr *segment, bool first)
{
    uint32_t prot = ((segment->p_flags & PF_R) != 0 ? SK_PROT_READ : 0u) |
                    ((segment->p_flags & PF_W) != 0 ? SK_PROT_WRITE : 0u) |
                    ((segment->p_flags & PF_X) != 0 ? SK_PROT_EXECUTE : 0u);
    uint64_t skew = segment->p_vaddr & PAGE_MASK;
    bool sane = segment->p_filesz <= segment->p_memsz && segment->p_offset <= l->file_size &&
                segment->p_filesz <= l->file_size - segment->p_offset &&
                segment->p_vaddr < SK_USER_LIMIT / 2 && segment->p_memsz < SK_USER_LIMIT / 2 &&
                (segment->p_offset & PAGE_MASK) == skew;
    if (!sane) {
        boot_fail("%s has a malformed segment", INIT_NAME);
    }
    uint64_t length = (skew + segment->p_memsz + PAGE_MASK) & ~PAGE_MASK;
    uint64_t offset = l->file_offset + segment->p_offset - skew;
    struct memory *memory = l->archive;
    if ((prot & SK_PROT_WRITE) != 0 || segment->p_filesz != segment->p_memsz) {
        must(memory_create(l->job, length, &memory), INIT_NAME);
        must(memory_copy_in(memory, skew, l->file + segment->p_offset, segment->p_filesz),
             INIT_NAME);
        offset = 0;
    } else {
        object_get(&memory->object);
    }
    vaddr_t linked_at = segment->p_vaddr - skew, mapped;
    must(space_map(&l->process->space, memory, SK_RIGHTS_ALL, offset, length,
                   first ? 0 : l->moved + linked_at, prot | (first ? 0 : SK_MAP_FIXED), &mapped),
         INIT_NAME);
    l->moved = mapped - linked_at;
    object_put(&memory->object);
}

/* Returns the entry point. */
static uint64_t load_program(struct loader *l)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)l->file;
    bool sane = l->file_size >= sizeof *elf && memcmp(elf->e_ident, ELFMAG, SELFMAG) == 0 &&
                elf->e_ident[EI_CLASS] == ELFCLASS64 && elf->e_ident[EI_DATA] == ELFDATA2LSB &&
                elf->e_type == ET_DYN && elf->e_machine == EM_RISCV &&
                elf->e_phentsize == sizeof(Elf64_Phdr) && elf->e_phnum <= PROGRAM_HEADERS_MAX &&
                elf->e_phoff % 8 == 0 && elf->e_phoff <= l->file_size &&
                elf->e_phnum * sizeof(Elf64_Phdr) <= l->file_size - elf->e_phoff;
    if (!sane) {
        boot_fail("%s is not a program for this machine", INIT_NAME);
    }
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(l->file + elf->e_phoff);
    bool first = true;
    for (uint32_t i = 0; i < elf->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_memsz > 0) {
            load_segment(l, &segments[i], first);
            first = false;
        }
    }
    return l->moved + elf->e_entry;
}

static uint64_t make_stack(struct loader *l)
{
    struct memory *memory;
    vaddr_t mapped;
    must(memory_create(l->job, STACK_SIZE, &memory), "stack of init");
    must(space_map(&l->process->space, memory, SK_RIGHTS_ALL, 0, STACK_SIZE, 0,
                   SK_PROT_READ | SK_PROT_WRITE | SK_MAP_APART, &mapped),
         "stack of init");
    object_put(&memory->object);
    return mapped + STACK_SIZE;
}

/* The boot message: "init" and the words of the command line as arguments, then handle names. */
static uint32_t write_message(unsigned char *message, const char *names, uint32_t names_size)
{
    struct sk_boot_header header = {
        .magic = SK_BOOT_MAGIC,
        .abi_version = SK_ABI_VERSION,
        .argument_count = 1,
        .handle_count = HANDLES,
    };
    uint32_t at = sizeof header;
    memcpy(message + at, "init", sizeof "init");
    at += sizeof "init";
    const char *word = platform.command_line;
    for (word += strspn(word, " "); *word != '\0'; word += strspn(word, " ")) {
        size_t length = strcspn(word, " ");
        memcpy(message + at, word, length);
        message[at + length] = '\0';
        at += (uint32_t)length + 1;
        header.argument_count++;
        word += length;
    }
    memcpy(message + at, names, names_size);
    at += names_size;
    header.length = at;
    memcpy(message, &header, sizeof header);
    return at;
}

static struct capability all_rights(struct object *object)
{
    return capability_make(object, object_types[object->type]->rights);
}

/* What the kernel's random numbers come from is no program's business: the copy has others. */
static void hide_seeds(struct memory *copy, const void *tree)
{
    static const char *const names[] = {"rng-seed", "kaslr-seed"};
    int chosen = fdt_path_offset(tree, "/chosen");
    for (size_t i = 0; chosen >= 0 && i < sizeof names / sizeof names[0]; i++) {
        int length = 0;
        const char *seed = fdt_getprop(tree, chosen, names[i], &length);
        for (int at = 0; seed != NULL && at < length; at += 8) {
            uint64_t random = random_next();
            size_t size = length - at < 8 ? (size_t)(length - at) : 8;
            must(memory_copy_in(copy, (uint64_t)(seed + at - (const char *)tree), &random, size),
                 "copy of the device tree");
        }
    }
}

/* Sends the boot message, and closes the kernel's end: init has nobody above it. */
static void send_message(struct loader *l, struct endpoint *from, const void *tree,
                         uint64_t tree_size)
{
    static const char names[] = "process\0job\0resource\0bootfs\0dtb";
    struct resource *root;
    must(resource_create(l->job, SK_RESOURCE_ROOT, 0, ~(uint64_t)0, &root), "root resource");
    struct memory *tree_copy;
    must(memory_create(l->job, tree_size, &tree_copy), "copy of the device tree");
    must(memory_copy_in(tree_copy, 0, tree, tree_size), "copy of the device tree");
    hide_seeds(tree_copy, tree);

    const uint32_t readable = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_READ |
                              SK_RIGHT_MAP | SK_RIGHT_INSPECT;
    struct capability handles[HANDLES] = {
        all_rights(&l->process->object),
        all_rights(&l->job->object),
        all_rights(&root->object),
        capability_make(&l->archive->object, readable | SK_RIGHT_EXECUTE),
        capability_make(&tree_copy->object, readable),
    };
    object_put(&root->object);
    object_put(&tree_copy->object);

    static unsigned char message[SK_MESSAGE_BYTES_MAX];
    uint32_t length = write_message(message, names, sizeof names);
    uint64_t words[4];
    memcpy(words, message, sizeof words);
    struct outgoing out = {
        .info = SK_INFO(length, HANDLES),
        .words = words,
        .payload = message + SK_MESSAGE_REGISTER_BYTES,
        .capabilities = handles,
    };
    lock_acquire(from->object.lock);
    must(channel_send(from, &out, l->job), "boot message");
}

void boot_init_process(struct job *root, const void *tree, uint64_t tree_size)
{
    struct loader l = {.job = root};
    open_archive(&l);
    must(process_create(root, "init", &l.process), "process of init");
    process_init = l.process;
    uint64_t entry = load_program(&l);
    uint64_t stack = make_stack(&l);

    struct endpoint *end0;
    struct endpoint *end1;
    must(channel_create(root, &end0, &end1), "boot channel");
    struct capability kernel_end = all_rights(&end1->object);
    send_message(&l, end1, tree, tree_size);
    capability_drop(kernel_end);
    object_put(&end1->object);
    handle_t boot;
    must(handle_add_new(l.process, &end0->object, &boot), "boot channel");

    struct thread *thread;
    must(process_start(l.process, entry, stack, NULL, boot, SK_PRIORITY_MAX, &thread), "init");
    object_put(&thread->object);
    object_put(&l.process->object);
    object_put(&l.archive->object);
}
