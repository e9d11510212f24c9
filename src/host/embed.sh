#!/bin/sh
# Write a C file that holds every Lua module under the folder $1 as readable bytes: embed.sh LUA_DIR > embed.c
# Source text, not bytecode: line numbers stay right, and no luac is needed.
set -eu
dir=$1
list=$(cd "$dir" && find . -name '*.lua' | LC_ALL=C sort | sed 's|^\./||')
echo '#include "host/embed.h"'
i=0
for path in $list; do
	i=$((i + 1))
	echo "static const unsigned char text_$i[] = {"
	od -An -v -tu1 "$dir/$path" | sed -e 's/  */,/g' -e 's/^,//' -e 's/$/,/'
	echo '0};'
done
echo 'const struct embedded_module embedded_modules[] = {'
i=0
for path in $list; do
	i=$((i + 1))
	name=$(printf '%s' "$path" | sed -e 's/\.lua$//' -e 's|/init$||' -e 's|/|.|g')
	echo "{\"$name\", \"$path\", (const char *)text_$i, sizeof text_$i - 1},"
done
echo '{0, 0, 0, 0}};'
