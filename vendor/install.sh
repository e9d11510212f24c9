#!/bin/sh
# Install the Debian packages of dependencies.tsv that are missing: those of the sections named, or else what `make run` and
# `make test` need (build run test). Quiet and quick when all are there; asks nothing.
set -eu
list=$(dirname "$0")/dependencies.tsv
[ $# -gt 0 ] || set -- build run test

say() {
	echo "vendor/install.sh: $*" >&2
}

packages_of() {
	for section in "$@"; do
		found=$(awk -F '\t' -v section="$section" '$1 == section { print $2 }' "$list")
		[ -n "$found" ] || {
			say "no section '$section' in $list"
			exit 2
		}
		echo "$found"
	done
}

missing_of() {
	for package in "$@"; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o DPkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1
}

install_packages() {
	for try in 1 2; do
		apt install -y --no-install-recommends "$@" && return 0
		[ "$try" = 2 ] || {
			say "apt-get failed, trying once more"
			sleep 5
			apt update || true
		}
	done
	tail -n 20 "$log" >&2
	say "apt-get could not install: $*"
	exit 1
}

# Debian's postgresql makes and starts a server of the machine's own when it is installed; nothing here needs one. The setting
# is put back afterwards.
install_postgresql() {
	install_packages postgresql-common
	saved=$(mktemp)
	cp -p "$settings" "$saved"
	echo 'create_main_cluster = false' >>"$settings"
	install_packages postgresql
}

clean_up() {
	rm -f "$log"
	[ -z "$saved" ] || {
		cat "$saved" >"$settings"
		rm -f "$saved"
	}
}

if ! command -v dpkg-query >/dev/null 2>&1; then
	say "this is not a Debian; going on with what is installed (the list of what is needed: $list)"
	exit 0
fi
wanted=$(packages_of "$@")
missing=$(missing_of $wanted)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	say "these packages are missing, and only root can install them; as root, run
  apt-get update && apt-get install --no-install-recommends $missing"
	exit 1
fi

settings=/etc/postgresql-common/createcluster.conf
saved=''
log=$(mktemp)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
say "installing $missing"
apt update || say "apt-get update failed ($(tail -n 1 "$log")); going on with the lists that are there"
case " $missing " in *' postgresql '*) install_postgresql ;; esac
install_packages $missing
