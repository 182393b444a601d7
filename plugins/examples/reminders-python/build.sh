#!/bin/sh
# Makes the component: `sh build.sh [FOLDER]` leaves it in FOLDER, `target` by default, as flow.wasm, beside the
# compiler that it installs there. Does nothing when nothing has changed. Exit code 3: something is missing on this
# machine, and the last line says what.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
wit=${WIT:-$here/../../../wit/flow-0.1.0}
mkdir -p "${1:-$here/target}"
target=$(cd "${1:-$here/target}" && pwd)
missing() {
    echo "$*" >&2
    exit 3
}

if [ -f "$target/flow.wasm" ]; then
    changed=$(find "$here" "$wit" -newer "$target/flow.wasm" -type f ! -path '*/target/*')
    [ -n "$changed" ] || exit 0
fi

command -v python3 >/dev/null || missing "there is no python3: install Python 3.10 or newer"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing "python3 cannot make environments: install its module venv"

if ! cmp -s "$here/requirements.txt" "$target/installed"; then
    rm -rf "$target/installed" "$target/venv"
    python3 -m venv "$target/venv"
    # Only what is built already: no package's own code runs while it is installed.
    "$target/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --retries 1 --timeout 60 \
        --requirement "$here/requirements.txt" >&2 ||
        missing "pip cannot install the packages in requirements.txt; what it said is above"
    cp "$here/requirements.txt" "$target/installed"
fi

# Finds what else requirements.txt names.
export VIRTUAL_ENV="$target/venv"
compile() {
    "$target/venv/bin/componentize-py" --wit-path "$wit" --world flow "$@"
}
# For editors and type checkers: the contract as Python.
rm -rf "$target/bindings"
compile --quiet bindings "$target/bindings"
compile --quiet componentize --python-path "$here" --output "$target/flow.new.wasm" flow
mv "$target/flow.new.wasm" "$target/flow.wasm"
