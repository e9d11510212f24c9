#!/bin/sh
# Who may know whom: layers.sh [ROOT]. Prints every line of the tree that breaks a rule; exit 1 when there is one.
set -eu
cd "${1:-$(dirname "$0")/..}"

SYSTEM_NAMES='BigQuery|[Tt]wenty|TWENTY|[Ss]upabase|SUPABASE|bigquery|deletedAt|updatedBy|canonical_name|"(sqlite|postgres|CRM|Local)"'

# report RULE: the lines on standard input break it.
report() {
	while IFS= read -r line; do
		printf '%s: layers: %s\n' "$line" "$1"
	done
}

# includes PATTERN FILE...: the #include lines of these C files that match.
includes() {
	pattern=$1
	shift
	[ $# -gt 0 ] || return 0
	grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" "$@" /dev/null || true
}

# every C file below these folders, but the ones after --
files() {
	folders='' except=''
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		[ ! -d "$1" ] || folders="$folders $1"
		shift
	done
	[ $# -eq 0 ] || shift
	for file in "$@"; do except="$except ! -path $file"; done
	[ -z "$folders" ] || find $folders -name '*.[ch]' $except
}

# library HEADERS FILE...: only these files include them.
library() {
	headers=$1
	shift
	includes "$headers" $(files src -- "$@") | report "$headers is for $* only"
}

# layer FOLDER LAYERS: files of the folder include no header of these layers.
layer() {
	includes "$2" $(files "src/$1") | report "src/$1 may not know this layer"
}

c_rules() {
	includes '(lua[0-9.]*/)?(lua|lauxlib|lualib|luaconf)\.hp?' $(files src/base src/io src/data) |
		report "Lua is for src/bind and src/host"
	library 'curl/' src/io/http.c src/io/loop.c
	library 'libpq|postgresql/' src/io/pg.c src/io/pg_uri.c
	library 'sqlite3' src/io/sqlite.c
	library 'microhttpd' src/io/http_server.c
	library 'openssl/' src/io/crypto.c
	library 'uni(case|str|norm|ctype|conv|name|width|lbrk|gbrk|wbrk)\.h|unistring' src/io/unicode.c
	library 'readline/|editline/|histedit' src/io/line.c

	layer base '(io|data|bind|host)/'
	layer io '(data|bind|host)/'
	layer data '(bind|host)/'
	layer bind 'host/'
	includes 'io/' $(files src/data) |
		grep -vE 'io/(json|unicode|crypto|records)\.h"|^src/data/sqlite_rows\.[ch]:.*io/sqlite\.h"' |
		report "of src/io, src/data may know json, unicode, crypto and records; its reader of statements sqlite"
}

# A file's unit: its name; a header without a .c belongs to the unit that its name begins with (task_core.h: task).
units() {
	awk -v files="$(echo src/*/*.c)" '
		BEGIN { n = split(files, list, " "); for (i = 1; i <= n; i++) has[list[i]] = 1 }
		function unit(path) {
			sub(/\.[ch]$/, "", path)
			if (("src/" path ".c") in has) return path
			short = path
			sub(/_[a-z]*$/, "", short)
			return (("src/" short ".c") in has) ? short : path
		}
		/^#include "/ {
			split($2, quoted, "\"")
			from = unit(substr(FILENAME, 5)); to = unit(quoted[2])
			if (from != to && substr(from, 1, index(from, "/")) == substr(to, 1, index(to, "/"))) print from, to
		}' src/*/*.[ch]
}

cycle_rules() {
	[ -n "$(find src -name '*.[ch]' 2>/dev/null | head -n 1)" ] || return 0
	units | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \([a-z_]*\/[a-z_0-9]*\)$/src\/\1.h/p' | report "in a circle of includes within its layer"
}

# What Lua calls is named so: l_ (but for parameters, and the two that the task core lends).
naming_rules() {
	grep -nE 'lua_pushc(function|closure)\([A-Za-z]+, |^[^/]*\{"[A-Za-z_]+", [a-z]' $(files src/bind) /dev/null |
		grep -vE ', (l_[a-z_0-9]+|close|gc|finish|task_(join|traceback))[,)}]' |
		report "a function that Lua calls begins with l_"
}

lua_rules() {
	grep -rnE '_syncrun([^a-zA-Z0-9_]|$)' lua scripts tests --include='*.lua' 2>/dev/null | grep -v '^lua/syncrun/' |
		report "_syncrun is for lua/syncrun"
}

# Only SQLite opens a database: closing any other descriptor of its file drops all its locks. In C these files open others:
# sqlite.c makes an empty one, file.c is asked through l_host.c, which looks first (sqlite_is_live), as boot.lua does for
# Lua's io. That is the last line; the places in Lua that open a file by name are listed, each for a file of another kind.
opening_rules() {
	grep -nE '(^|[^a-z_])(f?open|freopen|openat|creat)(64)?\(' $(files src -- src/io/file.c src/io/sqlite.c) /dev/null |
		grep -vE ':[[:space:]]*//|fopen\("/proc/self/' | report "files are opened by src/io/file.c and src/io/sqlite.c only"
	grep -nE '(io\.(open|lines|input|output)|loadfile|dofile)[[:space:]]*[("]' $(find lua -name '*.lua' \
		! -path lua/syncrun/boot.lua ! -path lua/syncrun/file.lua ! -path lua/syncrun/script.lua ! -path lua/syncrun/flow/config.lua \
		! -path lua/syncrun/flow/dotenv.lua ! -path 'lua/syncrun/record/*audit*.lua' \
		! -path lua/syncrun/flow/delta.lua ! -path lua/syncrun/flow/plan.lua ! -path lua/syncrun/flow/forget.lua \
		! -path 'lua/syncrun/systems/bigquery/google/*') /dev/null |
		report "opens files by name: list it in tests/layers.sh if none of them can be a database"
}

# A system knows the contract and the primitives; the flow, the model and the record know no system's name, column or label.
room_rules() {
	grep -rnE 'require "syncrun\.(flow|record|model)\.' lua/syncrun/systems --include='*.lua' 2>/dev/null |
		report "a system knows the contract and the primitives, nothing of flow, record or model"
	grep -rnE 'require "syncrun\.flow\.' lua/syncrun/record lua/syncrun/model --include='*.lua' 2>/dev/null |
		report "the flow is above record and model"
	grep -rnE "$SYSTEM_NAMES" lua/syncrun/flow lua/syncrun/model lua/syncrun/record --include='*.lua' 2>/dev/null |
		grep -vE '^[^:]*:[0-9]*:[[:space:]]*--' |
		report "the flow, the model and the record know no system's name, column or label"
	grep -nE 'BigQuery|[Tt]wenty|[Ss]upabase|bigquery|CRM|"Local"' lua/syncrun/prompt.lua /dev/null |
		report "the prompt asks the registry what systems are called"
}

# Each binding is in the host's list of modules, and each module of the list has its binding.
module_rules() {
	for file in src/bind/l_*.c; do
		[ -e "$file" ] || continue
		for name in $(sed -n 's/^int luaopen_syncrun_\([a-z_]*\)(.*/\1/p' "$file"); do
			grep -q "X($name)" src/bind/modules.h || echo "$file: luaopen_syncrun_$name"
		done
	done | report "not in src/bind/modules.h"
	for name in $(grep -o 'X([a-z_]*)' src/bind/modules.h 2>/dev/null | tr -d 'X()'); do
		grep -qs "^int luaopen_syncrun_$name(" src/bind/*.c || echo "src/bind/modules.h: $name"
	done | report "no luaopen_syncrun_ function in src/bind"
}

found=$(c_rules; cycle_rules; naming_rules; lua_rules; room_rules; opening_rules; module_rules)
[ -n "$found" ] || exit 0
printf '%s\n' "$found"
exit 1
