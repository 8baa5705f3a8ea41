# shellcheck shell=sh
# needs.sh - sourced by test scripts: what a test needs and the host may lack.
#
# A test whose need is missing prints `skipped: NEED: why` and exits 77, unless CARREL_MUST_RUN (a
# comma-separated list, or "all") names the need: then it fails. Needs: kvm, qemu, kernel, image, npm,
# tools, root, source.

skip() { # NEED WHY
    case ",${CARREL_MUST_RUN:-}," in
    *,"$1",* | *,all,*)
        echo "failed: $1 must be there: $2"
        exit 1
        ;;
    esac
    echo "skipped: $1: $2"
    exit 77
}

need_tool() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null || skip tools "$1 is not installed (apt-get install $2)"
}

# Installs into MODULES, once, the packages that DIR/package.json names.
need_npm() { # DIR MODULES
    need_tool node "nodejs npm"
    mkdir -p "$2"
    cmp -s "$1/package.json" "$2/installed.json" && return
    need_tool npm npm
    cp "$1/package.json" "$2/package.json"
    (cd "$2" && npm install --no-audit --no-fund --ignore-scripts --loglevel=error \
        --fetch-retries=1 --fetch-timeout=20000 >npm.log 2>&1) || {
        tail -n 5 "$2/npm.log"
        skip npm "the registry could not be used (see above)"
    }
    cp "$1/package.json" "$2/installed.json"
}
