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
