/*
 * kernel_count.c - a plugin for QEMU's software emulation: how many guest instructions run from
 * power-on to the first one of user space, and in which blocks.
 *
 * Then prints "instructions to init N" on standard error and ends QEMU; with KERNEL_COUNT_OUT set,
 * writes "ADDRESS INSTRUCTIONS" for each block first. The declarations are those of QEMU's
 * plugin interface, version 1 (include/qemu/qemu-plugin.h), which Debian does not package.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct qemu_plugin_tb;
struct qemu_info;
typedef uint64_t qemu_plugin_id_t;

enum { PLUGIN_VERSION = 1, INLINE_ADD_U64 = 0, CB_NO_REGS = 0 };

extern int qemu_plugin_version;
int qemu_plugin_version = PLUGIN_VERSION;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*cb)(unsigned, void *),
                                          int flags, void *arg);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *counter,
                                              uint64_t add);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

enum { BLOCKS_MAX = 1 << 21 };

/* The kernel runs where it was loaded (16 MiB up) before it runs at its own addresses. Anything
 * low after that, elsewhere, is user space. */
#define KERNEL_LOW  UINT64_C(0x1000000)
#define KERNEL_HIGH UINT64_C(0x3000000)
#define USER_FIRST  UINT64_C(0x400000)
#define USER_END    UINT64_C(0x800000000000)

static struct block {
    uint64_t address, count;
} * blocks;
static size_t nblocks;
static uint64_t total;
static bool kernel_seen;

/* Says what was counted and ends QEMU: what init does is not the kernel's work. */
static void first_user_block(unsigned vcpu, void *arg)
{
    const char *path = getenv("KERNEL_COUNT_OUT");
    FILE *f = path ? fopen(path, "w") : NULL;

    (void)vcpu;
    (void)arg;
    for (size_t i = 0; f && i < nblocks; i++)
        if (blocks[i].count)
            fprintf(f, "%016" PRIx64 " %" PRIu64 "\n", blocks[i].address, blocks[i].count);
    if (f)
        fclose(f);
    fprintf(stderr, "instructions to init %" PRIu64 "\n", total);
    _exit(0);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    uint64_t va = qemu_plugin_tb_vaddr(tb);
    size_t n = qemu_plugin_tb_n_insns(tb);
    bool user = va >= USER_FIRST && va < USER_END && !(va >= KERNEL_LOW && va < KERNEL_HIGH);

    (void)id;
    kernel_seen = kernel_seen || va >> 63;
    if (kernel_seen && user)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, first_user_block, CB_NO_REGS, NULL);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &total, n);
    if (nblocks == BLOCKS_MAX)
        return;
    blocks[nblocks].address = va;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &blocks[nblocks].count, n);
    nblocks++;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    blocks = calloc(BLOCKS_MAX, sizeof(*blocks));
    if (!blocks)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
