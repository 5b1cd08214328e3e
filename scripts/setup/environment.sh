#!/bin/sh
# Makes the virtual environment hold what a target needs: environment.sh core|dev|fast
#   core   brekzsync and its libraries        dev   and the tools to test and check it
#   fast   and mysqlclient, the faster MariaDB driver, where it can be compiled
# A stamp per set, keyed on pyproject.toml and this checkout's place, makes a second run quick.
set -eu
cd "$(dirname "$0")/../.."
. scripts/setup/report.sh
. scripts/setup/debian.sh

VENV=${VENV:-.venv}
KEY="$(cksum <pyproject.toml) $PWD"
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX || true
export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_REQUIRE_VIRTUALENV=0

# --- which Python ---------------------------------------------------------------------------------------

# A name on the PATH proves little: it may be a shim for a version that is not there, or lack sqlite3 or ssl.
is_usable() { "$1" -c 'import sqlite3, ssl, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
has_pip() { "$1" -m pip --version >/dev/null 2>&1; }

# first_python TEST: the newest usable Python that passes TEST
first_python() {
    for python in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3 python}; do
        if is_usable "$python" && "$1" "$python"; then
            printf '%s' "$python"
            return 0
        fi
    done
    return 1
}

minor_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# --- the environment ------------------------------------------------------------------------------------

has_stamp_of_place() { [ "$(cat "$VENV/.brekzsync" 2>/dev/null)" = "$PWD" ]; }
is_whole() { "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }
has_stamp() { [ "$(cat "$VENV/.brekzsync-$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$VENV/.brekzsync-$1"; }

create() {
    # Only what this script made may be thrown away: VENV can point to somebody's own environment.
    if [ -e "$VENV" ] && [ ! -e "$VENV/.brekzsync" ] && [ -n "$(ls -A "$VENV")" ]; then
        fail "$VENV is in the way: it is not an environment with pip. Remove it, or name another: VENV=/elsewhere make ..."
    fi
    rm -rf "$VENV"
    python=$(first_python has_venv) || python=$(install_venv) || create_without_ensurepip
    if [ -n "$python" ]; then
        say "Creating $VENV with $("$python" --version 2>&1) ..."
        logged venv "$python" -m venv "$VENV" || { show_log venv; fail "$python could not create $VENV."; }
    fi
    printf '%s\n' "$PWD" >"$VENV/.brekzsync"
}

# Prints the Python that has venv after Debian's package for it was installed.
install_venv() {
    may_install || return 1
    packages='python3 python3-venv'
    if python=$(first_python is_usable); then
        # The newest Python may be another than Debian's default one.
        own="python$(minor_of "$python")-venv"
        if apt-cache show "$own" >/dev/null 2>&1; then packages="$packages $own"; fi
    fi
    # shellcheck disable=SC2086  # a list of names
    debian_install $packages && first_python has_venv
}

# Without ensurepip an environment is empty; a pip outside of it (22.3 or newer) can still fill it.
create_without_ensurepip() {
    python=$(first_python has_pip) || needs_python
    say "Creating $VENV with $("$python" --version 2>&1) and the system's pip ..."
    logged venv "$python" -m venv --without-pip "$VENV" || needs_python
    if ! logged pip "$python" -m pip --python "$VENV/bin/python" install --quiet pip; then
        rm -rf "$VENV"
        explain_pip
    fi
    python=
}

needs_python() {
    if first_python is_usable >/dev/null; then
        fail "This Python cannot create virtual environments. Put that right ($(how_to_install python3-venv)) and run make again."
    fi
    fail "Python 3.11 or newer (with sqlite3 and ssl) is needed and was not found on the PATH." \
        "To have it: $(how_to_install python3 python3-venv). One elsewhere is named by PYTHON=/path/to/python make ..."
}

# --- the packages ---------------------------------------------------------------------------------------

pip_install() { logged pip "$VENV/bin/python" -m pip install --quiet "$@"; }

explain_pip() {
    show_log pip
    if tail -n 40 "$LOGS/pip.log" | grep -q -i -E 'connection|temporary failure|unreachable|timed out|no matching distribution|max retries'; then
        fail "pip could not fetch what brekzsync needs: no package index answered. Is there a network? Behind a proxy or with an index" \
            "of your own, pip wants https_proxy, PIP_INDEX_URL or a pip.conf. Then run make again."
    fi
    fail "pip could not install what brekzsync needs; the log above says why. Run make again once that is put right."
}

install_or_fail() { pip_install "$@" || explain_pip; }

install_core() {
    if has_stamp core "$KEY"; then return 0; fi
    say "Installing brekzsync and its libraries into $VENV (once) ..."
    install_or_fail --editable .
    stamp core "$KEY"
}

install_dev() {
    if has_stamp dev "$KEY"; then return 0; fi
    say "Installing brekzsync and what its tests and checks need into $VENV (once) ..."
    install_or_fail --editable '.[dev]'
    stamp core "$KEY"
    stamp dev "$KEY"
}

client_library() {
    pkg-config --modversion libmariadb 2>/dev/null || pkg-config --modversion mysqlclient 2>/dev/null || echo none
}

install_fast() {
    install_core
    # Tried again when the client library it is compiled against comes or changes.
    key="$KEY $(client_library)"
    if has_stamp fast "$key"; then return 0; fi
    requirement=$("$VENV/bin/python" -c \
        'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["fast"])')
    say "Compiling mysqlclient, the faster MariaDB driver (once) ..."
    # shellcheck disable=SC2086  # one requirement a word
    if ! pip_install $requirement; then
        say "mysqlclient could not be built (log: $LOGS/pip.log); going on with PyMySQL. To have it: $(how_to_install gcc libmariadb-dev pkg-config python3-dev)."
    fi
    stamp fast "$key"
}

case ${1:-} in
    core | dev) key=$KEY ;;
    fast) key="$KEY $(client_library)" ;;
    *) fail "usage: environment.sh core|dev|fast" ;;
esac
if has_stamp "$1" "$key" && "$VENV/bin/python" -c '' 2>/dev/null; then exit 0; fi

one_at_a_time
# An environment does not survive being moved (its programs name their Python by its old place) or losing its Python.
if ! is_whole || { [ -e "$VENV/.brekzsync" ] && ! has_stamp_of_place; }; then create; fi
"install_$1"
