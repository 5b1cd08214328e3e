#!/bin/sh
# What the tests and the benchmark want from the system: a MariaDB server's programs (they start a private one),
# libodbc, the shells whose completion is tried, and what mysqlclient is compiled against. Installed when root on
# Debian; otherwise one sentence each: without them the tests that need them are skipped, and the last lines of
# the run say so.
set -eu
cd "$(dirname "$0")/../.."
. scripts/setup/report.sh
. scripts/setup/debian.sh

PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
VENV=${VENV:-.venv}
python=$VENV/bin/python
[ -x "$python" ] || python=python3

has() { command -v "$1" >/dev/null 2>&1; }
has_mariadb() { { has mariadbd || has mysqld; } && has mariadb-install-db && has mariadb; }
has_odbc() { "$python" -c 'import ctypes; ctypes.CDLL("libodbc.so.2")' 2>/dev/null; }
has_client_library() { has pkg-config && { pkg-config --exists libmariadb || pkg-config --exists mysqlclient; }; }
has_python_headers() {
    "$python" -c 'import os, sysconfig; raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}
# Headers by apt are of use to Debian's own Python only.
is_debian_python() { case $("$python" -c 'import sys; print(sys.base_prefix)') in /usr) ;; *) return 1 ;; esac }
has_shells() { has bash && has zsh && has fish; }
has_mysqlclient() { "$python" -c 'import MySQLdb' 2>/dev/null; }

# The servers' core packages hold the programs without a service that would start by itself.
missing() {
    has_mariadb || echo mariadb-server-core mariadb-client-core
    has_odbc || echo unixodbc tdsodbc
    has_shells || echo bash zsh fish
    if has_mysqlclient; then return 0; fi
    has_client_library || echo libmariadb-dev pkg-config
    has cc || echo gcc libc6-dev
    if ! has_python_headers && is_debian_python; then echo python3-dev; fi
}

has_mariadb && has_odbc && has_shells && has_mysqlclient && exit 0
one_at_a_time
packages=$(missing | tr '\n' ' ')
if [ -n "$packages" ] && may_install; then
    # shellcheck disable=SC2086  # a list of names
    debian_install $packages || say "Some of these could not be installed; going on without."
fi
has_mariadb || say "No MariaDB server on this machine: its tests will be skipped. To have them: $(how_to_install mariadb-server-core mariadb-client-core)."
has_odbc || say "No libodbc on this machine: only an ERP on SQL Server needs it. To have it: $(how_to_install unixodbc)."
has_shells || say "Not all of bash, zsh and fish on this machine: completion is tried in the others only. To have them: $(how_to_install bash zsh fish)."
