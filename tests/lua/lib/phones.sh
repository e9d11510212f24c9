#!/bin/sh
# Ask libphonenumber-js 1.11.5: phones.sh <TEXTS.json >VERDICTS.json (see phones.js). npm gets the package into the build folder,
# once. Exit 3 when node, npm or the package is not to be had.
build=${BUILD:-build}
package=$build/node/node_modules/libphonenumber-js
command -v node >/dev/null || exit 3
if ! grep -q '"version": "1.11.5"' "$package/package.json" 2>/dev/null; then
	command -v npm >/dev/null || exit 3
	mkdir -p "$build/node"
	timeout 60 npm install --prefix "$build/node" --no-save --no-audit --no-fund --ignore-scripts --fetch-retries=0 \
		libphonenumber-js@1.11.5 >"$build/node/log" 2>&1 </dev/null || exit 3
fi
exec node "$(dirname "$0")/phones.js" "$(cd "$package" && pwd)"
