# cli_verity.bats - image.verity in real machines: the image as it was, and an image that somebody
# changed after it was looked at.

setup() {
    cd "$WORK" || return
    data=${CARREL_DATA:-/var/lib/carrel}
    # the policies below ask for the directory's files, and the blob is going to be changed
    [ -r "$data/kernels/debian/kernel.json" ] || skip "no kernel debian in $data"
    mkdir -p data/images data/kernels
    cp -a "$data/kernels/debian" data/kernels/
    ln -sfn debian data/kernels/default
    cp -a "$data/images/." data/images/
    export CARREL_DATA=$WORK/data
    for verity in true false; do
        cat >verity-$verity.yaml <<END
carrel: 1
name: checked
cpu: {vcpus: 1, quota: 100%}
memory: {max: 512MiB}
image: {verity: $verity}
limits: {wall: 1h, idle: 1h, pids: 200, open_files: 1000}
tools:
  commands:
    - {id: image, exec: {path: "/**", shell: true}, argv: [{allow: [{any: {count: 0..9}}]}], env: {allow: ["*"]}, paths: {ro: [/], rw: [/]}, rlimits: {fsize: 1GiB}}
storage:
  root: {mode: overlay, quota: {bytes: 100MiB, inodes: 10k}}
END
    done
    blob=$CARREL_DATA/images/blobs/$(jq -r .digest data/images/mini.json).squashfs
}

teardown() {
    rm -rf data
}

with() { # true|false COMMAND...
    local verity=$1
    shift
    carrel run -q --policy "verity-$verity.yaml" mini -- "$@"
}

@test "every block is read through the hash tree" {
    [ "$(with true cat /sys/block/dm-0/dm/name)" = image ]
    run with false cat /sys/block/dm-0/dm/name
    [ "$status" -eq 1 ]
    # Pinned, it is the tree of the bytes whose digest that is.
    sed -i "s/verity: true/&, sha256: $(jq -r .digest data/images/mini.json)/" verity-true.yaml
    [ "$(with true cat /sys/block/dm-0/dm/name)" = image ]
    # The tools have neither the disk nor the means to make another table.
    run with true ls /dev/dm-0 /dev/vda /dev/mapper/control
    [ "$status" -eq 1 ]
    [[ $output != *$'\n'/dev/* ]]
}

@test "veritysetup agrees on the tree" {
    [ -n "$(command -v veritysetup)" ] || skip "no veritysetup (cryptsetup-bin)"
    size=$(stat -c %s "$blob")
    root=$(tail -c 4072 "$blob" | head -c 32 | od -An -tx1 | tr -d ' \n')
    blocks=$(tail -c 4080 "$blob" | head -c 8 | od -An -tu8 | tr -d ' ')
    [ "$((blocks * 4096))" -lt "$size" ]
    cp "$blob" all
    veritysetup verify --hash-offset=$((blocks * 4096)) all all "$root"
    printf XYZ | dd of=all bs=1 seek=$((blocks * 2048)) conv=notrunc status=none
    run veritysetup verify --hash-offset=$((blocks * 4096)) all all "$root"
    [ "$status" -ne 0 ]
}

@test "a block that is another one ends the machine, and nobody reads it" {
    sum=$(with false sha256sum /bin/busybox)
    touch -r "$blob" stamp
    chmod u+w "$blob"
    printf XYZ | dd of="$blob" bs=1 seek=$(($(stat -c %s "$blob") / 2)) conv=notrunc status=none
    touch -r stamp "$blob" # as if nothing had been
    run with true sh -c 'cat /bin/busybox | sha256sum; echo went on'
    [ "$status" -eq 125 ]
    [[ $output == *"ended before its command did: panic"* ]]
    [[ $output != *"went on"* ]]
    # Without: the guest reads what is there.
    run with false sh -c 'cat /bin/busybox | sha256sum; echo went on'
    [[ $output == *"went on"* ]]
    [[ $output != *"${sum%% *}"* ]]
}

@test "an image without a tree is refused" {
    truncate -s -4096 "$blob"
    digest=$(sha256sum <"$blob" | cut -d' ' -f1)
    mv "$blob" "${blob%/*}/$digest.squashfs"
    stat -c '%s %i' "${blob%/*}/$digest.squashfs" | {
        read -r bytes inode
        jq ".digest = \"$digest\" | .file.bytes = $bytes | .file.inode = $inode" data/images/mini.json >new
    }
    mv new data/images/mini.json
    run with true true
    [ "$status" -eq 125 ]
    [[ $output == *"image.verity: the image has no hash tree"*"make it anew"* ]]
    with false true
}

@test "a kernel without dm-verity is refused" {
    rm data/kernels/debian/initrd-*
    sed -i /^verity:/d data/kernels/debian/modules/order
    run with true true
    [ "$status" -eq 125 ]
    [[ $output == *"image.verity: the guest kernel was added without dm-verity"*"carrel kernel fetch"* ]]
    with false true
}
