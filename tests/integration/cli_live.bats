# cli_live.bats - live mounts, with a real machine: both sides see at once what the other does, and
# the policy holds meanwhile.

load answers

policy() { # FILE MOUNT-OPTIONS
    {
        printf 'carrel: 1\nname: test\nmemory: {max: 512MiB}\n'
        printf 'tools: {commands: [{id: all, exec: {path: "/**", shell: true}, argv: [{allow: [{any: {count: 0..99}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/tmp, /w]}}]}\n'
        printf 'storage:\n  root: {mode: overlay, quota: {bytes: 200MiB, inodes: 50k}}\n  mounts:\n'
        printf '    - {id: w, source: ./, target: /w, share: live, %s}\n' "$2"
    } >"$WORK/$1"
}

RW='access: rw, quota: {bytes: 8MiB, inodes: 200}, deny_read: ["**/.env"], deny_write: ["**/.git/hooks/**", "**/.git/config", "*.lock"]'

until_() { # COMMAND...: within 60 s
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    false
}

state() { # NAME KEY
    jq -r ".$2" "$CARREL_STATE/sandboxes/$(readlink "$CARREL_STATE/names/$1")/state.json"
}

holder() { # the pid of the process that has this sandbox's keeper as its child
    ps -o ppid= -p "$(state "$1" keeper_pid)" | tr -d ' '
}

server() { # the pid of carrel-files whose parent is that
    pgrep -P "$(holder "$1")" -x carrel-files
}

kill_keeper() { # NAME: and somebody else answers
    local old
    carrel exec "$1" -- true # it is up
    old=$(state "$1" keeper_pid)
    kill -KILL "$old"
    [ "$(timeout 60 carrel exec "$1" -- echo back)" = back ]
    [ "$(state "$1" keeper_pid)" != "$old" ]
}

setup() {
    rm -rf "$WORK/ws"
    mkdir "$WORK/ws"
    cd "$WORK/ws"
    policy live.yaml "$RW"
}

teardown() {
    for n in $(carrel ls -q); do carrel rm -f "$n"; done
}

@test "either side sees at once what the other does" {
    echo one >a
    carrel run -q -d --name l -p ../live.yaml mini -- sleep 600
    [ "$(carrel exec l -- cat /w/a)" = one ]
    echo two >a
    [ "$(carrel exec l -- cat /w/a)" = two ]
    carrel exec l -- sh -c 'echo guest >/w/b; mkdir -p /w/d/e; mv /w/b /w/d/e/c; ln -s c /w/d/e/l; id -u'
    [ "$(cat d/e/c)" = guest ]
    [ "$(readlink d/e/l)" = c ]
    [ "$(stat -c %u d/e/c)" = "$(id -u)" ]
    [ "$(carrel exec l -- stat -c %u /w/d/e/c)" = 1000 ]
    echo host >>d/e/c
    [ "$(carrel exec l -- tail -n 1 /w/d/e/l)" = host ]
    rm -r d
    fails 1 carrel exec l -- test -e /w/d
    fails 1 carrel export l
    [[ $err == *"carrel stop l"* ]]
    carrel stop l
    fails 1 carrel export l w
    [[ $err == *"storage/w is live: what was written is on the host"* ]]
}

@test "f01 f03 f04 f06 the policy holds in the guest, and each denial is on record" {
    echo SECRET >.env
    mkdir -p .git/hooks
    echo old >.git/config
    echo x >a.lock
    ln -s /etc/hostname out
    carrel run -q --name p -p ../live.yaml mini -- sh -c '
        cat /w/.env; ls -A /w; echo evil >/w/.git/hooks/x; echo evil >/w/.git/config; rm /w/a.lock
        mkdir -p /w/g/hooks /w/s; echo evil >/w/g/hooks/x; mv /w/g /w/s/.git
        echo "gitdir: ./g" >/w/s/.git; ln -s /etc /w/etc; mkfifo /w/fifo; chmod u+s /w/out 2>&1
        echo x >/w/f; chmod u+s /w/f; ln /w/f /w/f2; mv /w/.env /w/env; cp /w/out /w/copy' </dev/null >"$WORK/out" 2>&1
    ! grep -q SECRET "$WORK/out"
    ! grep -qx .env "$WORK/out"
    [ "$(cat .git/config)" = old ]
    [ ! -e .git/hooks/x ] && [ -e a.lock ] && [ -d g/hooks ] && [ ! -e s/.git ]
    [ ! -L etc ] && [ ! -e fifo ] && [ ! -u f ] && [ ! -e f2 ] && [ -f .env ]
    # The link was followed in the guest, by names of the guest.
    ! cmp -s copy /etc/hostname
    carrel audit verify p
    carrel audit query p >"$WORK/log"
    grep -q 'deny *file *storage/w/deny_read *file --path /w/.env' "$WORK/log"
    grep -q 'deny *file *storage/w/deny_write *file --path /w/.git/config --op write' "$WORK/log"
}

@test "f07 a full quota is the guest's trouble alone" {
    fails 1 carrel run -q -p ../live.yaml mini -- dd if=/dev/zero of=/w/big bs=100k count=200
    [[ $err == *"uota exceeded"* || $err == *"No space"* ]]
    [ "$(stat -c %s big)" -le $((8 << 20)) ]
    rm big
    fails 0 carrel run -q -p ../live.yaml mini -- sh -c 'cd /w; i=0; while mkdir d$i; do i=$((i+1)); done 2>/dev/null; echo $i; rmdir d*; mkdir again'
    [ "$output" = 200 ]
    [ -d again ] && [ ! -e d0 ]
}

@test "a read-only live mount is read, and nothing else" {
    policy ro.yaml "access: ro"
    echo x >a
    fails 1 carrel run -q -p ../ro.yaml mini -- sh -c 'cat /w/a; touch /w/b'
    [ "$output" = x ]
    [[ $err == *"Read-only"* ]]
    [ ! -e b ]
}

@test "git, sqlite, mmap and ten thousand bytes of names" {
    carrel image inspect base >/dev/null 2>&1 || skip "no image base (carrel image build base)"
    git init -q . && git config user.email a@b && git config user.name n
    carrel run -q -p ../live.yaml base -- sh -c '
        set -e; cd /w; export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=/w
        echo x >f; git add f; git commit -qm one; git log --oneline | wc -l
        python3 - <<E
import sqlite3, mmap, os
c = sqlite3.connect("/w/db"); c.execute("create table t(a)")
c.executemany("insert into t values(?)", [(i,) for i in range(1000)]); c.commit()
print(c.execute("select sum(a) from t").fetchone()[0]); c.close()
f = open("/w/m", "w+b"); f.truncate(65536); m = mmap.mmap(f.fileno(), 65536)
m[0:5] = b"hello"; m[65531:65536] = b"world"; m.close(); f.close()
g = open("/w/m", "rb"); p = mmap.mmap(g.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ); print(p[65531:65536].decode())
fd = os.open("/w/u", os.O_RDWR | os.O_CREAT); os.unlink("/w/u"); os.write(fd, b"abc")
print(os.fstat(fd).st_size, os.pread(fd, 3, 0).decode()); os.close(fd)
os.mkdir("/w/many")
for i in range(100): open(f"/w/many/{i:0100}", "w").close()
print(len(os.listdir("/w/many"))); os.rename("/w/many", "/w/more")
E
        rm -r more' </dev/null >"$WORK/out"
    [ "$(cat "$WORK/out")" = $'1\n499500\nworld\n3 abc\n100' ]
    [ "$(git log --oneline | wc -l)" = 1 ]
    [ "$(tail -c 5 m)" = world ]
    [ ! -e more ] && [ ! -e u ]
}

@test "f04 a file without a name gets one that the policy allows, or stays without" {
    carrel image inspect base >/dev/null 2>&1 || skip "no image base (carrel image build base)"
    [ "$(printf '6.10\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.10 ] || skip "Linux 6.10"
    mkdir -p .git/hooks
    cat >nameless.py <<'E'
import os
root = os.open("/", os.O_RDONLY)
def tell(what):
    try: print(what() or "done")
    except OSError as e: print(os.strerror(e.errno))
def name(to): os.link(f"/proc/self/fd/{fd}", to, src_dir_fd=root)
fd = os.open("/w", os.O_RDWR | os.O_TMPFILE, 0o640)
os.write(fd, b"made whole\n")
print(os.fstat(fd).st_nlink, sorted(os.listdir("/w")))
tell(lambda: name("/w/.git/hooks/post-checkout"))
tell(lambda: name("/w/a.lock"))
tell(lambda: name("/w/whole"))
tell(lambda: name("/w/again"))
print(os.fstat(fd).st_nlink, os.fstat(fd).st_ino == os.stat("/w/whole").st_ino, oct(os.stat("/w/whole").st_mode))
os.write(fd, b"and more\n")
tell(lambda: os.open("/w/.git/hooks", os.O_RDWR | os.O_TMPFILE))
fd = os.open("/w", os.O_RDWR | os.O_TMPFILE | os.O_EXCL)
tell(lambda: name("/w/never"))
tell(lambda: os.posix_fallocate(fd, 0, 9 << 20))
E
    carrel run -q -p ../live.yaml base -- python3 /w/nameless.py </dev/null >"$WORK/out"
    no="Permission denied"
    [ "$(cat "$WORK/out")" = "0 ['.git', 'nameless.py']
$no
$no
done
$no
1 True 0o100640
$no
No such file or directory
Disk quota exceeded" ]
    [ "$(cat whole)" = $'made whole\nand more' ]
    [ "$(ls -A)" = $'.git\nnameless.py\nwhole' ] && [ -z "$(ls -A .git/hooks)" ]
}

@test "a project: clone, gc, unpack, build, locks, watches" {
    carrel image inspect base >/dev/null 2>&1 || skip "no image base (carrel image build base)"
    policy project.yaml "access: rw, quota: {bytes: 100MiB, inodes: 10k}"
    git init -q up && git -C up config user.email a@b && git -C up config user.name n
    for d in $(seq 12); do
        mkdir -p up/src/d$d
        for f in $(seq 10); do echo "file $f of $d" >up/src/d$d/f$f; done
    done
    ln -s d1/f1 up/src/link && chmod 755 up/src/d2/f2
    git -C up add -A && git -C up commit -qm first
    cat >git.sh <<'E'
set -e
export GIT_CONFIG_COUNT=3 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' \
    GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=a@b GIT_CONFIG_KEY_2=user.name GIT_CONFIG_VALUE_2=n
cd /w; git clone -q up clone; cd clone
git checkout -q -b work; echo more >>src/d3/f3; git mv src/d4 src/moved; rm src/d5/f5
git add -A; git commit -qm second; git gc -q --prune=now; git fsck --no-progress
git stash list; git status --porcelain; git checkout -q master 2>/dev/null || git checkout -q main; git merge -q work
git rev-list --count HEAD; git ls-files | wc -l; ls .git/objects/pack/*.pack | wc -l
cd ..; tar cf /tmp/t.tar -C clone .; mkdir untar; tar xf /tmp/t.tar -C untar; diff -r clone untar && echo equal
cp -a clone/src copied; diff -r clone/src copied; rm -rf untar; ls
E
    cat >build.py <<'E'
import ctypes, fcntl, mmap, os, shutil, sqlite3, struct, subprocess, sys, venv
os.chdir("/w")
libc = ctypes.CDLL(None, use_errno=True)
# What each build tool does: written beside, flushed, renamed over the last one; and looked at.
os.makedirs("target/deps")
for turn in range(2):
    for i in range(60):
        with open(f"target/deps/.tmp{i}", "w") as f:
            f.write(f"object {i} of turn {turn}\n"); f.flush(); os.fsync(f.fileno())
        os.rename(f"target/deps/.tmp{i}", f"target/deps/{i}.o")
    d = os.open("target/deps", os.O_RDONLY); os.fsync(d); os.close(d)
said = {open(e.path).read().split()[-1] for e in os.scandir("target/deps")}
print("built", len(os.listdir("target/deps")), said)
# A shared library, mapped; another takes its name meanwhile.
real = os.path.realpath("/lib/x86_64-linux-gnu/libz.so.1")
shutil.copy(real, "libmine.so"); z = ctypes.CDLL("/w/libmine.so")
shutil.copy(real, "new.so"); os.rename("new.so", "libmine.so")
z.zlibVersion.restype = ctypes.c_char_p
print("library", z.zlibVersion().decode()[:2], subprocess.run(["ldd", "/w/libmine.so"], capture_output=True).returncode)
# An environment with programs in it, as pip unpacks them.
venv.EnvBuilder(symlinks=False, with_pip=False).create("/w/venv")
print(subprocess.run(["/w/venv/bin/python", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True).stdout.strip())
# Locks of processes, of descriptors, and of a database with a shared map.
f = open("lock", "w"); fcntl.lockf(f, fcntl.LOCK_EX)
g = open("flock", "w"); fcntl.flock(g, fcntl.LOCK_EX)
other = "import fcntl,sys\nfor n,l in (('lock',fcntl.lockf),('flock',fcntl.flock)):\n try: l(open('/w/'+n,'w'), fcntl.LOCK_EX|fcntl.LOCK_NB); print('taken')\n except OSError as e: print(type(e).__name__)\n"
print(subprocess.run([sys.executable, "-c", other], capture_output=True, text=True).stdout.split())
db = "import sqlite3,sys\nc=sqlite3.connect('/w/db',timeout=60)\nfor i in range(20):\n with c: c.execute('insert into t values(?)',(i,))\n"
c = sqlite3.connect("db"); print(c.execute("pragma journal_mode=wal").fetchone()[0]); c.execute("create table t(a)"); c.commit()
writers = [subprocess.Popen([sys.executable, "-c", db]) for _ in range(2)]
print([w.wait() for w in writers], c.execute("select count(*), sum(a) from t").fetchone(), c.execute("pragma integrity_check").fetchone()[0])
# What the guest changes, its own watches see.
n = libc.inotify_init1(0); libc.inotify_add_watch(n, b"/w/target", 0x100 | 0x40 | 0x80 | 0x200)
open("target/seen", "w").close(); os.rename("target/seen", "target/then"); os.unlink("target/then")
raw, at, names = os.read(n, 4096), 0, []
while at < len(raw):
    _, mask, _, size = struct.unpack_from("iIII", raw, at); names.append((hex(mask), raw[at + 16:at + 16 + size].rstrip(b"\0").decode())); at += 16 + size
print(names)
# One map that two processes write to.
with open("map", "w+b") as f:
    f.truncate(8192); m = mmap.mmap(f.fileno(), 8192)
    if os.fork() == 0: m[4096:4101] = b"child"; os._exit(0)
    os.wait(); m[0:6] = b"parent"; m.flush()
print(open("map", "rb").read().replace(b"\0", b""))
E
    carrel run -q -p ../project.yaml base -- sh /w/git.sh </dev/null >"$WORK/out"
    [ "$(cat "$WORK/out")" = "2
120
1
equal
build.py
clone
copied
git.sh
up" ]
    [ "$(git -C clone -c safe.directory='*' log --oneline | wc -l)" = 2 ]
    [ -z "$(git -C clone -c safe.directory='*' status --porcelain)" ]
    [ "$(readlink clone/src/link)" = d1/f1 ] && [ -x clone/src/d2/f2 ]
    carrel run -q -p ../project.yaml base -- python3 /w/build.py </dev/null >"$WORK/out"
    [ "$(cat "$WORK/out")" = "built 60 {'1'}
library 1. 0
/w/venv
['BlockingIOError', 'BlockingIOError']
wal
[0, 0] (40, 380) ok
[('0x100', 'seen'), ('0x40', 'seen'), ('0x80', 'then'), ('0x200', 'then')]
b'parentchild'" ]
    [ "$(tail -c +4097 map | head -c 5)" = child ]
    [ "$(python3 -c 'import sqlite3; print(sqlite3.connect("db").execute("select sum(a) from t").fetchone()[0])')" = 380 ]
}

@test "a second driver, after a reset without a farewell, is served" {
    carrel image inspect base >/dev/null 2>&1 || skip "no image base (carrel image build base)"
    policy live.yaml "access: rw"
    sed -i 's|paths: {ro: \[/\], rw: \[/tmp, /w\]}|user: 0, syscalls: {base: all}, capabilities: [cap_sys_admin, cap_dac_override], paths: {ro: [/], rw: [/]}|' ../live.yaml
    echo host >a
    carrel run -q -u 0 -p ../live.yaml base -- python3 - >"$WORK/out" <<'E'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def mount(source, target, kind, flags):
    if libc.mount(source, target, kind, flags, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)
os.mkdir("/tmp/s"); os.mkdir("/tmp/m")
mount(b"x", b"/tmp/s", b"sysfs", 0)
mount(None, b"/tmp/s", None, 32) # MS_REMOUNT: writable
driver = "/tmp/s/bus/virtio/drivers/virtiofs/"
device = [n for n in os.listdir(driver) if n.startswith("virtio")][0]
held = os.open("/w/a", os.O_RDONLY)
for i in range(3):
    open(driver + "unbind", "w").write(device)
    open(driver + "bind", "w").write(device)
    mount(b"carrel.files", b"/tmp/m", b"virtiofs", 0)
    print(i, open("/tmp/m/w/a").read().strip())
    open(f"/tmp/m/w/{i}", "w").write("x" * 100000)
    libc.umount2(b"/tmp/m", 2)
E
    [ "$(cat "$WORK/out")" = $'0 host\n1 host\n2 host' ]
    [ "$(cat 0 1 2 | wc -c)" = 300000 ]
}

@test "the server is confined, small, and its end is not the machine's" {
    carrel run -q -d --name s -p ../live.yaml mini -- sleep 600
    carrel exec s -- sh -c 'i=0; while [ $i -lt 50 ]; do echo $i >/w/$i; i=$((i+1)); done; head -c 4000000 /dev/zero >/w/z; cat /w/z >/dev/null'
    pid=$(server s)
    grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$pid/status"
    grep -q '^CapEff:[[:space:]]*0000000000000000' "/proc/$pid/status"
    grep -q '^CapBnd:[[:space:]]*0000000000000000' "/proc/$pid/status"
    grep -q '^Seccomp:[[:space:]]*2' "/proc/$pid/status"
    [ -z "$(ls "/proc/$pid/root")" ]
    # attest looks at it too: also while it has a file of the mount open
    carrel exec s -- sh -c 'exec 3>/w/open; sleep 600' &
    holder=$!
    until_ sh -c "ls -l /proc/$pid/fd | grep -q '/open$'"
    carrel attest --json s >said
    [ "$(jq '.same and .files.same' said)" = true ]
    [ "$(jq '.files.checks | map(.what) | contains(["uid", "CapEff", "seccomp", "ns/net", "root", "limit nofile", "files"])' said)" = true ]
    record=$CARREL_STATE/sandboxes/$(readlink "$CARREL_STATE/names/s")/files.json
    cp "$record" whole
    for wrong in '.namespaces.net += 1' '.files = []' '.limits.nofile += 1' '.uid += 1'; do
        jq "$wrong" whole >"$record"
        fails 1 carrel attest s
        [[ $output == *"files: "*DIFFERENT* ]]
    done
    cp whole "$record"
    kill "$holder"
    # Its own, without the guest's memory, which is the machine's.
    rss=$(awk '/^[0-9a-f]+-/ { own = !/memfd:/ } own && /^Pss:/ { s += $2 } END { print s }' "/proc/$pid/smaps")
    echo "carrel-files: $rss KiB"
    [ "$rss" -le 3072 ]
    # Nobody waits for it: kvm answers for it (testbed.l1_live), with qemu the machine is ended.
    [ "$(jq -r .engine "$CARREL_STATE/sandboxes/$(readlink "$CARREL_STATE/names/s")/state.json")" = qemu ] || return 0
    carrel exec s -- sh -c 'while :; do cat /w/z >/w/y; done' >said 2>&1 &
    waits=$!
    until_ test -s y
    kill -9 "$pid"
    ! wait "$waits"
    grep -q 's ended before its command did: files-lost: the server of live mounts has ended' said
    [ "$(carrel inspect s | jq -r '.state.reason // .reason')" = files-lost ]
    carrel audit query s | grep -q files.lost
    carrel audit verify s
}

@test "h03: a keeper that is killed leaves its live mounts to the next one" {
    carrel run -q -d --name k -p ../live.yaml mini -- sh -c 'i=0; until [ -e /tmp/go ]; do
        i=$((i+1)); echo $i >>/w/log && echo $i; done; exit 3'
    pid=$(server k)
    until_ test -s log
    for i in 1 2 3; do
        before=$(wc -l <log)
        kill_keeper k
        [ "$(server k)" = "$pid" ]
        until_ sh -c "[ \$(wc -l <log) -gt $((before + 50)) ]"
        # What it denies from now on is on record, and it is looked at.
        carrel exec k -- sh -c "echo x >/w/$i.lock" 2>/dev/null && false
        until_ sh -c "carrel audit query k | grep -q '$i.lock'"
        carrel attest k >/dev/null
    done
    # Nobody asks it for other rules, now either.
    policy less.yaml "${RW/\*.lock/\*.lock\", \"b}"
    fails 1 carrel policy apply k ../less.yaml
    [[ $err == *"a live mount is served by the rules it began with"* ]]
    carrel exec k -- touch /tmp/go
    [ "$(timeout 60 carrel wait k)" = 3 ]
    last=$(tail -n 1 log)
    seq 1 "$last" | cmp - log
    carrel logs k | cmp - log
    until_ test ! -e "/proc/$pid"
    carrel audit verify k
    [ "$(carrel audit query k | grep -c sandbox.adopted)" = 3 ]
    ! carrel audit query k | grep files.lost
}

@test "h03: what has a live mount ends as a whole after its keeper was killed" {
    # Its own end, which the next keeper hears of.
    carrel run -q -d --name q --engine qemu -p ../live.yaml mini -- sleep 600
    kill_keeper q
    kill -9 "$(server q)"
    until_ sh -c '[ "$(carrel inspect q | jq -r ".state.reason")" = files-lost ]'
    carrel audit query q | grep -q files.lost
    carrel audit verify q
    # rm -f, and the holder's end.
    for how in rm holder; do
        carrel run -q -d --name "$how" -p ../live.yaml mini -- sleep 600
        kill_keeper "$how"
        pid=$(server "$how") machine=$(state "$how" vmm_pid)
        [ $how = rm ] || kill -9 "$(holder "$how")"
        [ $how = holder ] || carrel rm -f "$how"
        until_ test ! -e "/proc/$pid" -a ! -e "/proc/$machine"
    done
}

@test "another policy for what is live is refused, and what cannot be is refused at the start" {
    carrel run -q -d --name a -p ../live.yaml mini -- sleep 600
    policy less.yaml "${RW/\*.lock/\*.lock\", \"b}"
    fails 1 carrel policy apply a ../less.yaml
    [[ $err == *"storage is another, and a live mount is served by the rules it began with: stop the sandbox first"* ]]
    carrel exec a -- sh -c 'echo x >/w/b'
    [ -e b ]
    policy bad.yaml "access: rw, export: {mode: none}"
    fails 125 carrel run -p ../bad.yaml mini -- true
    [[ $err == *"share: live writes to the host at once"* ]]
    policy bad.yaml "access: rw, links: {setuid: allow}"
    fails 125 carrel run -p ../bad.yaml mini -- true
    [[ $err == *"share: live makes no device"* ]]
}
