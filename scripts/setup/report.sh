# Sourced: sentences for the person at the terminal, everything else into a log whose end is shown on failure.
# shellcheck shell=sh

LOGS=build/logs
mkdir -p "$LOGS"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 1
}

# logged NAME COMMAND...: quiet; its output is in build/logs/NAME.log
logged() {
    log=$LOGS/$1.log
    shift
    printf '\n--- %s\n' "$*" >>"$log"
    "$@" </dev/null >>"$log" 2>&1
}

show_log() {
    say "--- the end of $LOGS/$1.log:"
    tail -n 15 "$LOGS/$1.log" | sed 's/^/    /' >&2
}

# Two makes at once (or make -j) would fight over one environment; where flock is missing they may.
one_at_a_time() {
    mkdir -p build
    exec 9>build/setup.lock
    if command -v flock >/dev/null 2>&1; then flock 9; fi
}
