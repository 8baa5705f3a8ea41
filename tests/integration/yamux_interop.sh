#!/bin/sh
# yamux_interop.sh - our wire against npm's @chainsafe/libp2p-yamux, both roles.
# The package goes into the build directory, once. 77 where node or the registry is missing.
set -eu
here=$CARREL_SOURCE/tests/integration
modules=$CARREL_BUILD/yamux_interop
. "$CARREL_SOURCE/tests/needs.sh"

need_npm "$here/yamux" "$modules"
cp "$here/yamux_interop.mjs" "$modules/"
exec timeout 100 node "$modules/yamux_interop.mjs" "$CARREL_BUILD/bin/yamux_peer"
