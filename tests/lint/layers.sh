#!/bin/sh
# layers.sh - which folder may include which. Prints the lines that break the rule.
set -eu
cd "${1:-.}"
bad=0
check() { # folder, allowed paths as an extended regexp
    [ -d "$1" ] || return 0
    if grep -rnE '^#include "' --include='*.[ch]' "$1" | grep -vE "#include \"($2)"; then
        echo "layers: $1 may include only: $2" >&2
        bad=1
    fi
}
check base     'base/'
check vmm      'base/|vmm/'
check guest    'base/|guest/'
check policies 'base/|policies/'
check sandbox  'base/|policies/|sandbox/'
exit $bad
