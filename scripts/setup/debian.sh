# Sourced after report.sh: installs Debian packages where that is ours to do (root, apt-get).
# shellcheck shell=sh

may_install() {
    [ -z "${BREKZSYNC_NO_APT:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

# debian_install PACKAGE...: one call, nothing recommended beside it, no questions. False when it did not work.
debian_install() {
    say "Installing $* with apt-get (log: $LOGS/apt.log) ..."
    if [ -z "${apt_updated:-}" ]; then
        # A failing update may still leave usable lists; the install decides.
        logged apt apt-get -q update || true
        apt_updated=1
    fi
    if logged apt env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 install "$@"; then
        return 0
    fi
    show_log apt
    return 1
}

# What to tell somebody whose system we may not change.
how_to_install() {
    if command -v apt-get >/dev/null 2>&1; then
        printf 'sudo apt-get install %s' "$*"
    else
        printf 'install what Debian calls %s' "$*"
    fi
}
