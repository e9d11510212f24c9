-- The verbs that Postgres and SQLite share, by one script over both: same calls, same results.
local json = require "syncrun.json"
local postgres = require "syncrun.postgres"
local rows = require "syncrun.rows"
local sqlite = require "syncrun.sqlite"
local t = require "syncrun.test"

local URI = os.getenv "SYNCRUN_TEST_PG"

local OPEN = {
	postgres = function() return postgres.connect(URI or t.skip "SYNCRUN_TEST_PG is not set") end,
	sqlite = function() return sqlite.open(nil, { mode = "memory" }) end,
}

-- A parameter's mark.
local MARK = { postgres = "$%d", sqlite = "?%d" }

-- f(db, text) for each: text(sql) has the marks that it understands.
local function test(name, f)
	for kind, open in pairs(OPEN) do
		t.test(("sql verbs: %s (%s)"):format(name, kind), function()
			local db <close> = open()
			db:exec "CREATE TEMP TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ada'), (2, NULL)"
			f(db, function(sql) return (sql:gsub("?(%d)", function(n) return MARK[kind]:format(tonumber(n)) end)) end)
		end)
	end
end

test("query gives rows by number, and how many; NULL is absent", function(db, text)
	local list = db:query "SELECT id, name FROM people ORDER BY id"
	t.eq({ list.n, #list, list[1], list[2], list[3] }, { 2, 2, { id = 1, name = "Ada" }, { id = 2 } })
	t.eq(db:query(text "SELECT id FROM people WHERE id > ?1", 7).n, 0)
	local none = text "SELECT coalesce(CAST(?1 AS text), 'none') AS a, coalesce(CAST(?2 AS text), 'none') AS b"
	t.eq(db:query(none, nil, json.null)[1], { a = "none", b = "none" })
end)

test("one gives the first row, or nil", function(db, text)
	t.eq(db:one "SELECT id, name FROM people ORDER BY id", { id = 1, name = "Ada" })
	t.eq(db:one(text "SELECT name FROM people WHERE id = ?1", 2), {})
	t.eq(db:one(text "SELECT name FROM people WHERE id = ?1", 3), nil)
end)

test("each gives one row after the other, and may be left", function(db)
	local ids = {}
	for row in db:each "SELECT id FROM people ORDER BY id" do ids[#ids + 1] = row.id end
	t.eq(ids, { 1, 2 })
	for row in db:each "SELECT id FROM people ORDER BY id" do
		if row.id == 1 then break end
	end
	t.eq(db:one("SELECT count(*) AS n FROM people"), { n = 2 })
end)

test("run gives the rows it changed", function(db, text)
	t.eq(db:run(text "INSERT INTO people VALUES (?1, ?2), (4, 'Eve')", 3, "Bob"), 2)
	t.eq(db:run(text "UPDATE people SET name = ?1", "x"), 4)
	t.eq(db:run "DELETE FROM people WHERE id > 9", 0)
	t.eq(db:run "CREATE TEMP TABLE other (x int)", 0)
	t.eq(db:run "SELECT id FROM people", 0)
	t.eq(db:run(text "DELETE FROM people WHERE id <= ?1", 3), 3)
end)

test("a transaction gives what its function returned, and is undone when that raises", function(db, text)
	local a, b = db:transaction(function(tx, id)
		tx:run(text "INSERT INTO people VALUES (?1, 'Bob')", id)
		pcall(tx.transaction, tx, function(inner)
			inner:run "DELETE FROM people"
			error "no"
		end)
		return tx:one("SELECT count(*) AS n FROM people").n, nil, "unused"
	end, 3)
	t.eq({ a, b }, { 3, nil })
	t.raises(function()
		db:transaction(function(tx)
			tx:run "DELETE FROM people"
			error "no"
		end)
	end, "no")
	t.eq(db:one("SELECT count(*) AS n FROM people").n, 3)
end)

test("scan_rows gives pages", function(db)
	local schema, seen = rows.schema { { "id", "int64" }, { "name", "text" } }, {}
	for page in db:scan_rows("SELECT id, name FROM people ORDER BY id", schema, 1) do
		seen[#seen + 1] = ("%d %s"):format(page[1].id, page:text(1, "name") or "-")
	end
	t.eq(seen, { "1 Ada", "2 -" })
end)

test("closing twice is legal", function(db)
	db:close()
	db:close()
	t.raises(function() db:one "SELECT 1" end)
end)
