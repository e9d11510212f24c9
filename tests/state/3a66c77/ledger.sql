PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (version INTEGER PRIMARY KEY, made_at TEXT NOT NULL);
INSERT INTO meta VALUES(1,'2026-11-25T14:32:30.014Z');
CREATE TABLE run (
	id INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL, finished_at TEXT, exit INTEGER, status TEXT NOT NULL,
	folder TEXT, report TEXT, options TEXT, settings TEXT, script_digest TEXT, mapping_digest TEXT, checks_digest TEXT,
	totals TEXT
);
INSERT INTO run VALUES(1,'2026-11-25T14:32:30.017Z','2026-11-25T14:32:30.274Z',0,'finished','state/runs/20261125T143230Z-28789',NULL,'{"quiet":true}','{"bigquery":{"emulator":"http://127.0.0.1:43809","project":"sandbox","table":"identity.contacts_master"},"checks":"contacts.checks","local_db":{"path":"local.db"},"mapping":"contacts.mapping","state":"state","supabase":false,"table":"contacts_master","twenty":{"url":"http://127.0.0.1:45931"}}','6d402142498feba6d0cf329ff724368e6cb601dd684b46c6c22250c2c85d040b','0d84b435c98c5602d6255b0ea0f19a6422155cbec7edef3a24c419deb6dc8bf0','210cd66b302cee9ed35f21cee444f6ba69486aee1bd4868ffd060d0b50e7a6f5','{"errors":0,"issues":0,"synced":30,"total":30,"validated":30}');
INSERT INTO run VALUES(2,'2026-11-25T14:32:30.484Z','2026-11-25T14:32:30.885Z',1,'finished','state/runs/20261125T143230Z-28832',NULL,'{"quiet":true,"skip_sync":true}','{"bigquery":{"emulator":"http://127.0.0.1:43809","project":"sandbox","table":"identity.contacts_master"},"checks":"contacts.checks","local_db":{"path":"local.db"},"mapping":"contacts.mapping","state":"state","supabase":false,"table":"contacts_master","twenty":{"url":"http://127.0.0.1:45931"}}','6d402142498feba6d0cf329ff724368e6cb601dd684b46c6c22250c2c85d040b','0d84b435c98c5602d6255b0ea0f19a6422155cbec7edef3a24c419deb6dc8bf0','210cd66b302cee9ed35f21cee444f6ba69486aee1bd4868ffd060d0b50e7a6f5','{"errors":0,"issues":1,"synced":"not run","total":30,"validated":29}');
CREATE TABLE attempt (
	id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, system TEXT NOT NULL, mode TEXT NOT NULL,
	contacts INTEGER NOT NULL, at TEXT NOT NULL, duration_ms INTEGER, status TEXT NOT NULL, reason TEXT, keys TEXT,
	request TEXT, response TEXT
);
INSERT INTO attempt VALUES(1,1,'twenty','read',30,'2026-11-25T14:32:30.083Z',96,'read',NULL,NULL,NULL,NULL);
INSERT INTO attempt VALUES(2,1,'sqlite','read',30,'2026-11-25T14:32:30.086Z',24,'read',NULL,NULL,NULL,NULL);
INSERT INTO attempt VALUES(3,1,'sqlite','create',30,'2026-11-25T14:32:30.091Z',14,'written',NULL,'["300004","300010","38f42093-7794-4e06-81c1-000000000005","9007199254740994","9007199254741001","9007199254741005","9007199254741010","9007199254741012","9007199254741015","9007199254741020","9007199254741022","969c58f6-6439-44a2-aa04-000000000014","ID_13.é6","ID_15.é1","ID_2.é2","ID_21.é0","ID_3.é3","c-000006","c-000007","c-000009","c-000016","c-000018","c-000023","c-000030","dc1e5a8a-f70b-49c9-8cb2-000000000019","people/c18","people/c1A","people/c1C","people/cB","people/cE"]',NULL,NULL);
INSERT INTO attempt VALUES(4,1,'twenty','create',30,'2026-11-25T14:32:30.113Z',65,'written',NULL,'["300004","300010","38f42093-7794-4e06-81c1-000000000005","9007199254740994","9007199254741001","9007199254741005","9007199254741010","9007199254741012","9007199254741015","9007199254741020","9007199254741022","969c58f6-6439-44a2-aa04-000000000014","ID_13.é6","ID_15.é1","ID_2.é2","ID_21.é0","ID_3.é3","c-000006","c-000007","c-000009","c-000016","c-000018","c-000023","c-000030","dc1e5a8a-f70b-49c9-8cb2-000000000019","people/c18","people/c1A","people/c1C","people/cB","people/cE"]',NULL,NULL);
INSERT INTO attempt VALUES(5,1,'twenty','read',30,'2026-11-25T14:32:30.180Z',45,'read',NULL,NULL,NULL,NULL);
INSERT INTO attempt VALUES(6,1,'sqlite','read',30,'2026-11-25T14:32:30.188Z',15,'read',NULL,NULL,NULL,NULL);
INSERT INTO attempt VALUES(7,2,'twenty','read',30,'2026-11-25T14:32:30.601Z',66,'read',NULL,NULL,NULL,NULL);
INSERT INTO attempt VALUES(8,2,'sqlite','read',30,'2026-11-25T14:32:30.608Z',8,'read',NULL,NULL,NULL,NULL);
INSERT INTO attempt VALUES(9,2,'sqlite','read',1,'2026-11-25T14:32:30.870Z',0,'read',NULL,NULL,NULL,NULL);
CREATE TABLE state (
	system TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, digest BLOB NOT NULL, attempt INTEGER, read INTEGER,
	PRIMARY KEY (system, key),
	CHECK (state NOT IN ('verified', 'missing', 'mismatched') OR read > coalesce(attempt, 0)),
	CHECK (state NOT IN ('planned', 'sent', 'unknown') OR attempt IS NOT NULL)
) WITHOUT ROWID;
INSERT INTO state VALUES('sqlite','300004','mismatched',X'be4274563a06de4688a3603cfb3d36b8',3,8);
INSERT INTO state VALUES('sqlite','300010','verified',X'76dddf6784642f5e4b024c01b19cbaeb',3,6);
INSERT INTO state VALUES('sqlite','38f42093-7794-4e06-81c1-000000000005','verified',X'7fd678c5ce292db7ce51b15834b1d8f2',3,6);
INSERT INTO state VALUES('sqlite','9007199254740994','verified',X'66f9ca08272fb55feb477f9f47f8a4a4',3,6);
INSERT INTO state VALUES('sqlite','9007199254741001','verified',X'33db6f296be80d08adac1be607a22a08',3,6);
INSERT INTO state VALUES('sqlite','9007199254741005','verified',X'27032ca332da52a8c8576ed5e69c4f49',3,6);
INSERT INTO state VALUES('sqlite','9007199254741010','verified',X'3722504d6eb9fbe160b94c52d759f1e3',3,6);
INSERT INTO state VALUES('sqlite','9007199254741012','verified',X'0d6009d3b93015289f8f70ddbea97c09',3,6);
INSERT INTO state VALUES('sqlite','9007199254741015','verified',X'6f6a73e71763b119f9a7b952ddf3e80f',3,6);
INSERT INTO state VALUES('sqlite','9007199254741020','verified',X'1146201d1b9a0d1952bc0b244472ad93',3,6);
INSERT INTO state VALUES('sqlite','9007199254741022','verified',X'43d14fcb2116e34c3621fa64c406fc5d',3,6);
INSERT INTO state VALUES('sqlite','969c58f6-6439-44a2-aa04-000000000014','verified',X'6758d8af4130c5da10d4ebe86e2c1068',3,6);
INSERT INTO state VALUES('sqlite','ID_13.é6','verified',X'a42b163517a2ec45709b0f550fdc3474',3,6);
INSERT INTO state VALUES('sqlite','ID_15.é1','verified',X'b69083de100ffe831cfb53570325ce33',3,6);
INSERT INTO state VALUES('sqlite','ID_2.é2','verified',X'8b72d51fa986213bd1b23f403df591c7',3,6);
INSERT INTO state VALUES('sqlite','ID_21.é0','verified',X'49fffb3c33bfde98df66f2fe15c0ec05',3,6);
INSERT INTO state VALUES('sqlite','ID_3.é3','verified',X'8550fcb33fc91dbdda92890a753a0d67',3,6);
INSERT INTO state VALUES('sqlite','c-000006','verified',X'366a2f835bb7c7849c4fc6297c551363',3,6);
INSERT INTO state VALUES('sqlite','c-000007','verified',X'8fd4250ec639bf1fd3d900b8aa5c5d75',3,6);
INSERT INTO state VALUES('sqlite','c-000009','verified',X'77e2eb3adc5483201cf1febc54942e2e',3,6);
INSERT INTO state VALUES('sqlite','c-000016','verified',X'bdcbed444ffcc30a00907a8c963966e3',3,6);
INSERT INTO state VALUES('sqlite','c-000018','verified',X'b4fca661a204823346e11f392f682849',3,6);
INSERT INTO state VALUES('sqlite','c-000023','verified',X'd7ab50a0b62d29b69c190b87b9c6e4dd',3,6);
INSERT INTO state VALUES('sqlite','c-000030','verified',X'd417b79091217014971da76834754a6e',3,6);
INSERT INTO state VALUES('sqlite','dc1e5a8a-f70b-49c9-8cb2-000000000019','verified',X'02d3de04f98d8ccd70f7cc7813279b2b',3,6);
INSERT INTO state VALUES('sqlite','people/c18','verified',X'3ed0dafff29e8e2aa84bf1c86620ef18',3,6);
INSERT INTO state VALUES('sqlite','people/c1A','verified',X'd1518736b8046208eee08d4ab63f0182',3,6);
INSERT INTO state VALUES('sqlite','people/c1C','verified',X'7f0c7a95b5d33e0c91aba44a0ed5c9a6',3,6);
INSERT INTO state VALUES('sqlite','people/cB','verified',X'28ab5c8178e8e8aff172adf40bd81422',3,6);
INSERT INTO state VALUES('sqlite','people/cE','verified',X'57c593c52db07638cd4046b0a6626d03',3,6);
INSERT INTO state VALUES('twenty','300004','verified',X'be4274563a06de4688a3603cfb3d36b8',4,5);
INSERT INTO state VALUES('twenty','300010','verified',X'76dddf6784642f5e4b024c01b19cbaeb',4,5);
INSERT INTO state VALUES('twenty','38f42093-7794-4e06-81c1-000000000005','verified',X'7fd678c5ce292db7ce51b15834b1d8f2',4,5);
INSERT INTO state VALUES('twenty','9007199254740994','verified',X'66f9ca08272fb55feb477f9f47f8a4a4',4,5);
INSERT INTO state VALUES('twenty','9007199254741001','verified',X'33db6f296be80d08adac1be607a22a08',4,5);
INSERT INTO state VALUES('twenty','9007199254741005','verified',X'27032ca332da52a8c8576ed5e69c4f49',4,5);
INSERT INTO state VALUES('twenty','9007199254741010','verified',X'3722504d6eb9fbe160b94c52d759f1e3',4,5);
INSERT INTO state VALUES('twenty','9007199254741012','verified',X'0d6009d3b93015289f8f70ddbea97c09',4,5);
INSERT INTO state VALUES('twenty','9007199254741015','verified',X'6f6a73e71763b119f9a7b952ddf3e80f',4,5);
INSERT INTO state VALUES('twenty','9007199254741020','verified',X'1146201d1b9a0d1952bc0b244472ad93',4,5);
INSERT INTO state VALUES('twenty','9007199254741022','verified',X'43d14fcb2116e34c3621fa64c406fc5d',4,5);
INSERT INTO state VALUES('twenty','969c58f6-6439-44a2-aa04-000000000014','verified',X'6758d8af4130c5da10d4ebe86e2c1068',4,5);
INSERT INTO state VALUES('twenty','ID_13.é6','verified',X'a42b163517a2ec45709b0f550fdc3474',4,5);
INSERT INTO state VALUES('twenty','ID_15.é1','verified',X'b69083de100ffe831cfb53570325ce33',4,5);
INSERT INTO state VALUES('twenty','ID_2.é2','verified',X'8b72d51fa986213bd1b23f403df591c7',4,5);
INSERT INTO state VALUES('twenty','ID_21.é0','verified',X'49fffb3c33bfde98df66f2fe15c0ec05',4,5);
INSERT INTO state VALUES('twenty','ID_3.é3','verified',X'8550fcb33fc91dbdda92890a753a0d67',4,5);
INSERT INTO state VALUES('twenty','c-000006','verified',X'366a2f835bb7c7849c4fc6297c551363',4,5);
INSERT INTO state VALUES('twenty','c-000007','verified',X'8fd4250ec639bf1fd3d900b8aa5c5d75',4,5);
INSERT INTO state VALUES('twenty','c-000009','verified',X'77e2eb3adc5483201cf1febc54942e2e',4,5);
INSERT INTO state VALUES('twenty','c-000016','verified',X'bdcbed444ffcc30a00907a8c963966e3',4,5);
INSERT INTO state VALUES('twenty','c-000018','verified',X'b4fca661a204823346e11f392f682849',4,5);
INSERT INTO state VALUES('twenty','c-000023','verified',X'd7ab50a0b62d29b69c190b87b9c6e4dd',4,5);
INSERT INTO state VALUES('twenty','c-000030','verified',X'd417b79091217014971da76834754a6e',4,5);
INSERT INTO state VALUES('twenty','dc1e5a8a-f70b-49c9-8cb2-000000000019','verified',X'02d3de04f98d8ccd70f7cc7813279b2b',4,5);
INSERT INTO state VALUES('twenty','people/c18','verified',X'3ed0dafff29e8e2aa84bf1c86620ef18',4,5);
INSERT INTO state VALUES('twenty','people/c1A','verified',X'd1518736b8046208eee08d4ab63f0182',4,5);
INSERT INTO state VALUES('twenty','people/c1C','verified',X'7f0c7a95b5d33e0c91aba44a0ed5c9a6',4,5);
INSERT INTO state VALUES('twenty','people/cB','verified',X'28ab5c8178e8e8aff172adf40bd81422',4,5);
INSERT INTO state VALUES('twenty','people/cE','verified',X'57c593c52db07638cd4046b0a6626d03',4,5);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('run',2);
INSERT INTO sqlite_sequence VALUES('attempt',9);
CREATE INDEX attempt_of_run ON attempt (run);
CREATE TRIGGER state_begins AFTER INSERT ON state
WHEN NOT coalesce(new.read > 0 AND (new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected'), 0)
BEGIN SELECT raise(ABORT, 'a contact cannot begin in this state'); END;
CREATE TRIGGER state_moves BEFORE UPDATE ON state
WHEN NOT coalesce(
	new.read > coalesce(old.attempt, 0) AND (new.attempt IS old.attempt OR new.state = 'sent')
		AND CASE old.state WHEN 'mismatched' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' WHEN 'missing' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' WHEN 'planned' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' WHEN 'rejected' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' WHEN 'sent' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' WHEN 'unknown' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' WHEN 'verified' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' WHEN 'written' THEN new.state = 'sent' OR new.state = 'written' OR new.state = 'verified' OR new.state = 'missing' OR new.state = 'mismatched' OR new.state = 'rejected' END
	OR new.attempt = old.attempt AND new.read IS old.read AND CASE old.state WHEN 'sent' THEN new.state = 'written' OR new.state = 'rejected' OR new.state = 'unknown' OR new.state = 'planned' END
	OR new.attempt > old.attempt AND CASE old.state WHEN 'planned' THEN new.state = 'sent' END, 0)
BEGIN SELECT raise(ABORT, 'a contact cannot make this move'); END;
CREATE VIEW contact AS SELECT s.system, s.key, s.state, a.at AS sent_at, a.status AS answer, a.reason,
	r.at AS read_at, coalesce(max(a.run, r.run), a.run, r.run) AS run, lower(hex(s.digest)) AS digest
	FROM state s LEFT JOIN attempt a ON a.id = s.attempt LEFT JOIN attempt r ON r.id = s.read;
COMMIT;
