#!/bin/sh
# Prepares a machine for SpikeLoom.
#   setup.sh system               Icarus Verilog, g++ and venv, by apt where root or sudo allow it
#   setup.sh python VENV EXTRAS   a virtual environment with SpikeLoom, editable, and its extras
# Each thing that cannot be installed is told in one line.
set -eu
cd "$(dirname "$0")/.."

say() { echo "spikeloom setup: $*" >&2; }

# The first interpreter that is supported: python3 itself, or a numbered one beside it.
find_python() {
    for candidate in ${PYTHON3:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    say "Python 3.11 to 3.13 is needed and not on PATH; install one, or name it: make venv PYTHON3=/path/to/python3.12"
    exit 1
}

# Debian splits venv from Python, and names the package after the interpreter's version.
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# cocotb embeds Python in the simulator and so loads libpython, which some Pythons come without.
has_libpython() {
    "$1" - <<'PY' 2>/dev/null
import ctypes, pathlib, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") if sysconfig.get_config_var("Py_ENABLE_SHARED") else None
name = name or f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
for path in (name, pathlib.Path(sysconfig.get_config_var("LIBDIR") or "") / name):
    try:
        ctypes.CDLL(str(path))
    except OSError:
        continue
    sys.exit(0)
sys.exit(1)
PY
}

install_system() {
    python=$(find_python)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    wanted=""
    command -v iverilog >/dev/null 2>&1 || wanted="$wanted iverilog"
    command -v g++ >/dev/null 2>&1 || wanted="$wanted g++"
    has_venv "$python" || wanted="$wanted python$version-venv"
    has_libpython "$python" || wanted="$wanted libpython$version"
    [ -n "$wanted" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        say "please install$wanted by this system's package manager (there is no apt-get here)"
        return 0
    elif [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root="sudo"
    else
        say "please run as root: apt-get update && apt-get install$wanted"
        return 0
    fi
    say "installing$wanted"
    $as_root apt-get update -qq >/dev/null || say "apt-get update failed: see above"
    for package in $wanted; do  # one by one: a name that this release does not know must not keep the others away
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
            say "apt-get could not install $package: see above; without it some tests fail"
    done
}

install_python() {
    venv=$1
    extras=$2
    if [ ! -x "$venv/bin/python" ]; then
        python=$(find_python)
        if ! has_venv "$python"; then
            say "$python has no venv module; please install python3-venv and run make venv again"
            exit 1
        fi
        "$python" -m venv "$venv"
    fi
    say "installing SpikeLoom [$extras] into $venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[$extras]"
}

case "${1:-}" in
    system) install_system ;;
    python) install_python "$2" "$3" ;;
    *) say "usage: setup.sh system | setup.sh python VENV EXTRAS"; exit 2 ;;
esac
