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
    changed=$(find "$here" "$wit" -newer "$target/flow.wasm" -type f ! -path '*/target/*' ! -path '*/node_modules/*')
    [ -n "$changed" ] || exit 0
fi

command -v node >/dev/null || missing "there is no node: install Node.js 20 or newer"
command -v npm >/dev/null || missing "there is no npm: install it with Node.js"

if ! cmp -s "$here/package-lock.json" "$target/installed"; then
    rm -f "$target/installed"
    cp "$here/package.json" "$here/package-lock.json" "$target/"
    # No package's own code runs while it is installed.
    npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund --fetch-retries 1 --fetch-timeout 60000 >&2 ||
        missing "npm cannot install the packages in package-lock.json; what it said is above"
    cp "$here/package-lock.json" "$target/installed"
fi

# A plugin has no network, so what the engine has for HTTP stays out. The rest of WASI is the host's closed one.
"$target/node_modules/.bin/componentize-js" "$here/flow.js" --wit "$wit" --world-name flow \
    --disable http fetch-event --out "$target/flow.new.wasm"
mv "$target/flow.new.wasm" "$target/flow.wasm"
