#!/bin/sh
# layers.sh finds a planted break of every rule, and nothing in the tree as it is. Ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
passed=0 failed=0

count() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED  $2"
	fi
}

# planted FILE LINE: with this line at the end of the file, layers.sh fails and names the file.
planted() {
	rm -rf "$tree/src" "$tree/lua" "$tree/scripts"
	cp -R src lua scripts "$tree"
	mkdir -p "$(dirname "$tree/$1")"
	printf '\n%s\n' "$2" >>"$tree/$1"
	status=0
	found=$(tests/layers.sh "$tree") || status=$?
	case "$status $found" in "1 "*"$1"*) count 0 ;; *) count 1 "not found: $2 in $1 (exit $status)" ;; esac
}

tests/layers.sh && count 0 || count 1 "the tree as it is"
for layer in base io data; do
	planted src/$layer/new.c '#include <lua.h>'
	planted src/$layer/new.h '  #  include <lua5.4/lauxlib.h>'
done
planted src/io/pg.c '#include <curl/curl.h>'
planted src/bind/l_postgres.c '#include <libpq-fe.h>'
planted src/data/rows.c '#include <sqlite3.h>'
planted src/io/http.c '#include <microhttpd.h>'
planted src/io/http.c '#include <openssl/ssl.h>'
planted src/data/steps_text.c '#include <unicase.h>'
planted src/io/crypto.c '#include <unistr.h>'
planted src/host/host.c '#include <editline/readline.h>'
planted src/base/buf.c '#include "io/json.h"'
planted src/base/buf.c '#include "data/rows.h"'
planted src/io/json.c '#include "data/rows.h"'
planted src/io/json.c '#include "bind/task.h"'
planted src/data/rows.c '#include "bind/task.h"'
planted src/data/rows.c '#include "io/loop.h"'
planted src/data/rows.c '#include "io/sqlite.h"'
planted src/data/sqlite_rows.c '#include "io/pg.h"'
planted src/data/rows.c '#include "host/host.h"'
planted src/data/rows.h '#include "data/plan.h"'
planted src/data/step.h '#include "data/cast.h"'
planted src/bind/l_tree.c 'static const luaL_Reg more[] = {{"grow", tree_grow}, {NULL, NULL}};'
planted src/bind/l_tree.c '	lua_pushcfunction(L, grow);'
planted src/bind/l_task.c '#include "host/host.h"'
planted scripts/full_sync.lua 'local c = require "_syncrun.task"'
planted src/bind/l_sqlite.c 'int fd = open(path, O_RDONLY);'
planted src/io/http.c 'FILE *f = fopen(path, "r");'
planted lua/syncrun/systems/sqlite.lua 'local file = io.open(path)'
planted lua/syncrun/flow/run.lua 'for line in io.lines "x" do print(line) end'
planted lua/syncrun/systems/sqlite.lua 'local judge = require "syncrun.model.judge"'
planted lua/syncrun/record/lock.lua 'local run = require "syncrun.flow.run"'
planted lua/syncrun/prompt.lua 'local LABELS = { crm = "CRM" }'
planted lua/syncrun/flow/pass.lua 'if system.label == "CRM" then return end'
planted lua/syncrun/model/judge.lua 'local gone = found:is_null(j, "deletedAt")'
planted src/bind/l_planted.c 'int luaopen_syncrun_planted(lua_State *L)'
planted src/bind/modules.h '#define MORE(X) X(planted)'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
