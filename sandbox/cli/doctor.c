/*
 * doctor.c - what this host has and lacks, each with its remedy.
 *
 * Every check is a function that fills one finding; the table at the end is the list, in the order
 * in which a reader wants it.
 */
#include "base/fd.h"
#include "base/landlock.h"
#include "sandbox/cli/size.h"
#include "sandbox/cli/text.h"
#include "sandbox/cli/verbs.h"
#include "sandbox/engine/engine.h"
#include "sandbox/image/image.h"
#include "sandbox/image/kernel.h"
#include "sandbox/places.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum verdict { FINE, WORSE, MISSING };

struct finding {
    enum verdict verdict;
    char text[320];
    char remedy[HINT_MAX];
};

static void find(struct finding *f, enum verdict v, const char *fmt, ...) printf_like(3, 4);

static void find(struct finding *f, enum verdict v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
    f->verdict = v;
}

static void remedy(struct finding *f, const char *text)
{
    snprintf(f->remedy, sizeof(f->remedy), "%s", text);
}

static void check_engine(struct finding *f)
{
    char why[240] = "", hint[240] = "";
    struct err e = ERR_INIT;
    const struct engine *engine = engine_choose(NULL, why, hint, &e);

    if (engine)
        find(f, FINE, "%s: %s", engine->name, why);
    else
        find(f, MISSING, "none works: %s", e.msg);
    if (!engine)
        remedy(f, hint);
}

static void check_kvm(struct finding *f)
{
    char hint[240] = "";
    struct err e = ERR_INIT;
    enum kvm_speed speed;
    double mips = 0;

    if (kvm_probe(&speed, &mips, hint, &e)) {
        find(f, WORSE, "%s", e.msg);
        remedy(f, hint);
    } else if (speed == KVM_SLOW) {
        find(f, WORSE,
             "/dev/kvm interprets supervisor code (%.1f million instructions/s, as kvm-pvm does): "
             "stock kernels would crawl",
             mips);
        remedy(f, "use a host with VT-x or AMD-V; the qemu engine serves meanwhile");
    } else {
        find(f, FINE, "runs supervisor code at speed (%.0f million instructions/s)", mips);
    }
}

static void check_qemu(struct finding *f)
{
    char hint[240] = "";
    struct err e = ERR_INIT;

    if (engine_qemu.check(hint, &e)) {
        find(f, WORSE, "%s", e.msg);
        remedy(f, *hint ? hint : "apt-get install --no-install-recommends qemu-system-x86");
    } else {
        find(f, FINE, "there: software emulation is possible");
    }
}

static void check_programs(struct finding *f)
{
    static const char *const programs[] = { "carrel-keeper", "carrel-vmm", "carrel-init" };
    size_t used = 0;

    find(f, FINE, "carrel-keeper, carrel-vmm and carrel-init are in place");
    for (size_t i = 0; i < array_len(programs); i++) {
        char *path = places_program(programs[i], NULL);

        if (!path)
            used += (size_t)snprintf(f->text + used, sizeof(f->text) - used, "%s%s",
                                     used ? ", " : "not found: ", programs[i]);
        free(path);
    }
    if (used) {
        f->verdict = MISSING;
        remedy(f, "install or build Carrel as a whole; its programs are looked for beside carrel");
    }
}

static void check_kernels(struct finding *f)
{
    struct kernel k;
    struct err e = ERR_INIT;

    if (kernel_load(NULL, &k, &e)) {
        find(f, MISSING, "%s", e.code == ENOENT ? "there is no guest kernel" : e.msg);
        remedy(f, "carrel kernel fetch");
        return;
    }
    find(f, FINE, "the default is \"%s\" (%s)", k.name, k.version ? k.version : "?");
    kernel_fini(&k);
}

static void check_images(struct finding *f)
{
    struct image *all = NULL;
    struct err e = ERR_INIT;
    size_t n = 0, used = 0;

    if (image_list(&all, &n, &e)) {
        find(f, MISSING, "%s", e.msg);
        return;
    }
    if (n == 0) {
        find(f, MISSING, "there is no image");
        remedy(f, "carrel image build mini   (or base)");
    }
    for (size_t i = 0; i < n; i++) {
        if (used < sizeof(f->text))
            used += (size_t)snprintf(f->text + used, sizeof(f->text) - used, "%s%s", i ? ", " : "",
                                     all[i].name);
        image_fini(&all[i]);
    }
    free(all);
}

/* True when the program is in PATH. */
static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    char list[4096], *rest = list, *dir, full[4352];

    snprintf(list, sizeof(list), "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    while ((dir = strsep(&rest, ":"))) {
        snprintf(full, sizeof(full), "%s/%s", *dir ? dir : ".", program);
        if (access(full, X_OK) == 0)
            return true;
    }
    return false;
}

static void check_builders(struct finding *f)
{
    bool squash = in_path("mksquashfs") && in_path("sqfstar"), strap = in_path("mmdebstrap");

    if (squash && strap) {
        find(f, FINE, "mmdebstrap and squashfs-tools are there");
        return;
    }
    find(f, WORSE, "%s%s%s not found: %s", squash ? "" : "squashfs-tools",
         !squash && !strap ? " and " : "", strap ? "" : "mmdebstrap",
         squash ? "the image \"base\" cannot be built" : "images cannot be built or imported");
    remedy(f, "apt-get install mmdebstrap squashfs-tools");
}

/* A directory of ours: can be written, and has room. */
static void check_place(struct finding *f, char *path, struct err *e)
{
    char free_text[32];
    struct statvfs fs;
    auto_fd int fd = path ? places_open_dir(path, e) : -1;

    if (fd < 0) {
        find(f, MISSING, "%s", e->msg);
        remedy(f, "set CARREL_DATA and CARREL_STATE to directories that you may write");
        free(path);
        return;
    }

    bool writable = faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
    uint64_t bytes = fstatvfs(fd, &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;

    size_text(bytes, free_text, sizeof(free_text));
    if (!writable) {
        find(f, MISSING, "%s cannot be written", path);
        remedy(f, "set CARREL_DATA and CARREL_STATE to directories that you may write");
    } else if (bytes < 256ull << 20) {
        find(f, WORSE, "%s: only %s free", path, free_text);
        remedy(f, "make room: images take 5 to 100 MiB each, a build up to 1 GiB");
    } else {
        find(f, FINE, "%s: %s free", path, free_text);
    }
    free(path);
}

static void check_data(struct finding *f)
{
    struct err e = ERR_INIT;

    check_place(f, places_data_dir(&e), &e);
}

static void check_state(struct finding *f)
{
    struct err e = ERR_INIT;

    check_place(f, places_state_dir(&e), &e);
}

static void check_userns(struct finding *f)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) ? 1 : 0);
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            break;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        find(f, FINE, "unprivileged user namespaces can be made");
        return;
    }
    find(f, WORSE, "user namespaces cannot be made: \"base\" can be built by root only");
    remedy(f, "sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000");
}

static void check_landlock(struct finding *f)
{
    int abi = landlock_version();

    if (abi) {
        find(f, FINE, "ABI %d", abi);
        return;
    }
    find(f, WORSE, "this kernel has no Landlock: one wall fewer around archives from guests");
    remedy(f, "a kernel of 5.13 or later, booted with lsm=landlock,…");
}

static void check_cgroup(struct finding *f)
{
    char buf[512] = "";
    auto_fd int fd = open("/sys/fs/cgroup/cgroup.controllers", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

    buf[n > 0 ? n : 0] = '\0';
    if (n > 0 && strstr(buf, "memory") && strstr(buf, "cpu")) {
        find(f, FINE, "v2, with cpu and memory");
        return;
    }
    find(f, WORSE,
         "no v2 hierarchy with cpu and memory: a sandbox is limited by its machine's size only");
    remedy(f, "boot with systemd.unified_cgroup_hierarchy=1");
}

static const struct {
    const char *name;
    void (*check)(struct finding *f);
} checks[] = {
    { "engine", check_engine },     { "kvm", check_kvm },           { "qemu", check_qemu },
    { "programs", check_programs }, { "kernel", check_kernels },    { "images", check_images },
    { "builders", check_builders }, { "data", check_data },         { "state", check_state },
    { "userns", check_userns },     { "landlock", check_landlock }, { "cgroup", check_cgroup },
};

static void print(const struct cli *c, const char *name, const struct finding *f)
{
    static const struct {
        const char *sign, *colour, *word;
    } looks[] = {
        [FINE] = { "✔", "\033[32m", "ok" },
        [WORSE] = { "!", "\033[33m", "note" },
        [MISSING] = { "✖", "\033[31m", "missing" },
    };
    char line[2 * sizeof(f->text)];

    printf("%s%s%s %-8s %-9s %s\n", c->colour_out ? looks[f->verdict].colour : "",
           looks[f->verdict].sign, c->colour_out ? "\033[0m" : "", looks[f->verdict].word, name,
           text_line(f->text, line, sizeof(line)));
    if (*f->remedy)
        printf("%21s→ %s\n", "", text_line(f->remedy, line, sizeof(line)));
}

int verb_doctor(struct cli *c)
{
    static const char *const words[] = { "ok", "note", "missing" };
    json_t *list = json_array();
    unsigned count[3] = { 0 };
    int status = 0;

    for (size_t i = 0; i < array_len(checks); i++) {
        struct finding f = { 0 };

        checks[i].check(&f);
        count[f.verdict]++;
        if (c->json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "name", checks[i].name,
                                                  "verdict", words[f.verdict], "text",
                                                  cli_json_text(f.text), "remedy",
                                                  cli_json_text(f.remedy)));
        else
            print(c, checks[i].name, &f);
    }
    if (c->json) {
        if (!cli_json(c, json_pack("{s:b, s:O}", "ok", count[MISSING] == 0, "checks", list)))
            status = EXIT_NO;
    } else {
        printf("%u ok, %u notes, %u missing\n", count[FINE], count[WORSE], count[MISSING]);
    }
    json_decref(list);
    if (count[MISSING])
        status = EXIT_NO;
    return status ? status : cli_finish(c);
}
