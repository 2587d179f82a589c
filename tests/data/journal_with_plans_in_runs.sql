BEGIN TRANSACTION;
CREATE TABLE events (
	seq INTEGER NOT NULL, 
	run VARCHAR(40) NOT NULL, 
	at FLOAT NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	step INTEGER, 
	target TEXT, 
	data TEXT NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "events" VALUES(1,'20231114-221420-1e2c3f',1700000061.0,'begin',0,'@git','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(2,'20231114-221420-1e2c3f',1700000062.0,'outcome',0,'@git','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(3,'20231114-221420-1e2c3f',1700000063.0,'begin',1,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(4,'20231114-221420-1e2c3f',1700000064.0,'outcome',1,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(5,'20231114-221420-1e2c3f',1700000065.0,'begin',1,'lab02','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(6,'20231114-221420-1e2c3f',1700000066.0,'outcome',1,'lab02','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(7,'20231114-221420-1e2c3f',1700000067.0,'begin',2,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(8,'20231114-221420-1e2c3f',1700000068.0,'outcome',2,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(9,'20231114-221420-1e2c3f',1700000069.0,'begin',2,'lab02','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(10,'20231114-221420-1e2c3f',1700000070.0,'outcome',2,'lab02','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(11,'20231114-221530-6b5b6c',1700000131.0,'begin',0,'@git','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(12,'20231114-221530-6b5b6c',1700000132.0,'outcome',0,'@git','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(13,'20231114-221530-6b5b6c',1700000133.0,'begin',1,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(14,'20231114-221530-6b5b6c',1700000134.0,'outcome',1,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(15,'20231114-221530-6b5b6c',1700000135.0,'begin',1,'lab02','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(16,'20231114-221530-6b5b6c',1700000136.0,'outcome',1,'lab02','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(17,'20231114-221530-6b5b6c',1700000137.0,'begin',2,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(18,'20231114-221530-6b5b6c',1700000138.0,'outcome',2,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(19,'20231114-221530-6b5b6c',1700000139.0,'begin',2,'lab02','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(20,'20231114-221530-6b5b6c',1700000140.0,'outcome',2,'lab02','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(21,'20231114-221640-18ee99',1700000201.0,'begin',0,'@git','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(22,'20231114-221640-18ee99',1700000202.0,'outcome',0,'@git','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(23,'20231114-221640-18ee99',1700000203.0,'begin',1,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(24,'20231114-221640-18ee99',1700000204.0,'outcome',1,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(25,'20231114-221640-18ee99',1700000205.0,'begin',1,'lab02','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(26,'20231114-221640-18ee99',1700000206.0,'outcome',1,'lab02','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(27,'20231114-221640-18ee99',1700000207.0,'begin',2,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(28,'20231114-221640-18ee99',1700000208.0,'outcome',2,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(29,'20231114-221640-18ee99',1700000209.0,'begin',2,'lab02','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(30,'20231114-221640-18ee99',1700000210.0,'outcome',2,'lab02','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(31,'20231114-221750-a41032',1700000271.0,'begin',0,'@git','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(32,'20231114-221750-a41032',1700000272.0,'outcome',0,'@git','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(33,'20231114-221750-a41032',1700000273.0,'begin',1,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(34,'20231114-221750-a41032',1700000274.0,'outcome',1,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(35,'20231114-221750-a41032',1700000275.0,'begin',1,'lab02','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(36,'20231114-221750-a41032',1700000276.0,'outcome',1,'lab02','{"result": "failed", "note": "exit status 8", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 8, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(37,'20231114-221856-b89436',1700000337.0,'begin',0,'@git','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(38,'20231114-221856-b89436',1700000338.0,'outcome',0,'@git','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(39,'20231114-221856-b89436',1700000339.0,'begin',1,'lab01','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(40,'20231114-221856-b89436',1700000340.0,'outcome',1,'lab01','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(41,'20231114-222000-8e8f31',1700000401.0,'begin',0,'@git','{"before": {"uid": 3000}}');
INSERT INTO "events" VALUES(42,'20231114-222000-8e8f31',1700000402.0,'outcome',0,'@git','{"result": "done", "note": "", "seconds": 1.0, "commands": [{"command": "userdel alice", "status": 0, "seconds": 0.5, "output": "x\n"}]}');
INSERT INTO "events" VALUES(43,'20231114-222000-8e8f31',1700000402.0,'begin',1,'lab01','{"before": {}}');
CREATE TABLE owners (
	subject VARCHAR(255) NOT NULL, 
	run VARCHAR(40) NOT NULL, 
	PRIMARY KEY (subject)
);
INSERT INTO "owners" VALUES('user:carol','20231114-221750-a41032');
INSERT INTO "owners" VALUES('user:erin','20231114-222000-8e8f31');
CREATE TABLE plans (
	id VARCHAR(64) NOT NULL, 
	record TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "plans" VALUES('029c084dddd2dae4a4d5882fd012148c4fe0534f46740a23db69821789d14d9f','{"id": "029c084dddd2dae4a4d5882fd012148c4fe0534f46740a23db69821789d14d9f", "procedure": "rename-user", "arguments": {"old": "frank", "new": "fred"}, "steps": [{"name": "Merge it", "kind": "system", "hosts": ["@git"], "findings": {"@git": {"status": "todo", "note": "", "preview": ["- old", "+ new"], "facts": {}}}}, {"name": "Delete the old account", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}, "lab02": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}}}, {"name": "Run puppet", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "later", "note": "", "preview": [], "facts": {}}, "lab02": {"status": "later", "note": "", "preview": [], "facts": {}}}}], "case": {"name": "frank"}, "notes": ["a note"], "details": [{"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}]}',1700000402.0);
CREATE TABLE runs (
	id VARCHAR(40) NOT NULL, 
	"plan" TEXT NOT NULL, 
	status VARCHAR(12) NOT NULL, 
	operator TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	finished FLOAT, 
	undoes VARCHAR(40), 
	epoch INTEGER NOT NULL, 
	driver TEXT NOT NULL, 
	heartbeat FLOAT NOT NULL, 
	options TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('20231114-221420-1e2c3f','{"id": "b55daa994fdac8918bf1f8daa0a272a5a39e6f7582e4714cc1afe8576a9036e6", "procedure": "rename-user", "arguments": {"old": "alice", "new": "alice2", "task": "T1"}, "steps": [{"name": "Merge it", "kind": "system", "hosts": ["@git"], "findings": {"@git": {"status": "todo", "note": "", "preview": ["- old", "+ new"], "facts": {}}}}, {"name": "Delete the old account", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}, "lab02": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}}}, {"name": "Run puppet", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "later", "note": "", "preview": [], "facts": {}}, "lab02": {"status": "later", "note": "", "preview": [], "facts": {}}}}], "case": {"name": "alice"}, "notes": ["a note"], "details": [{"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}]}','done','marta',1700000060.0,1700000070.0,NULL,1,'{"machine": "another-machine boot pid:[1]", "machine_name": "mgmt2", "pid": 4711, "started": 99}',1700000070.0,'{"size": "10", "sleep_s": 0.0, "canary": 1, "max_failures": "0"}');
INSERT INTO "runs" VALUES('20231114-221530-6b5b6c','{"id": "0bc175f964a3f3d6deeb2a4e72b7a2dbe3507335dd91ce888ba080ea46598647", "procedure": "rename-user", "arguments": {"old": "bob", "new": "bob2", "task": "T1"}, "steps": [{"name": "Merge it", "kind": "system", "hosts": ["@git"], "findings": {"@git": {"status": "todo", "note": "", "preview": ["- old", "+ new"], "facts": {}}}}, {"name": "Delete the old account", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}, "lab02": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}}}, {"name": "Run puppet", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "later", "note": "", "preview": [], "facts": {}}, "lab02": {"status": "later", "note": "", "preview": [], "facts": {}}}}], "case": {"name": "bob"}, "notes": ["a note"], "details": [{"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}]}','undone','marta',1700000130.0,1700000140.0,NULL,2,'{"machine": "another-machine boot pid:[1]", "machine_name": "mgmt2", "pid": 4711, "started": 99}',1700000140.0,'{"size": "10", "sleep_s": 0.0, "canary": 1, "max_failures": "0"}');
INSERT INTO "runs" VALUES('20231114-221640-18ee99','{"id": "faa8a76bac7e89599c89800f11c11e0b672e9acedb1c6a89fa395fa85bb3e019", "procedure": "undo", "arguments": {"run": "20231114-221530-6b5b6c"}, "steps": [{"name": "Merge it", "kind": "system", "hosts": ["@git"], "findings": {"@git": {"status": "todo", "note": "", "preview": ["- old", "+ new"], "facts": {}}}}, {"name": "Delete the old account", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}, "lab02": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}}}, {"name": "Run puppet", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "later", "note": "", "preview": [], "facts": {}}, "lab02": {"status": "later", "note": "", "preview": [], "facts": {}}}}], "case": {"name": "x"}, "notes": ["a note"], "details": [{"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}]}','done','jo',1700000200.0,1700000210.0,'20231114-221530-6b5b6c',2,'{"machine": "another-machine boot pid:[1]", "machine_name": "mgmt2", "pid": 4711, "started": 99}',1700000210.0,'{"size": "10", "sleep_s": 0.0, "canary": 1, "max_failures": "0"}');
INSERT INTO "runs" VALUES('20231114-221750-a41032','{"id": "11e741d3e2289ec35de3e5d6d98c186aa24f63aee466b0d630bcc9d7e2ddd16c", "procedure": "rename-user", "arguments": {"old": "carol", "new": "carol2", "task": "T1"}, "steps": [{"name": "Merge it", "kind": "system", "hosts": ["@git"], "findings": {"@git": {"status": "todo", "note": "", "preview": ["- old", "+ new"], "facts": {}}}}, {"name": "Delete the old account", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}, "lab02": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}}}, {"name": "Run puppet", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "later", "note": "", "preview": [], "facts": {}}, "lab02": {"status": "later", "note": "", "preview": [], "facts": {}}}}], "case": {"name": "carol"}, "notes": ["a note"], "details": [{"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}]}','incomplete','marta',1700000270.0,NULL,NULL,1,'{"machine": "another-machine boot pid:[1]", "machine_name": "mgmt2", "pid": 4711, "started": 99}',1700000276.0,'{"size": "10", "sleep_s": 0.0, "canary": 1, "max_failures": "0"}');
INSERT INTO "runs" VALUES('20231114-221856-b89436','{"id": "0421f96dd9453132d35793e0019b638b9e345d388aa521fa8ab12758ef844ee5", "procedure": "rename-user", "arguments": {"old": "dave", "new": "dave2", "task": "T1"}, "steps": [{"name": "Merge it", "kind": "system", "hosts": ["@git"], "findings": {"@git": {"status": "todo", "note": "", "preview": ["- old", "+ new"], "facts": {}}}}, {"name": "Delete the old account", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}, "lab02": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}}}, {"name": "Run puppet", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "later", "note": "", "preview": [], "facts": {}}, "lab02": {"status": "later", "note": "", "preview": [], "facts": {}}}}], "case": {"name": "dave"}, "notes": ["a note"], "details": [{"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}]}','abandoned','marta',1700000336.0,1700000340.0,NULL,2,'{"machine": "another-machine boot pid:[1]", "machine_name": "mgmt2", "pid": 4711, "started": 99}',1700000340.0,'{"size": "10", "sleep_s": 0.0, "canary": 1, "max_failures": "0"}');
INSERT INTO "runs" VALUES('20231114-222000-8e8f31','{"id": "c8f680c0fe671657ead162f10abb2d9057530f859bbd5ee95ffb08a97988be17", "procedure": "rename-user", "arguments": {"old": "erin", "new": "erin2", "task": "T1"}, "steps": [{"name": "Merge it", "kind": "system", "hosts": ["@git"], "findings": {"@git": {"status": "todo", "note": "", "preview": ["- old", "+ new"], "facts": {}}}}, {"name": "Delete the old account", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}, "lab02": {"status": "todo", "note": "", "preview": ["$ userdel alice"], "facts": {"uid": 3000}}}}, {"name": "Run puppet", "kind": "hosts", "hosts": ["lab01", "lab02"], "findings": {"lab01": {"status": "later", "note": "", "preview": [], "facts": {}}, "lab02": {"status": "later", "note": "", "preview": [], "facts": {}}}}], "case": {"name": "erin"}, "notes": ["a note"], "details": [{"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}, {"must_all": false, "no_inverse": ""}]}','running','marta',1700000400.0,NULL,NULL,1,'{"machine": "another-machine boot pid:[1]", "machine_name": "mgmt2", "pid": 4711, "started": 99}',1700000402.0,'{"size": "10", "sleep_s": 0.0, "canary": 1, "max_failures": "0"}');
CREATE INDEX ix_events_run ON events (run);
COMMIT;
