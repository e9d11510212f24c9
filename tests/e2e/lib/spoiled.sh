# A proxy with faults before the sandbox's Twenty, for stories. `direct` is Twenty's own address.
#
#   spoil FAULT [EVERY]   TWENTY_API_URL leads through the proxy (see fault_proxy.py)
#   unspoil               and to Twenty itself again

spoil() {
	local tries=0
	rm -f "$home/proxy"
	"$python" "$lib/fault_proxy.py" "$direct" "$1" "${2:-3}" >"$home/proxy" &
	proxy=$!
	pids+=("$proxy")
	while [ ! -s "$home/proxy" ]; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || break
		sleep 0.05
	done
	export TWENTY_API_URL=$(cat "$home/proxy")
}

unspoil() {
	kill "$proxy"
	wait "$proxy" 2>/dev/null
	TWENTY_API_URL=$direct
}
