# cli_image.bats - images of the world: imported, inspected, pinned, run.

bats_require_minimum_version 1.5.0

setup() {
    cd "$WORK" || return
    mini=${CARREL_DATA:-/var/lib/carrel}
    [ -n "$CARREL_DATA" ] || [ "$(id -u)" -eq 0 ] ||
        mini=${XDG_DATA_HOME:-$HOME/.local/share}/carrel
}

# The digest of a file, which becomes a blob of the layout.
blob() { # FILE
    local sum
    sum=$(sha256sum <"$1" | cut -d' ' -f1)
    mkdir -p layout/blobs/sha256
    cp "$1" "layout/blobs/sha256/$sum"
    echo "$sum"
}

# A descriptor of a blob.
of() { # TYPE FILE
    printf '{"mediaType":"application/vnd.oci.image.%s","size":%d,"digest":"sha256:%s"}' \
        "$1" "$(stat -c %s "$2")" "$(blob "$2")"
}

# mini's content, and a layer that takes away and adds.
make_layout() {
    [ ! -d layout ] || return 0
    mkdir -p root second/etc second/opt
    unsquashfs -q -n -f -d root "$mini/images/blobs/$(carrel image inspect mini |
        jq -r .digest).squashfs" >/dev/null || :
    echo lower >root/etc/lower
    mkdir -p root/opt/old && echo old >root/opt/old/file
    tar -C root --sort=name -cf one.tar .
    touch second/etc/.wh.lower second/opt/.wh..wh..opq
    printf '#!/bin/sh\necho "entered as $(id -u) in $PWD with $GREETING:" "$@"\n' >second/opt/enter
    chmod 755 second/opt/enter
    tar -C second --sort=name -cf two.tar .
    gzip -nk one.tar
    zstd -q two.tar
    printf '{"os":"linux","architecture":"amd64","config":{"User":"1000:1000","WorkingDir":"/opt",
        "Env":["PATH=/bin:/sbin:/usr/bin","GREETING=hello"],"Entrypoint":["/opt/enter"],
        "Cmd":["default"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
        "$(sha256sum <one.tar | cut -d' ' -f1)" "$(sha256sum <two.tar | cut -d' ' -f1)" >config
    printf '{"schemaVersion":2,"config":%s,"layers":[%s,%s]}' "$(of config.v1+json config)" \
        "$(of layer.v1.tar+gzip one.tar.gz)" "$(of layer.v1.tar+zstd two.tar.zst)" >manifest
    printf '{"schemaVersion":2,"manifests":[%s]}' "$(of manifest.v1+json manifest)" \
        >layout/index.json
    printf '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
}

@test "a layout is imported, inspected, pinned and run" {
    make_layout
    export CARREL_DATA=$PWD/data
    mkdir -p data
    cp -r "$mini/kernels" data/
    [ "$(carrel image import -q world layout)" = world ]
    carrel image inspect world >seen
    [ "$(jq -r .manifest seen)" = "sha256:$(sha256sum <manifest | cut -d' ' -f1)" ]
    [ "$(jq -r .id seen)" = "sha256:$(sha256sum <config | cut -d' ' -f1)" ]
    [ "$(jq -c .config.entrypoint seen)" = '["/opt/enter"]' ]
    # one machine that says all of it
    carrel run -q --engine qemu "world@$(jq -r .manifest seen)" -- a b >out </dev/null
    cat out
    [ "$(cat out)" = "entered as 1000 in /opt with hello: a b" ]
    carrel run -q --engine qemu --entrypoint /bin/sh world -- -c \
        'ls /etc/lower /opt; id -u' >out 2>err </dev/null || true
    cat out err
    [ "$(cat out)" = "/opt:
enter
1000" ]
    grep -q lower err
    run -125 carrel run -q "world@sha256:$(printf %064d 0)" -- true
    [[ $output == *'image "world": is sha256:'*', not sha256:000000000000'* ]]
}

@test "the same image from a directory and from a tar of it; a changed blob is refused" {
    make_layout
    export CARREL_DATA=$PWD/data2
    carrel image import -q a layout
    tar -C layout -cf layout.tar index.json oci-layout blobs
    carrel image import -q b layout.tar
    [ "$(carrel image inspect a | jq -r .digest)" = "$(carrel image inspect b | jq -r .digest)" ]
    [ "$(ls data2/images/blobs | wc -l)" -eq 1 ]
    cp -r layout bad
    sum=$(sha256sum <two.tar.zst | cut -d' ' -f1)
    printf x | dd of="bad/blobs/sha256/$sum" bs=1 seek=40 conv=notrunc status=none
    run -1 carrel image import c bad
    [[ $output == *"layer 2 of 2: "* ]]
    run -1 carrel image import --max-size 1M c layout
    [[ $output == *"more than 1 MiB in all"* ]]
    run -2 carrel image import --max-size much c layout
    run -1 carrel image import --tag v1 c layout
    [[ $output == *'no image "v1" in it'* ]]
    run -1 carrel image inspect c
    [ -z "$(ls data2/cache 2>/dev/null | grep -v :)" ]
}

@test "skopeo is not taken from PATH" {
    [ ! -x /usr/bin/skopeo ] || skip "skopeo is installed"
    [ ! -x /usr/local/bin/skopeo ] || skip "skopeo is installed"
    mkdir -p evil
    printf '#!/bin/sh\ntouch %s/taken\n' "$PWD" >evil/skopeo
    chmod 755 evil/skopeo
    PATH=$PWD/evil:$PATH run -1 carrel image pull docker.io/library/debian:12 deb
    [[ $output == *"skopeo is not installed"*"apt-get install skopeo"* ]]
    [ ! -e taken ]
}
