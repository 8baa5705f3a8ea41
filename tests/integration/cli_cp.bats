# cli_cp.bats - files into and out of a machine, by docker's rules.

setup_file() {
    cd "$WORK" || return
    # A root that may also mount and make devices: what it makes must not come out.
    cat >root.yaml <<'Y'
carrel: 1
name: root
storage: {root: {mode: overlay, quota: {bytes: 1GiB, inodes: 1M}}}
tools:
  commands:
    - id: all
      exec: {path: "/**"}
      argv: [{allow: [{any: {count: 0..256}}]}]
      env: {allow: ["*"]}
      user: 0
      capabilities: [cap_chown, cap_dac_override, cap_fowner, cap_fsetid, cap_sys_admin]
      syscalls: {base: all}
      paths: {ro: [/], rw: [/]}
Y
    carrel run -q -d --name cp -p "$WORK/root.yaml" mini </dev/null
    mkdir -p tree/sub
    echo one >tree/f1
    printf 'two' >tree/sub/$'gr\xc3\xbc\xc3\x9fe'
    ln -s f1 tree/link
    chmod 750 tree/sub
    chmod 640 tree/f1
    head -c 3000000 /dev/urandom >big
}

teardown_file() {
    carrel rm -f cp >/dev/null
}

setup() {
    cd "$WORK" || return
    carrel exec cp -- sh -c 'rm -rf /t && mkdir /t'
    rm -rf back
}

@test "a tree there and back" {
    carrel cp tree cp:/t
    carrel cp cp:/t/tree back
    diff -r tree back
    [ "$(readlink back/link)" = f1 ]
    [ "$(stat -c %a back/sub)" = 750 ]
    [ "$(stat -c %a back/f1)" = 640 ]
    [ "$(stat -c %Y back/f1)" = "$(stat -c %Y tree/f1)" ]
    [ "$(stat -c %u back/f1)" = "$(id -u)" ]
}

@test "a large file, checksummed on both sides" {
    carrel cp big cp:/t/
    [ "$(carrel exec cp sha256sum /t/big | cut -d' ' -f1)" = "$(sha256sum big | cut -d' ' -f1)" ]
    carrel cp cp:/t/big back
    cmp big back
}

@test "docker's rules for names" {
    there() { carrel exec cp -- test -e "$1"; }
    carrel cp tree/f1 cp:/t/new && there /t/new
    carrel cp tree/f1 cp:/t && there /t/f1
    carrel cp tree/f1 cp:t/sub2 && there /t/sub2
    run carrel cp tree/f1 cp:/t/nodir/
    [ "$status" -eq 1 ]
    run carrel cp tree/f1 cp:/t/no/such
    [ "$status" -eq 1 ]
    run carrel cp tree cp:/t/new
    [ "$status" -eq 1 ]
    carrel cp tree cp:/t/made && there /t/made/f1
    carrel cp tree cp:/t/made && there /t/made/tree/f1
    carrel cp tree/. cp:/t && there /t/sub
    run carrel cp tree/f1/. cp:/t
    [ "$status" -eq 1 ]
    mkdir back
    carrel cp cp:/t/new back/ && [ -f back/new ]
    carrel cp cp:/t/made/. back && [ -f back/f1 ]
    run carrel cp cp:/t/made back/f1
    [ "$status" -eq 1 ]
    run carrel cp cp:/t/nosuch back
    [ "$status" -eq 1 ]
    [[ $output == *"No such file"* ]]
    run carrel cp nosuch cp:/t
    [ "$status" -eq 1 ]
}

@test "tar streams" {
    tar -C tree -cf - . | carrel cp - cp:/t
    carrel cp cp:/t - | tar -tf - | grep -q '^t/sub/'
    run carrel cp - cp:/nosuch </dev/null
    [ "$status" -eq 1 ]
    echo "not an archive, but long enough to be looked at" >junk
    run sh -c 'carrel cp - cp:/t <junk'
    [ "$status" -eq 1 ]
}

@test "f01, f02: links and names of the guest lead nowhere here" {
    carrel exec cp -- sh -c 'mkdir /t/d && ln -s /etc /t/d/etc && ln -s ../../../../tmp /t/d/up'
    carrel cp cp:/t/d back
    [ -L back/etc ]
    # a second copy through what are links here now
    carrel exec cp -- sh -c 'rm /t/d/etc && mkdir /t/d/etc && echo evil >/t/d/etc/carrel-evil'
    run carrel cp cp:/t/d/. back
    [ "$status" -eq 1 ]
    [ ! -e /etc/carrel-evil ]
}

@test "f03: no set-ID bits, devices or fifos" {
    carrel exec cp -- sh -c 'mkdir /t/d && cp /bin/busybox /t/d/s && chmod 6755 /t/d/s && mkfifo /t/d/p'
    carrel cp cp:/t/d back
    [ "$(stat -c %a back/s)" = 755 ]
    [ ! -e back/p ]
    carrel cp cp:/dev back || true # says what it leaves out
    [ -z "$(find back -type c -o -type b)" ]
}

@test "a guest cannot fill the disk: --max-size" {
    carrel cp big cp:/t/
    mkdir -p few
    run carrel cp --max-size 2M cp:/t/big few/
    [ "$status" -eq 1 ]
    [[ $output == *"more than allowed"*"--max-size"* ]]
    [ -z "$(ls few)" ]
    carrel cp --max-size 4M cp:/t/big few/
    status=0
    carrel cp --max-size 2M cp:/t/big - >few/tar 2>few/err || status=$?
    [ "$status" -eq 1 ]
    grep -q "longer than 2 MiB" few/err
    run carrel cp --max-size 0 cp:/t/big few/
    [ "$status" -eq 2 ]
    run carrel cp --max-size 2M big cp:/t/
    [ "$status" -eq 2 ]
}

@test "a full disk here and there is said" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to mount a small file system"
    mkdir -p small
    mount -t tmpfs -o size=1m tmpfs small || skip "tmpfs cannot be mounted"
    carrel cp big cp:/t/
    run carrel cp cp:/t/big small/
    left=$(ls small)
    umount small
    [ "$status" -eq 1 ]
    [[ $output == *"No space left"* ]]
    [ -z "$left" ]
    carrel exec cp -- sh -c 'dd if=/dev/zero of=/run/filler bs=1M; test -s /run/filler'
    run carrel cp big cp:/run/
    [ "$status" -eq 1 ]
    [[ $output == *"No space left"* ]]
    carrel exec cp -- rm /run/filler
}

@test "what is no file is left out, and said" {
    mkdir -p odd
    mkfifo odd/fifo 2>/dev/null || :
    echo x >odd/f
    run carrel cp odd cp:/t
    [ "$status" -eq 0 ]
    [[ $output == *"1 sockets, fifos or devices were left out"* ]]
    carrel exec cp -- test -f /t/odd/f
}
