/* machine.c - see machine.h. What the guest can touch is listed in parts[]. */
#include "vmm/machine.h"

#include "base/fd.h"
#include "vmm/host.h"
#include "vmm/lockdown.h"
#include "vmm/pci/pci.h"
#include "vmm/power.h"
#include "vmm/serial.h"
#include "vmm/vcpu.h"
#include "vmm/virtio/balloon.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/console.h"
#include "vmm/virtio/fs.h"
#include "vmm/virtio/pci.h"
#include "vmm/virtio/rng.h"
#include "vmm/vm.h"
#include "vmm/x86/acpi.h"
#include "vmm/x86/cpu.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREAD_STACK 131072u

_Static_assert(VM_LINES == HOST_LINES, "lines");

struct cpu {
    struct vcpu vcpu;
    struct machine *m;
    pid_t tid; /* of CPU 0: the thread that calls machine_run */
};

struct machine {
    struct host host; /* first in use: lent to every device */
    struct vm vm;
    struct bus pio, mmio;
    struct loop loop;                 /* of the I/O thread */
    struct loop_source signals, wake; /* wake: an eventfd, written to by machine_end */
    struct power power;
    struct serial serial;
    bool has_serial;
    struct pci_root *pci; /* owned, with every device on it */
    unsigned ncpus;
    struct cpu *cpu; /* owned: ncpus of them */
    pid_t pid;       /* of this process */
    struct lockdown lockdown;
    sem_t ready, go, done, never; /* of the threads: locked down, all are, finished; never posted */
    int refused;                  /* atomic: errno of a thread that could not be locked down */
    uint32_t mistakes;
    int ended; /* atomic: machine_end took effect … */
    /* … and these say why; written before the threads are stopped, read after. */
    enum vmm_reason reason;
    uint64_t detail;
    const char *text;
};

/* ---- what devices are lent ---- */

static void host_msi(struct host *h, uint64_t addr, uint32_t data)
{
    vm_msi(&container_of(h, struct machine, host)->vm, addr, data);
}

static int host_doorbell(struct host *h, uint64_t addr, int efd, bool on)
{
    return vm_doorbell(&container_of(h, struct machine, host)->vm, addr, efd, on);
}

static int host_line(struct host *h, unsigned line, int efd, uint32_t addr, uint32_t data, bool on)
{
    return vm_line(&container_of(h, struct machine, host)->vm, line, efd, addr, data, on);
}

static int host_map_readonly(struct host *h, unsigned slot, uint64_t gpa, void *host, uint64_t len)
{
    return vm_map(&container_of(h, struct machine, host)->vm, slot, gpa, host, len, false);
}

static int host_map_plain(struct host *h, unsigned slot, uint64_t gpa, void *host, uint64_t len)
{
    return vm_map(&container_of(h, struct machine, host)->vm, slot, gpa, host, len, true);
}

static int host_swallow(struct host *h, uint64_t gpa, uint64_t len, bool on)
{
    return vm_swallow(&container_of(h, struct machine, host)->vm, gpa, len, on);
}

/* A line in the log, by write(2) itself: what dprintf uses depends on the C library. */
__attribute__((format(printf, 1, 2))) static void say(const char *text, ...)
{
    char line[160];
    va_list args;
    int len;

    va_start(args, text);
    len = vsnprintf(line, sizeof(line), text, args);
    va_end(args);
    if (write(STDERR_FILENO, line, len < (int)sizeof(line) ? (size_t)len : sizeof(line)) < 0)
        return;
}

/* The first few are told one by one, then every doubling: a guest cannot fill a log. */
static void host_guest_mistake(struct host *h, const char *device, const char *what)
{
    struct machine *m = container_of(h, struct machine, host);
    uint32_t n = __atomic_add_fetch(&m->mistakes, 1, __ATOMIC_RELAXED);

    if (n <= 8 || !(n & (n - 1)))
        say("carrel-vmm: guest mistake %u: %s: %s\n", n, device, what);
}

static void host_peer_mistake(struct host *h, const char *device, const char *what)
{
    (void)h;
    say("carrel-vmm: peer mistake: %s: %s\n", device, what);
}

static const struct host_ops host_ops = {
    .msi = host_msi,
    .doorbell = host_doorbell,
    .map_readonly = host_map_readonly,
    .line = host_line,
    .guest_mistake = host_guest_mistake,
    .peer_mistake = host_peer_mistake,
    .map_plain = host_map_plain,
    .swallow = host_swallow,
};

/* ---- what the guest can touch ---- */

static void power_ended(struct power *p, enum vmm_reason reason, const char *text)
{
    machine_end(container_of(p, struct machine, power), reason, 0, text);
}

static int add_power(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    int err;

    (void)l;
    power_init(&m->power, power_ended);
    err = power_add(&m->power, &m->pio);
    return err ? err_set(e, -err, "power registers") : 0;
}

static int add_serial(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    int err;

    if (!(l->flags & VMM_F_SERIAL))
        return 0;
    err = serial_init(&m->serial, l->serial_fd, l->serial_bytes_per_s, e);
    if (err)
        return err;
    m->has_serial = true;
    err = bus_add(&m->pio, ACPI_PORT_SERIAL, 8, &m->serial.dev);
    return err ? err_set(e, -err, "serial port") : 0;
}

static int add_pci(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    (void)l;
    m->pci = pci_root_new(&m->host, VM_ECAM_BASE, VM_MMIO_BASE, VM_MMIO_SIZE, e);
    return m->pci ? 0 : -e->code;
}

static int add_virtio(struct machine *m, struct virtio_dev *dev, struct err *e)
{
    return dev ? virtio_pci_add(m->pci, dev, e) : -e->code;
}

static int add_disks(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < l->ndisks; i++)
        err = add_virtio(m, blk_new(&m->host, &l->disks[i], e), e);
    return err;
}

static int add_ports(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    struct virtio_dev *dev;

    if (!l->nports)
        return 0;
    dev = console_new(&m->host, l->ports, l->nports, e);
    if (add_virtio(m, dev, e))
        return -e->code;
    return console_add_spares(dev, l->spare_fds, l->nspares, e);
}

static int add_files(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    return l->files_fd != -1 ? add_virtio(m, fs_new(&m->host, l->files_fd, e), e) : 0;
}

static int add_rng(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    return l->flags & VMM_F_RNG ? add_virtio(m, rng_new(&m->host, 0, e), e) : 0;
}

static int add_balloon(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    return l->flags & VMM_F_BALLOON ? add_virtio(m, balloon_new(&m->host, e), e) : 0;
}

static int start_pci(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    (void)l;
    return pci_root_start(m->pci, e);
}

/* Adding a line here is a security decision. */
static const struct {
    const char *what;
    int (*add)(struct machine *m, const struct vmm_launch *l, struct err *e);
} parts[] = {
    { "power", add_power }, { "serial", add_serial },   { "pci", add_pci },
    { "disks", add_disks }, { "ports", add_ports },     { "files", add_files },
    { "rng", add_rng },     { "balloon", add_balloon }, { "pci", start_pci },
};

/* ---- making ---- */

static void tell_signal(struct loop_source *s, uint32_t events)
{
    struct machine *m = container_of(s, struct machine, signals);
    struct signalfd_siginfo si;

    (void)events;
    if (read(s->fd, &si, sizeof(si)) != sizeof(si))
        return;
    machine_end(m, VMM_TERMINATED, si.ssi_pid, "terminated by the host");
    loop_stop(&m->loop);
}

static void leave(struct loop_source *s, uint32_t events)
{
    (void)events;
    loop_stop(&container_of(s, struct machine, wake)->loop);
}

/* SIGTERM is how the machine is asked to end; machine_end wakes the I/O thread. */
static int watch_ends(struct machine *m, struct err *e)
{
    sigset_t term;
    int err;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    m->signals = (struct loop_source){ .fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK),
                                       .ready = tell_signal };
    if (m->signals.fd < 0)
        return err_sys(e, "signals");
    err = loop_add(&m->loop, &m->signals, EPOLLIN, e);
    m->wake = (struct loop_source){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = leave };
    if (!err && m->wake.fd < 0)
        err = err_sys(e, "event");
    return err ? err : loop_add(&m->loop, &m->wake, EPOLLIN, e);
}

static int load_boot(struct machine *m, const struct vmm_launch *l, struct boot_entry *entry,
                     struct err *e)
{
    const struct acpi_machine am = { .vcpus = l->vcpus,
                                     .serial = m->has_serial,
                                     .ecam_base = VM_ECAM_BASE,
                                     .ecam_size = VM_ECAM_SIZE,
                                     .mmio_base = VM_MMIO_BASE,
                                     .mmio_size = VM_MMIO_SIZE };
    uint8_t tables[ACPI_BYTES_MAX];
    unsigned n = acpi_make(&am, BOOT_TABLES, tables);

    if (gmem_write(&m->vm.mem, (gpa_t){ BOOT_TABLES }, tables, n))
        return err_set(e, EFAULT, "ACPI tables are outside guest memory");
    return boot_load(&m->vm.mem, l->kernel_fd, l->initrd_fd, l->cmdline, entry, e);
}

static int add_cpus(struct machine *m, const struct boot_entry *entry, struct err *e)
{
    struct cpu_id id;
    int run_len = ioctl(m->vm.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    int err = run_len > 0 ? cpu_supported(m->vm.kvm, &id, e) : err_sys(e, "kvm: run area");

    if (!err)
        err = cpu_shape(&id, m->ncpus, e);
    if (!err && (vm_top(&m->vm) - 1) >> cpu_address_bits(&id))
        err = err_set(e, E2BIG, "memory: the CPU addresses %u bits", cpu_address_bits(&id));
    for (unsigned i = 0; !err && i < m->ncpus; i++) {
        struct vcpu *v = &m->cpu[i].vcpu;

        err = vcpu_open(v, m->vm.fd, i, (size_t)run_len, e);
        cpu_number(&id, i);
        if (!err)
            err = cpu_start(v->fd, &id, i ? NULL : entry, e);
    }
    return err;
}

static int build(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    struct boot_entry entry;
    bool shared = l->files_fd != -1;
    int err = vm_open(&m->vm, l->kvm_fd, l->mem_bytes, shared, e);

    m->host.ram = m->vm.ram;

    if (!err)
        err = loop_init(&m->loop, e);
    if (!err)
        err = watch_ends(m, e);
    if (!err)
        err = lockdown_open(&m->lockdown, l, e);
    for (unsigned i = 0; !err && i < array_len(parts); i++) {
        err = parts[i].add(m, l, e);
        if (err)
            err_wrap(e, "%s", parts[i].what);
    }
    if (!err)
        err = load_boot(m, l, &entry, e);
    return err ? err : add_cpus(m, &entry, e);
}

/* What a machine that was never finished has; one that ran is the kernel's to take apart. */
static void discard(struct machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++)
        vcpu_close(&m->cpu[i].vcpu);
    vm_drop(&m->vm);
    pci_root_free(m->pci);
    if (m->has_serial)
        serial_fini(&m->serial);
    fd_closep(&m->signals.fd);
    fd_closep(&m->wake.fd);
    lockdown_fini(&m->lockdown);
    loop_fini(&m->loop);
    vm_close(&m->vm);
    free(m->cpu);
    free(m);
}

struct machine *machine_new(const struct vmm_launch *l, struct err *e)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct cpu *cpu = calloc(l->vcpus, sizeof(*cpu));

    if (!m || !cpu) {
        free(m);
        free(cpu);
        err_set(e, ENOMEM, "machine: no memory");
        return NULL;
    }
    m->host = (struct host){ .ops = &host_ops,
                             .mem = &m->vm.mem,
                             .loop = &m->loop,
                             .mmio = &m->mmio,
                             .pio = &m->pio,
                             .ram = -1 };
    m->vm.fd = m->vm.ram = m->loop.epfd = m->signals.fd = m->wake.fd = -1;
    m->cpu = cpu;
    m->ncpus = l->vcpus;
    for (unsigned i = 0; i < m->ncpus; i++)
        cpu[i] = (struct cpu){ .m = m, .vcpu = { .fd = -1, .pio = &m->pio, .mmio = &m->mmio } };
    if (build(m, l, e)) {
        discard(m);
        return NULL;
    }
    vm_keep_ram(&m->vm);
    m->host.ram = -1;
    close(l->kernel_fd);
    if (l->initrd_fd != -1)
        close(l->initrd_fd);
    return m;
}

/* ---- running ---- */

/* From any thread, the filtered ones of vCPUs included: the I/O thread sends the signals. */
void machine_end(struct machine *m, enum vmm_reason reason, uint64_t detail, const char *text)
{
    if (__atomic_exchange_n(&m->ended, 1, __ATOMIC_SEQ_CST))
        return;
    m->reason = reason;
    m->detail = detail;
    m->text = text;
    for (unsigned i = 0; i < m->ncpus; i++)
        vcpu_kick(&m->cpu[i].vcpu);
    eventfd_write(m->wake.fd, 1);
}

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem))
        ; /* a signal */
}

static void run_cpu(struct cpu *c)
{
    struct vcpu_end end;

    if (vcpu_run(&c->vcpu, &end))
        machine_end(c->m, end.reason, end.detail, end.text);
}

static void run_io(struct machine *m)
{
    struct err e = ERR_INIT;

    if (loop_run(&m->loop, &e))
        machine_end(m, VMM_HOST_ERROR, (uint64_t)e.code, "the event loop failed");
    for (unsigned i = 0; i < m->ncpus; i++) {
        vcpu_kick(&m->cpu[i].vcpu);
        syscall(SYS_tgkill, m->pid, m->cpu[i].tid, VCPU_SIGNAL);
    }
}

/* No thread touches what a guest can reach before every thread is locked down: true, it may. */
static bool lock_down(struct machine *m, unsigned kind)
{
    struct err e = ERR_INIT;

    if (lockdown_thread(&m->lockdown, kind, &e))
        __atomic_store_n(&m->refused, e.code, __ATOMIC_SEQ_CST);
    sem_post(&m->ready);
    wait_for(&m->go);
    return !__atomic_load_n(&m->refused, __ATOMIC_SEQ_CST);
}

/* Ends with the process: a filtered thread may not even exit by itself. */
static _Noreturn void finish(struct machine *m)
{
    sem_post(&m->done);
    for (;;)
        wait_for(&m->never);
}

static void *cpu_thread(void *arg)
{
    struct cpu *c = arg;

    c->tid = (pid_t)syscall(SYS_gettid);
    if (lock_down(c->m, VMM_FILTER_VCPU))
        run_cpu(c);
    finish(c->m);
}

static void *io_thread(void *arg)
{
    struct machine *m = arg;

    if (lock_down(m, VMM_FILTER_IO))
        run_io(m);
    finish(m);
}

static void on_kick(int sig)
{
    (void)sig; /* its arrival is enough: KVM_RUN returns */
}

/* Starts every other thread, which then waits for go: how many there are. */
static int start_threads(struct machine *m, unsigned *started)
{
    pthread_attr_t attr;
    pthread_t thread;
    int err = pthread_attr_init(&attr);

    if (err)
        return err;
    err = pthread_attr_setstacksize(&attr, THREAD_STACK);
    m->cpu[0].tid = (pid_t)syscall(SYS_gettid);
    for (unsigned i = 0; !err && i < m->ncpus; i++) {
        err = i ? pthread_create(&thread, &attr, cpu_thread, &m->cpu[i])
                : pthread_create(&thread, &attr, io_thread, m);
        *started += !err;
    }
    pthread_attr_destroy(&attr);
    return err;
}

/* Why the machine could not start, or NULL when every thread has done its part of a run. */
static const char *run_threads(struct machine *m, const struct vmm_launch *l, struct err *e)
{
    unsigned started = 0;
    int err = start_threads(m, &started);
    const char *failed = err ? "the host has no thread for the machine" : NULL;

    for (unsigned i = 0; i < started; i++)
        wait_for(&m->ready);
    if (!err)
        err = -lockdown_process(l, e);
    if (!err)
        err = -lockdown_thread(&m->lockdown, VMM_FILTER_VCPU, e);
    if (!err)
        err = __atomic_load_n(&m->refused, __ATOMIC_SEQ_CST);
    if (err && !failed)
        failed = "the monitor could not be locked down";
    e->code = err;
    __atomic_store_n(&m->refused, err, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < started; i++)
        sem_post(&m->go);
    if (!err)
        run_cpu(&m->cpu[0]);
    for (unsigned i = 0; i < started; i++)
        wait_for(&m->done);
    return failed;
}

void machine_run(struct machine *m, const struct vmm_launch *l, struct vmm_report *report)
{
    struct sigaction sa = { .sa_handler = on_kick };
    struct err e = ERR_INIT;
    sem_t *const sems[] = { &m->ready, &m->go, &m->done, &m->never };
    const char *failed;

    m->pid = getpid();
    for (size_t i = 0; i < array_len(sems); i++)
        sem_init(sems[i], 0, 0);
    sigaction(VCPU_SIGNAL, &sa, NULL);
    failed = run_threads(m, l, &e);
    if (failed)
        machine_end(m, VMM_HOST_ERROR, (uint64_t)e.code, failed);

    report->reason = m->reason;
    report->detail = m->detail;
    report->guest_mistakes = m->mistakes;
    report->serial_dropped = m->has_serial ? serial_flush(&m->serial) : 0;
    snprintf(report->text, sizeof(report->text), "%s", m->text);
}
