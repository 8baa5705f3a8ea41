#!/bin/sh
# policy_schema.sh - the JSON Schema of policies against ajv: every shipped policy is valid, and
# what the language refuses by its keys and types the schema refuses as well.
# The packages go into the build directory, once. 77 where node or the registry is missing.
set -eu
here=$CARREL_SOURCE/tests/integration
modules=$CARREL_BUILD/policy_schema
. "$CARREL_SOURCE/tests/needs.sh"

[ -x "$CARREL_BUILD/bin/carrel" ] || skip tools "$CARREL_BUILD/bin/carrel is not built"
need_npm "$here/policy_schema" "$modules"
cp "$here/policy_schema.mjs" "$modules/"
"$CARREL_BUILD/bin/carrel" policy schema >"$modules/schema.json"
exec timeout 100 node "$modules/policy_schema.mjs" "$modules/schema.json" \
    "$CARREL_SOURCE/policies/library" "$CARREL_BUILD/bin/carrel"
