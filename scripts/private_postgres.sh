#!/bin/sh
# A private PostgreSQL cluster in a folder of its own, for tests and for trying things out.
#
#   private_postgres.sh start [--fast] [--tcp PORT] DIR   make it if need be, start it, print its URI
#   private_postgres.sh stop DIR                          stop it; the data stays
#
# Without --tcp it listens on a Unix socket in DIR only, without a password for whoever may enter it. With --tcp (0: any free port) it
# also listens on 127.0.0.1, by password (in DIR/password). --fast gives up safety after a crash for speed.
# As root, the server runs as the user postgres, who gets DIR.
set -eu
created='' # the folder, by this run

fail() {
	[ -z "$created" ] || rmdir "$dir" 2>/dev/null || true
	echo "private_postgres.sh: $*" >&2
	exit 1
}

usage() {
	sed -n '4,5s/^#   //p' "$0" >&2
	exit 2
}

# initdb refuses to run as root, so the server's programs run as postgres.
as_owner() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
	elif command -v setpriv >/dev/null 2>&1; then
		setpriv --reuid postgres --regid postgres --init-groups -- "$@"
	else
		runuser -u postgres -- "$@"
	fi
}

find_programs() {
	for folder in /usr/lib/postgresql/*/bin; do
		[ -x "$folder/postgres" ] && bin=$folder
	done
	if [ -z "${bin:-}" ]; then
		found=$(command -v postgres) || fail "no PostgreSQL server found; install the package postgresql"
		bin=$(dirname "$found")
	fi
}

# The pid of the running server, or nothing. A pid file may outlive its server, and its number may be another's by now.
server_pid() {
	[ -f "$dir/data/postmaster.pid" ] || return 0
	pid=$(head -n 1 "$dir/data/postmaster.pid")
	case $pid in '' | *[!0-9]*) return 0 ;; esac
	if kill -0 "$pid" 2>/dev/null && as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
		echo "$pid"
	fi
}

check_folder() {
	# sockaddr_un holds 107 bytes; the socket's name takes 18 of them.
	length=$(printf '%s' "$dir/.s.PGSQL.$port" | wc -c)
	[ "$length" -le 107 ] || fail "the socket's path would be $length bytes long (at most 107): choose a shorter folder"
	case $dir in *[!A-Za-z0-9_./+-]*) fail "the folder's path may hold letters, digits and . _ + - only: $dir" ;; esac
	as_owner test -w "$dir/." ||
		fail "the user of the server cannot use $dir: choose a folder whose parents others may enter"
}

make_cluster() {
	umask 077
	od -An -N18 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password.new"
	[ "$(id -u)" -ne 0 ] || chown postgres: "$dir/password.new"
	rm -rf "$dir/data.new"
	if ! as_owner "$bin/initdb" -D "$dir/data.new" -U postgres --pwfile="$dir/password.new" --encoding=UTF8 \
		--locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --no-sync >"$dir/initdb.log" 2>&1; then
		cat "$dir/initdb.log" >&2
		rm -rf "$dir/data.new" "$dir/password.new"
		fail "initdb failed in $dir"
	fi
	mv "$dir/password.new" "$dir/password"
	mv "$dir/data.new" "$dir/data" # last: a folder named data is a whole cluster
}

run_server() {
	options="-k $dir -p $1 -c unix_socket_permissions=0700"
	options="$options -c listen_addresses=${tcp:+127.0.0.1}"
	[ -z "$fast" ] || options="$options -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
	as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 -o "$options" start >/dev/null 2>&1
}

# --tcp 0: try ports until one is free.
try_ports() {
	if [ "${tcp:-1}" != 0 ]; then
		run_server "$port" && return 0
	else
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 20000))
			run_server "$port" && return 0
		done
	fi
	tail -n 5 "$dir/server.log" >&2 2>/dev/null || true
	return 1
}

print_uri() {
	running=$(sed -n 4p "$dir/data/postmaster.pid")
	address=$(sed -n 6p "$dir/data/postmaster.pid")
	if [ -n "$tcp" ]; then
		[ -n "$address" ] || fail "the server in $dir runs without TCP; stop it first"
		echo "postgresql://postgres:$(cat "$dir/password")@127.0.0.1:$running/postgres"
	else
		echo "postgresql:///postgres?host=$dir&port=$running&user=postgres"
	fi
}

start() {
	if [ ! -d "$dir" ]; then
		mkdir -p "$dir"
		chmod 700 "$dir" # nobody else gets to the socket, which asks no password
		created=1
	fi
	dir=$(cd "$dir" && pwd -P)
	[ "$(id -u)" -ne 0 ] || chown postgres: "$dir"
	check_folder
	if [ -z "$(server_pid)" ]; then
		[ -d "$dir/data" ] || make_cluster
		try_ports || fail "the server does not start; see $dir/server.log"
	fi
	print_uri
}

stop() {
	[ -d "$dir" ] || return 0
	dir=$(cd "$dir" && pwd -P)
	pid=$(server_pid)
	[ -n "$pid" ] || return 0
	kill -INT "$pid" # fast shutdown: sessions are ended, data is written
	tries=0
	while kill -0 "$pid" 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -le 600 ] || fail "the server (pid $pid) does not stop"
		sleep 0.1
	done
}

[ $# -ge 1 ] || usage
verb=$1
shift
fast='' tcp='' port=5432 bin=''
while [ $# -gt 1 ]; do
	case $1 in
	--fast) fast=1 ;;
	--tcp)
		tcp=$2
		shift
		;;
	*) usage ;;
	esac
	shift
done
[ $# -eq 1 ] || usage
case $tcp in *[!0-9]*) usage ;; esac
[ -z "$tcp" ] || [ "$tcp" = 0 ] || port=$tcp
case $1 in /*) dir=$1 ;; *) dir=$PWD/$1 ;; esac
find_programs
cd / # the server's user may not be able to enter the present folder
case $verb in
start) start ;;
stop) stop ;;
*) usage ;;
esac
