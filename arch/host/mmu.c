/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables, and the TLB and instruction cache of each hart.
 *
 * Entries are read by the "hardware" without the space's lock, so they are atomic words. A hart's
 * TLB has a mutex of its own, as other harts flush in it. Nothing leaves a TLB by itself unless it is
 * full. Tests: tests/host/kernel/test_space.c.
 */
#include <arch_impl/host.h>

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/trap.h>

#define ENTRY_VALID 1u
#define ENTRY_READ 2u
#define ENTRY_WRITE 4u
#define ENTRY_EXECUTE 8u
#define ENTRY_DEVICE 16u
#define TABLE_ENTRIES 512u
#define ASIDS 8u /* few, so that they are used again, and that some spaces have none */
#define TLB_ENTRIES 256u
#define LINES 16u
#define LINE_BYTES 64u

struct tlb_entry {
    bool used;
    uint32_t asid;
    vaddr_t page;
    uint64_t entry; /* 0: known to be absent */
};

struct line {
    paddr_t pa; /* 0: unused */
    unsigned char bytes[LINE_BYTES];
};

struct caches {
    pthread_mutex_t mutex;
    struct tlb_entry tlb[TLB_ENTRIES];
    uint32_t next;
    struct line lines[LINES];
    uint32_t next_line;
};

char *host_ram;
static struct caches caches[HARTS_MAX];
static _Atomic uint32_t asids_used = 1;

void host_machine_start(void)
{
    host_ram = mmap(NULL, HOST_RAM_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(host_ram != MAP_FAILED);
    /* What the kernel does not zero is not zero. */
    memset(host_ram, 0xa5, HOST_RAM_BYTES);
    for (uint32_t i = 0; i < HARTS_MAX; i++) {
        pthread_mutex_init(&caches[i].mutex, NULL);
    }
}

static uint64_t entry_get(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static void entry_set(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t entry_make(paddr_t pa, uint32_t prot)
{
    uint64_t bits = ENTRY_VALID;
    bits |= (prot & (SK_PROT_READ | SK_PROT_WRITE)) != 0 ? ENTRY_READ : 0;
    bits |= (prot & SK_PROT_WRITE) != 0 ? ENTRY_WRITE : 0;
    bits |= (prot & SK_PROT_EXECUTE) != 0 ? ENTRY_EXECUTE : 0;
    bits |= (prot & MMU_DEVICE) != 0 ? ENTRY_DEVICE : 0;
    return pa | bits;
}

static bool entry_allows(uint64_t entry, uint32_t prot)
{
    uint64_t wanted = entry_make(0, prot), looked_at = wanted;
    looked_at |= (prot & MMU_MEMORY) != 0 ? ENTRY_DEVICE : 0;
    return (entry & looked_at) == wanted;
}

static uint32_t index_of(vaddr_t va, uint32_t level)
{
    return va >> (12 + 9 * level) & (TABLE_ENTRIES - 1);
}

static uint64_t *table_of(uint64_t entry)
{
    return phys_to_virt(entry & ~PAGE_MASK);
}

/* The lowest-level entry of `va`; NULL if its table is absent. */
static uint64_t *find(const struct arch_space *space, vaddr_t va)
{
    uint64_t *table = phys_to_virt(space->root);
    for (uint32_t level = 2; level > 0; level--) {
        uint64_t entry = entry_get(&table[index_of(va, level)]);
        if (entry == 0) {
            return NULL;
        }
        table = table_of(entry);
    }
    return &table[index_of(va, 0)];
}

static uint32_t asid_take(void)
{
    for (uint32_t asid = 1; asid < ASIDS; asid++) {
        if ((atomic_fetch_or(&asids_used, 1u << asid) & 1u << asid) == 0) {
            return asid;
        }
    }
    return 0;
}

status_t mmu_init(struct arch_space *space, struct job *job)
{
    status_t status = page_alloc(job, &space->root);
    if (status == SK_OK) {
        space->asid = asid_take();
        space->job = job;
        atomic_store(&space->generation, 1);
        memset(space->seen, 0, sizeof space->seen);
    }
    return status;
}

static void free_table(struct arch_space *space, uint64_t *table, uint32_t level)
{
    for (uint32_t i = 0; level > 0 && i < TABLE_ENTRIES; i++) {
        if (table[i] != 0) {
            free_table(space, table_of(table[i]), level - 1);
        }
    }
    page_free(space->job, virt_to_phys(table));
}

bool mmu_destroy_step(struct arch_space *space)
{
    ASSERT(mmu_active(space) == 0);
    free_table(space, phys_to_virt(space->root), 2);
    if (space->asid != 0) {
        atomic_fetch_and(&asids_used, ~(1u << space->asid));
    }
    return true;
}

uint64_t mmu_active(const struct arch_space *space)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < hart_count; i++) {
        bool here = __atomic_load_n(&harts[i].arch.space, __ATOMIC_SEQ_CST) == space;
        mask |= here ? 1ull << i : 0;
    }
    return mask;
}

status_t mmu_map(struct arch_space *space, vaddr_t va, paddr_t pa, uint32_t prot)
{
    uint64_t *table = phys_to_virt(space->root);
    for (uint32_t level = 2; level > 0; level--) {
        uint64_t *entry = &table[index_of(va, level)];
        if (*entry == 0) {
            paddr_t frame;
            status_t status = page_alloc(space->job, &frame);
            if (status != SK_OK) {
                return status;
            }
            entry_set(entry, frame | ENTRY_VALID);
        }
        table = table_of(*entry);
    }
    entry_set(&table[index_of(va, 0)], entry_make(pa, prot));
    return SK_OK;
}

uint64_t mmu_unmap(struct arch_space *space, vaddr_t va, uint64_t pages)
{
    uint64_t present = 0;
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t *entry = find(space, va + i * PAGE_SIZE);
        if (entry != NULL && *entry != 0) {
            present++;
            entry_set(entry, 0);
        }
    }
    return present;
}

void mmu_protect(struct arch_space *space, vaddr_t va, uint64_t pages, uint32_t prot)
{
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t *entry = find(space, va + i * PAGE_SIZE);
        if (entry != NULL && *entry != 0) {
            entry_set(entry, entry_make(*entry & ~PAGE_MASK, prot) | (*entry & ENTRY_DEVICE));
        }
    }
}

bool host_mmu_lookup(const struct arch_space *space, vaddr_t va, uint32_t prot, paddr_t *pa)
{
    const uint64_t *entry = find(space, va);
    if (entry == NULL || !entry_allows(*entry, prot)) {
        return false;
    }
    *pa = (*entry & ~PAGE_MASK) | (va & PAGE_MASK);
    return true;
}

/* Forgets what a hart knows of a range. */
static void flush_hart(uint32_t number, uint32_t asid, vaddr_t va, uint64_t pages)
{
    struct caches *own = &caches[number];
    pthread_mutex_lock(&own->mutex);
    for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *entry = &own->tlb[i];
        if (entry->asid == asid && entry->page >= va && entry->page - va < pages * PAGE_SIZE) {
            entry->used = false;
        }
    }
    pthread_mutex_unlock(&own->mutex);
}

static void flush_asid(uint32_t number, uint32_t asid)
{
    flush_hart(number, asid, 0, ~(uint64_t)0 / PAGE_SIZE);
}

void mmu_flush(struct arch_space *space, vaddr_t va, uint64_t pages)
{
    uint32_t generation = atomic_fetch_add(&space->generation, 1) + 1;
    uint64_t active = mmu_active(space);
    for (uint32_t i = 0; i < hart_count; i++) {
        if (active & 1ull << i) {
            flush_hart(i, space->asid, va, pages);
        }
    }
    /* Only what is flushed whole at the next switch may be left out there. */
    struct hart *hart = cpu_hart();
    bool next = space->seen[hart->number] + 1 == generation;
    if ((active & 1ull << hart->number) && next) {
        space->seen[hart->number] = generation;
    }
}

void mmu_flush_new(struct arch_space *space, vaddr_t va)
{
    flush_hart(cpu_hart()->number, space->asid, va & ~PAGE_MASK, 1);
}

void host_mmu_switch(struct arch_space *space)
{
    struct hart *hart = cpu_hart();
    if (hart->arch.space == space) {
        return;
    }
    __atomic_store_n(&hart->arch.space, space, __ATOMIC_SEQ_CST);
    if (space != NULL) {
        uint32_t generation = atomic_load(&space->generation);
        if (space->seen[hart->number] != generation || space->asid == 0) {
            flush_asid(hart->number, space->asid);
            space->seen[hart->number] = generation;
        }
    }
}

void mmu_leave_user(void)
{
    host_mmu_switch(NULL);
}

/* What the hart believes of a page; it looks at the tables only if it has no belief yet. Its mutex is
 * held. */
static uint64_t tlb_entry(struct caches *own, struct arch_space *space, vaddr_t page)
{
    for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
        const struct tlb_entry *entry = &own->tlb[i];
        if (entry->used && entry->asid == space->asid && entry->page == page) {
            return entry->entry;
        }
    }
    const uint64_t *walked = find(space, page);
    uint64_t found = walked == NULL ? 0 : entry_get(walked);
    own->tlb[own->next++ % TLB_ENTRIES] = (struct tlb_entry){true, space->asid, page, found};
    return found;
}

static bool translate(struct caches *own, struct arch_space *space, vaddr_t va, uint32_t prot,
                      paddr_t *pa)
{
    uint64_t entry = tlb_entry(own, space, va & ~PAGE_MASK);
    *pa = (entry & ~PAGE_MASK) | (va & PAGE_MASK);
    return entry_allows(entry, prot);
}

status_t host_translate(struct arch_space *space, vaddr_t va, uint32_t prot, paddr_t *pa)
{
    struct caches *own = &caches[cpu_hart()->number];
    pthread_mutex_lock(&own->mutex);
    bool good = translate(own, space, va, prot, pa);
    pthread_mutex_unlock(&own->mutex);
    return good ? SK_OK : SK_BAD_ADDRESS;
}

/* One piece within a page, in one step as far as flushes can tell; false: page fault. */
static bool copy_piece(struct arch_space *space, vaddr_t va, void *to, const void *from,
                       size_t size)
{
    struct caches *own = &caches[cpu_hart()->number];
    paddr_t pa;
    pthread_mutex_lock(&own->mutex);
    bool good = translate(own, space, va, to != NULL ? SK_PROT_READ : SK_PROT_WRITE, &pa);
    if (good && to != NULL) {
        memcpy(to, phys_to_virt(pa), size);
    } else if (good) {
        memcpy(phys_to_virt(pa), from, size);
    }
    pthread_mutex_unlock(&own->mutex);
    return good;
}

/* Takes a page fault to the kernel; false if that ended the process. */
static bool fault(struct thread *thread, vaddr_t va, uint32_t prot, uint32_t faults)
{
    /* Another hart may take the page away again, but not for ever. */
    if (faults > 1000) {
        panic("a page fault that the kernel says it has resolved comes back");
    }
    trap_page_fault(thread, va, prot);
    return (atomic_load(&thread->pending) & THREAD_PENDING_KILL) == 0;
}

bool host_user_copy(struct thread *thread, vaddr_t va, void *to, const void *from, size_t size)
{
    struct arch_space *space = &thread->process->space.arch;
    ASSERT(cpu_hart()->current == thread && cpu_hart()->arch.space == space);
    uint32_t faults = 0;
    for (size_t done = 0; done < size;) {
        size_t part = PAGE_SIZE - ((va + done) & PAGE_MASK);
        part = part < size - done ? part : size - done;
        if (copy_piece(space, va + done, to == NULL ? NULL : (char *)to + done,
                       from == NULL ? NULL : (const char *)from + done, part)) {
            done += part;
            faults = 0;
        } else if (!fault(thread, va + done, to != NULL ? SK_PROT_READ : SK_PROT_WRITE, ++faults)) {
            return false;
        }
    }
    return true;
}

bool host_user_access(struct thread *thread, vaddr_t va, uint32_t prot, paddr_t *pa)
{
    struct arch_space *space = &thread->process->space.arch;
    ASSERT(cpu_hart()->current == thread && cpu_hart()->arch.space == space);
    for (uint32_t faults = 0; host_translate(space, va, prot, pa) != SK_OK;) {
        if (!fault(thread, va, prot, ++faults)) {
            return false;
        }
    }
    return true;
}

bool host_user_fetch(struct thread *thread, vaddr_t va, uint32_t *word)
{
    struct caches *own = &caches[cpu_hart()->number];
    paddr_t pa;
    if (!host_user_access(thread, va, SK_PROT_EXECUTE, &pa)) {
        return false;
    }
    paddr_t start = pa & ~(paddr_t)(LINE_BYTES - 1);
    pthread_mutex_lock(&own->mutex);
    struct line *line = NULL;
    for (uint32_t i = 0; i < LINES; i++) {
        line = own->lines[i].pa == start ? &own->lines[i] : line;
    }
    if (line == NULL) {
        line = &own->lines[own->next_line++ % LINES];
        line->pa = start;
        memcpy(line->bytes, phys_to_virt(start), LINE_BYTES);
    }
    memcpy(word, line->bytes + (pa - start), sizeof *word);
    pthread_mutex_unlock(&own->mutex);
    return true;
}

uint32_t host_tlb_count(const struct hart *hart, const struct arch_space *space)
{
    struct caches *own = &caches[hart->number];
    uint32_t count = 0;
    pthread_mutex_lock(&own->mutex);
    for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
        const struct tlb_entry *entry = &own->tlb[i];
        count += entry->used && entry->asid == space->asid && entry->entry != 0;
    }
    pthread_mutex_unlock(&own->mutex);
    return count;
}

static void fence_hart(uint32_t number)
{
    pthread_mutex_lock(&caches[number].mutex);
    memset(caches[number].lines, 0, sizeof caches[number].lines);
    pthread_mutex_unlock(&caches[number].mutex);
}

void cpu_fence_code(void)
{
    fence_hart(cpu_hart()->number);
}

void cpu_fence_code_all(void)
{
    for (uint32_t i = 0; i < hart_count; i++) {
        fence_hart(i);
    }
}
