# Sourced by the scripts of this folder, which set CRON (this folder) first. Plain POSIX sh: cron gives
# neither bash nor much of an environment.
# shellcheck shell=sh

# Sets BREKZSYNC to the program and exports it: $BREKZSYNC, else the checkout's environment, else the PATH.
find_brekzsync() {
    if [ -n "${BREKZSYNC:-}" ]; then
        is_program "$BREKZSYNC" || give_up "BREKZSYNC names $BREKZSYNC, which is not a program."
    elif is_program "$CRON/../../.venv/bin/brekzsync"; then
        BREKZSYNC=$CRON/../../.venv/bin/brekzsync
    elif BREKZSYNC=$(command -v brekzsync); then
        :
    else
        give_up "brekzsync is neither in the checkout's .venv nor on the PATH ($PATH): install it, or set BREKZSYNC in the crontab."
    fi
    export BREKZSYNC
}

is_program() {
    case $1 in
        */*) [ -f "$1" ] && [ -x "$1" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

give_up() {
    printf '%s\n' "$1" >&2
    exit 78
}

# run_brekzsync ARGUMENT...: one command as cron wants it: silent unless there is something new to say.
run_brekzsync() {
    find_brekzsync
    "$BREKZSYNC" --cron "$@"
}

# run_scripts FOLDER NAME...: the named scripts in that order, then whatever else lies in FOLDER, by name.
# One failing never stops the next. The exit code is the worst one (see severity).
run_scripts() {
    folder=$CRON/$1
    shift
    worst=0
    for name in "$@"; do
        if [ -e "$folder/$name" ]; then run_script "$folder/$name"; fi
    done
    for script in "$folder"/*.sh "$folder"/*/*.sh; do
        if [ -e "$script" ] && ! is_one_of "${script#"$folder/"}" "$@"; then run_script "$script"; fi
    done
    return "$worst"
}

is_one_of() {
    wanted=$1
    shift
    for candidate in "$@"; do
        if [ "$candidate" = "$wanted" ]; then return 0; fi
    done
    return 1
}

run_script() {
    find_brekzsync # here too, so that a missing program is one sentence and not one per script
    if [ -x "$1" ]; then "$1"; else sh "$1"; fi
    code=$?
    if [ "$(severity "$code")" -ge 8 ]; then
        printf '%s\n' "${1#"$CRON/"} broke off with exit code $code." >&2 # brekzsync cannot have said it itself
    fi
    note_worst "$code"
}

# note_worst CODE: keeps the worst exit code in worst, which the caller has set to 0 first.
note_worst() {
    if [ "$(severity "$1")" -gt "$(severity "$worst")" ]; then worst=$1; fi
}

# How bad an exit code is: first what the next run settles by itself, then what waits for a person.
severity() {
    case $1 in
        0) echo 0 ;;
        75) echo 1 ;;        # another run is at work
        4) echo 2 ;;         # differences found
        3) echo 3 ;;         # some records failed
        69) echo 4 ;;        # a system is unavailable
        130 | 143) echo 5 ;; # interrupted
        2 | 77 | 78) echo 6 ;;
        1) echo 7 ;;
        *) echo 8 ;; # killed, or not started at all
    esac
}
