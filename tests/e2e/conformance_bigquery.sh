#!/bin/bash
# Google's own Node client, @google-cloud/bigquery, against the sandbox: what it reads equals what syncrun reads. It is
# installed by npm into a temporary folder outside of the tree (or taken from NODE_BIGQUERY, a folder with node_modules);
# without node, npm or their registry the test says so and passes.
. "$(dirname "$0")/lib/story.sh"

client=${NODE_BIGQUERY:-$work/node}
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
	skip conformance_bigquery "there is no node or npm"
	finish
fi
if [ ! -d "$client/node_modules/@google-cloud/bigquery" ]; then
	mkdir -p "$client"
	if ! (cd "$client" && HOME=$work timeout 240 npm install --loglevel=error --no-audit --no-fund --no-save \
		--fetch-retries=1 --fetch-timeout=30000 --prefix "$client" @google-cloud/bigquery@8.3.1) >"$work/npm.log" 2>&1; then
		skip conformance_bigquery "npm cannot install @google-cloud/bigquery@8.3.1 ($(head -n 2 "$work/npm.log" | tr "\n" " "))"
		finish
	fi
fi

records "$work/contacts.ndjson" '[contact(i, updated_at="2026-01-02T03:04:05.%06dZ" % i, nickname=None if i % 3 else "ä\u2028\"%d" % i, is_me=i % 2 == 0,
	llm_context={"n": [i, None, {"deep": "x"}]}) for i in range(1, 251)]'
start_sandbox sandbox --load "$work/contacts.ndjson"
fresh_folder home

cat >"$work/lib.js" <<'JS'
const {BigQuery} = require(process.env.CLIENT + '/node_modules/@google-cloud/bigquery');
const bq = new BigQuery({projectId: 'sandbox', apiEndpoint: process.env.BIGQUERY_EMULATOR_HOST});
const table = bq.dataset('identity').table('contacts_master');
const text = v => v === null ? null : typeof v === 'object' && 'value' in v ? v.value : typeof v === 'object' ? JSON.stringify(v) : String(v);
const lines = rows => rows.map(r => JSON.stringify([r.contact_id, r.nickname, text(r.is_me), text(r.updated_at), text(r.llm_context)])).join('\n') + '\n';
module.exports = {bq, table, text, lines};
JS

cat >"$work/ours.lua" <<'LUA'
local bigquery = require "syncrun.systems.bigquery"
local json = require "syncrun.json"
local time = require "syncrun.time"
local config = { emulator = os.getenv "BIGQUERY_EMULATOR_HOST", project = "sandbox", page_rows = 40 }
for word in (arg[1] or ""):gmatch "%S+" do
	local k, v = word:match "^(.-)=(.*)$"
	config[k] = v
end
local columns = { "contact_id", "nickname", "is_me", "updated_at", "llm_context" }
local lines = {}
for page in bigquery.open(config):scan { columns = columns } do
	for i = 1, #page do
		local at = time.format(page:get(i, "updated_at"), 6)
		lines[#lines + 1] = json.encode(json.array { page:text(i, "contact_id"), page:text(i, "nickname") or json.null,
			page:text(i, "is_me"), at, page:text(i, "llm_context") })
	end
end
table.sort(lines)
print(table.concat(lines, "\n"))
LUA

# node NAME CODE: the code, async, with bq, table, text and lines; its output in $work/NAME
node_says() {
	printf 'const {bq, table, text, lines} = require("%s/lib.js");\n(async () => {%s})().catch(e => { console.error(e); process.exit(1); });\n' \
		"$work" "$2" >"$work/$1.js"
	CLIENT=$client timeout 60 node "$work/$1.js" >"$work/$1" 2>"$work/$1.err" || fail "node fails: $(head_of "$work/$1.err")"
}

expect_says() {
	node_says "$1" "$2"
	expect_eq "$(cat "$work/$1")" "$3" "$1"
}

# The Node client's JSON text and its time's digits are its own: both sides are compared as values.
same_rows() {
	"$python" - "$work/$1" "$work/$2" <<-'PY' || fail "$1 and $2 differ"
	import json, re, sys
	def rows(path):
	    out = []
	    for line in open(path, encoding="utf-8"):
	        if line.strip():
	            r = json.loads(line)
	            seconds, fraction = re.fullmatch(r"(.*?)(?:\.(\d+))?Z", r[3]).groups()
	            out.append((r[0], r[1], r[2], seconds, (fraction or "").rstrip("0"), json.loads(r[4])))
	    return sorted(out, key=lambda r: r[0])
	a, b = rows(sys.argv[1]), rows(sys.argv[2])
	assert len(a) == 250, len(a)
	assert a == b, next((x, y) for x, y in zip(a, b) if x != y)
	PY
}

reading() {
	curl -sf -X POST "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" -d '{"page_bytes": 20000}' >/dev/null # so that there are pages
	node_says query 'const [rows] = await bq.query("SELECT * FROM identity.contacts_master ORDER BY contact_id"); process.stdout.write(lines(rows));'
	node_says paged 'const [rows] = await bq.query({query: "SELECT * FROM identity.contacts_master", maxResults: 60, autoPaginate: true}); process.stdout.write(lines(rows));'
	node_says getrows 'const [rows] = await table.getRows(); process.stdout.write(lines(rows));'
	node_says job 'const [job] = await bq.createQueryJob("SELECT * FROM identity.contacts_master"); const [rows] = await job.getQueryResults(); process.stdout.write(lines(rows));'
	local mode
	for mode in "" parallel=1 read=table "read=table parallel=1"; do
		run "$work/ours.lua" "$mode"
		expect_exit 0
		cp "$out" "$work/ours"
		local theirs
		for theirs in query paged getrows job; do same_rows "$theirs" ours; done
	done
	curl -sf -X POST "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" -d '{"page_bytes": 10000000}' >/dev/null
}

parameters() {
	expect_says named 'const [rows] = await bq.query({
		query: "SELECT contact_id FROM identity.contacts_master WHERE contact_id IN UNNEST(@ids) AND updated_at >= @since AND is_me = @me ORDER BY contact_id",
		params: {ids: ["c0002", "c0003", "c0004", "none"], since: bq.timestamp("2026-01-02T03:04:05.000003Z"), me: true},
		types: {ids: ["STRING"], since: "TIMESTAMP", me: "BOOL"}, location: "US", labels: {a: "b"}});
		console.log(rows.map(r => r.contact_id).join());' c0004
}

auto_paging() {
	expect_says pages 'let n = 0, pages = 0, query = {maxResults: 100, autoPaginate: false};
		while (query) { const [rows, next] = await table.getRows(query); n += rows.length; pages++; query = next; }
		console.log(n, pages);' "250 3"
	expect_says range 'const [rows] = await table.getRows({startIndex: "200", maxResults: 20, autoPaginate: false, selectedFields: "contact_id"});
		console.log(rows.length, rows[0].contact_id, Object.keys(rows[0]).join());' "20 c0201 contact_id"
}

inserting() {
	expect_says insert 'await bq.createDataset("d2"); const [t] = await bq.dataset("d2").createTable("t", {schema: "id:STRING,ok:BOOL"});
		await t.insert([{id: "1", ok: true}, {id: "2"}]);
		let failed = "none"; try { await t.insert([{id: "3", ok: "maybe"}], {partialRetries: 0}); } catch (e) { failed = e.name; }
		const [rows] = await t.getRows(); console.log(failed, JSON.stringify(rows.map(r => [r.id, r.ok])));
		await t.delete();' 'PartialFailureError [["1",true],["2",null]]'
}

dry_run() {
	expect_says dry 'const [job] = await bq.createQueryJob({query: "SELECT contact_id FROM identity.contacts_master", dryRun: true});
		console.log(job.metadata.statistics.totalBytesProcessed > 0, job.metadata.jobReference.jobId === undefined);' "true true"
	echo 'local s = require "syncrun.systems.bigquery".open { emulator = os.getenv "BIGQUERY_EMULATOR_HOST", project = "sandbox" }
		print(s:estimate({ columns = { "contact_id" } }).bytes_processed)' >"$work/estimate.lua"
	run "$work/estimate.lua"
	node_says bytes 'const [job] = await bq.createQueryJob({query: "SELECT contact_id FROM identity.contacts_master", dryRun: true});
		console.log(job.metadata.statistics.totalBytesProcessed);'
	expect_eq "$(cat "$out")" "$(cat "$work/bytes")" "bytes of the dry run"
}

failing() {
	expect_says failing 'for (const q of ["SELECT nope FROM identity.contacts_master", "SELECT * FROM identity.nope", "SELEC 1"]) {
		try { await bq.query(q); console.log("no error"); } catch (e) { console.log(e.code, e.errors[0].reason); } }' \
		"400 invalidQuery
404 notFound
400 invalidQuery"
	curl -sf -X POST "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" -d '{"faults": [{"status": 503, "reason": "backendError"}]}' >/dev/null
	expect_says retried 'const [rows] = await bq.query("SELECT contact_id FROM identity.contacts_master LIMIT 2"); console.log(rows.length);' 2
	curl -sf -X POST "$BIGQUERY_EMULATOR_HOST/_sandbox/faults" -d '{"faults": [{"method": "POST", "path": "/queries", "incomplete": true},
		{"method": "GET", "path": "/queries/", "incomplete": true, "times": 2}]}' >/dev/null
	expect_says unfinished 'const [rows] = await bq.query("SELECT contact_id FROM identity.contacts_master LIMIT 3"); console.log(rows.length);' 3
}

story "query, pages, getRows and a job's results equal what syncrun reads, four ways" reading
story "named parameters" parameters
story "paging by hand and by startIndex" auto_paging
story "create, insert, a refused row, delete" inserting
story "dry run" dry_run
story "failing queries, a retry, a job that is not done" failing
finish
