#!/bin/bash
# What proofs cost: CPU of the program in runs that find nothing to do, over all systems, in pairs with and without proofs, each
# pair in the other order than the one before. CONTACTS (20000) and PAIRS (5) say how many; the median of the differences counts.
. "$(dirname "$0")/../e2e/lib/story.sh"

contacts=${CONTACTS:-20000} pairs=${PAIRS:-5}
export RUN_TIMEOUT=1200
fresh_folder cost
start_sandbox sandbox --contacts "$contacts" --twenty-rate off
start_postgres
set_up
full_sync --quiet
[ "$code" -eq 0 ] || { echo "the first load failed: $(head_of "$err")"; exit 1; }

# cpu VALUE: seconds of CPU of a run with SYNCRUN_PROOF=VALUE.
cpu() {
	SYNCRUN_PROOF=$1 "$python" - "$SYNCRUN" "$scripts/full_sync.lua" --quiet <<-'END'
		import resource, subprocess, sys
		code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode
		usage = resource.getrusage(resource.RUSAGE_CHILDREN)
		print("%.3f" % (usage.ru_utime + usage.ru_stime) if code == 0 else sys.exit("exit code %d" % code))
	END
}

for pair in $(seq "$pairs"); do
	if [ $((pair % 2)) = 0 ]; then
		with=$(cpu on) without=$(cpu off)
	else
		without=$(cpu off) with=$(cpu on)
	fi
	echo "$with $without"
done | "$python" -c '
import statistics, sys
contacts = int(sys.argv[1])
pairs = [tuple(map(float, line.split())) for line in sys.stdin]
each = sorted((a - b) / contacts * 1e6 for a, b in pairs)
print("%d contacts, %d pairs: %.2f s of CPU with proofs, %.2f s without (medians); %.2f us a contact (median of %s)" % (
    contacts, len(pairs), statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
    statistics.median(each), ", ".join("%.2f" % e for e in each)))' "$contacts"
