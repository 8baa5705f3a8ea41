#!/bin/sh
# policy_schema.sh - the JSON Schema of policies against ajv: every shipped policy is valid, and
# what the language refuses by its keys and types the schema refuses as well.
# The packages go into the build directory, once. 77 where node or the registry is missing.
set -eu
here=$CARREL_SOURCE/tests/integration
modules=$CARREL_BUILD/policy_schema

skip() {
    echo "skipped: $1"
    exit 77
}
[ -x "$CARREL_BUILD/bin/carrel" ] || skip "$CARREL_BUILD/bin/carrel is not built"
command -v node >/dev/null || skip "node is not installed (apt-get install nodejs npm)"
mkdir -p "$modules"
if ! cmp -s "$here/policy_schema/package.json" "$modules/installed.json"; then
    command -v npm >/dev/null || skip "npm is not installed (apt-get install npm)"
    cp "$here/policy_schema/package.json" "$modules/package.json"
    (cd "$modules" && npm install --no-audit --no-fund --ignore-scripts --loglevel=error \
        --fetch-retries=1 --fetch-timeout=20000 >npm.log 2>&1) || {
        tail -n 5 "$modules/npm.log"
        skip "the npm registry could not be used (see above)"
    }
    cp "$here/policy_schema/package.json" "$modules/installed.json"
fi
cp "$here/policy_schema.mjs" "$modules/"
"$CARREL_BUILD/bin/carrel" policy schema >"$modules/schema.json"
exec timeout 100 node "$modules/policy_schema.mjs" "$modules/schema.json" \
    "$CARREL_SOURCE/policies/library" "$CARREL_BUILD/bin/carrel"
