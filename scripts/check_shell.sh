#!/bin/sh
# Every shell script parses in the shell its first line names, and shellcheck has nothing to say (where there is one).
set -eu
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}

scripts() {
    find scripts .ci -type f | LC_ALL=C sort | while IFS= read -r file; do
        case $(head -n 1 "$file") in
            '#!'*sh | '#!'*sh' '* | '# Sourced'*) printf '%s\n' "$file" ;;
        esac
    done
}

failed=0
for file in $(scripts); do
    case $(head -n 1 "$file") in
        *bash*) shell="bash" ;;
        *) shell="sh" ;;
    esac
    "$shell" -n "$file" || failed=1
done

shellcheck=$VENV/bin/shellcheck
[ -x "$shellcheck" ] || shellcheck=$(command -v shellcheck || true)
if [ -n "$shellcheck" ]; then
    # shellcheck disable=SC2046  # file names of this repository
    "$shellcheck" --external-sources --source-path=. $(scripts) || failed=1
else
    echo "shellcheck is not installed: only the syntax of the shell scripts was checked" >&2
fi
exit $failed
