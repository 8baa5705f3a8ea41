#!/bin/sh
# yamux_interop.sh - our wire against npm's @chainsafe/libp2p-yamux, both roles.
# The package goes into the build directory, once. 77 where node or the registry is missing.
set -eu
here=$CARREL_SOURCE/tests/integration
modules=$CARREL_BUILD/yamux_interop

skip() {
    echo "skipped: $1"
    exit 77
}
command -v node >/dev/null || skip "node is not installed (apt-get install nodejs npm)"
mkdir -p "$modules"
if ! cmp -s "$here/yamux/package.json" "$modules/installed.json"; then
    command -v npm >/dev/null || skip "npm is not installed (apt-get install npm)"
    cp "$here/yamux/package.json" "$modules/package.json"
    (cd "$modules" && npm install --no-audit --no-fund --ignore-scripts --loglevel=error \
        --fetch-retries=1 --fetch-timeout=20000 >npm.log 2>&1) || {
        tail -n 5 "$modules/npm.log"
        skip "the npm registry could not be used (see above)"
    }
    cp "$here/yamux/package.json" "$modules/installed.json"
fi
cp "$here/yamux_interop.mjs" "$modules/"
exec timeout 100 node "$modules/yamux_interop.mjs" "$CARREL_BUILD/bin/yamux_peer"
