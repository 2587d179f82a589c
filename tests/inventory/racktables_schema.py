"""The tables of RackTables 0.20 to 0.22 that matter for hardware, and how a few racks and machines get into them.

Columns, types and keys are those of ``wwwroot/inc/install.php``; triggers, and tables that are not read, are left out.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

_ENTITY = "enum('location','object','rack','row') NOT NULL"
_REALM = "enum('file','ipv4net','ipv4rspool','ipv4vs','ipvs','ipv6net','location','object','rack','user','vst')"
_ALLOCATION = "enum('regular','shared','virtual','router','point2point') NOT NULL DEFAULT 'regular'"
_ID = "int(10) unsigned NOT NULL"
_TABLES = {
    "Object": f"""id {_ID} auto_increment PRIMARY KEY, name char(255), label char(255), objtype_id {_ID} DEFAULT 1,
        asset_no char(64), has_problems enum('yes','no') NOT NULL DEFAULT 'no', comment text,
        UNIQUE KEY asset_no (asset_no), KEY `id-tid` (id, objtype_id), KEY type_id (objtype_id, id)""",
    "Chapter": f"""id {_ID} auto_increment PRIMARY KEY, sticky enum('yes','no') DEFAULT 'no', name char(128) NOT NULL,
        UNIQUE KEY name (name)""",
    "Dictionary": f"""chapter_id {_ID}, dict_key {_ID} auto_increment PRIMARY KEY,
        dict_sticky enum('yes','no') DEFAULT 'no', dict_value char(255),
        UNIQUE KEY dict_unique (chapter_id, dict_value, dict_sticky),
        FOREIGN KEY (chapter_id) REFERENCES Chapter (id)""",
    "Attribute": f"""id {_ID} auto_increment PRIMARY KEY, type enum('string','uint','float','dict','date'),
        name char(64), UNIQUE KEY name (name)""",
    "AttributeMap": f"""objtype_id {_ID} DEFAULT 1, attr_id {_ID} DEFAULT 1, chapter_id int(10) unsigned,
        sticky enum('yes','no') DEFAULT 'no', UNIQUE KEY objtype_id (objtype_id, attr_id),
        FOREIGN KEY (chapter_id) REFERENCES Chapter (id), FOREIGN KEY (attr_id) REFERENCES Attribute (id)""",
    "AttributeValue": f"""object_id {_ID}, object_tid {_ID} DEFAULT 0, attr_id {_ID}, string_value char(255),
        uint_value int(10) unsigned, float_value float, PRIMARY KEY (object_id, attr_id),
        FOREIGN KEY (object_tid, attr_id) REFERENCES AttributeMap (objtype_id, attr_id),
        FOREIGN KEY (object_id, object_tid) REFERENCES Object (id, objtype_id) ON DELETE CASCADE ON UPDATE CASCADE""",
    "EntityLink": f"""id {_ID} AUTO_INCREMENT PRIMARY KEY, parent_entity_type {_ENTITY}, parent_entity_id {_ID},
        child_entity_type {_ENTITY}, child_entity_id {_ID}, UNIQUE KEY `EntityLink-unique`
        (parent_entity_type, parent_entity_id, child_entity_type, child_entity_id)""",
    "RackSpace": f"""rack_id {_ID} DEFAULT 0, unit_no {_ID} DEFAULT 0,
        atom enum('front','interior','rear') NOT NULL DEFAULT 'interior', state enum('A','U','T') NOT NULL DEFAULT 'A',
        object_id int(10) unsigned, PRIMARY KEY (rack_id, unit_no, atom), FOREIGN KEY (rack_id) REFERENCES Object (id),
        FOREIGN KEY (object_id) REFERENCES Object (id) ON DELETE CASCADE""",
    "IPv4Allocation": f"""object_id {_ID} DEFAULT 0, ip {_ID} DEFAULT 0, name char(255) NOT NULL DEFAULT '',
        type {_ALLOCATION}, PRIMARY KEY (object_id, ip), KEY ip (ip),
        FOREIGN KEY (object_id) REFERENCES Object (id) ON DELETE CASCADE""",
    "IPv6Allocation": f"""object_id {_ID} DEFAULT 0, ip binary(16) NOT NULL, name char(255) NOT NULL DEFAULT '',
        type {_ALLOCATION}, PRIMARY KEY (object_id, ip), KEY ip (ip),
        FOREIGN KEY (object_id) REFERENCES Object (id) ON DELETE CASCADE""",
    "TagTree": f"""id {_ID} auto_increment PRIMARY KEY, parent_id int(10) unsigned,
        is_assignable enum('yes','no') NOT NULL DEFAULT 'yes', tag char(255), UNIQUE KEY tag (tag),
        FOREIGN KEY (parent_id) REFERENCES TagTree (id)""",
    "TagStorage": f"""entity_realm {_REALM} NOT NULL DEFAULT 'object', entity_id {_ID}, tag_id {_ID} DEFAULT 0,
        tag_is_assignable enum('yes','no') NOT NULL DEFAULT 'yes', user char(64), date datetime,
        UNIQUE KEY entity_tag (entity_realm, entity_id, tag_id), FOREIGN KEY (tag_id) REFERENCES TagTree (id)""",
}
SCHEMA = (
    *(f"CREATE TABLE {name} ({columns}) ENGINE=InnoDB" for name, columns in _TABLES.items()),
    "INSERT INTO Chapter VALUES (1, 'yes', 'ObjectType'), (11, 'no', 'server models'), (31, 'no', 'chassis models')",
    "INSERT INTO Attribute VALUES (1, 'string', 'OEM S/N 1'), (2, 'dict', 'HW type'), (3, 'string', 'FQDN')",
    "INSERT INTO AttributeMap (objtype_id, attr_id, chapter_id) VALUES"
    " (4, 1, NULL), (4, 2, 11), (4, 3, NULL), (1502, 1, NULL), (1502, 2, 31), (1787, 3, NULL)",
)
SERVER, CHASSIS, RACK, MANAGEMENT = 4, 1502, 1560, 1787


@dataclass
class Filling:
    """What puts things into such a database, as the web pages would."""

    connection: Any
    database: str
    tags: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)

    def do(self, statement: str, *values: Any) -> int:
        """One statement; the number of a new row."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.lastrowid)

    def object(self, name: str | None, kind: int = SERVER, asset: str | None = None, **more: Any) -> int:
        """A machine, a rack …; ``serial``, ``model`` and ``fqdn`` are attributes, ``tags`` names."""
        number = self.do("INSERT INTO Object (name, objtype_id, asset_no) VALUES (%s, %s, %s)", name, kind, asset)
        add = "INSERT INTO AttributeValue (object_id, object_tid, attr_id, {}) VALUES (%s, %s, %s, %s)"
        for attribute, key in ((1, "serial"), (3, "fqdn")):
            if key in more:
                self.do(add.format("string_value"), number, kind, attribute, more[key])
        if "model" in more:
            chapter = 31 if kind == CHASSIS else 11
            if more["model"] not in self.models:
                word = "INSERT INTO Dictionary (chapter_id, dict_value) VALUES (%s, %s)"
                self.models[more["model"]] = self.do(word, chapter, more["model"])
            self.do(add.format("uint_value"), number, kind, 2, self.models[more["model"]])
        for tag in more.get("tags", ()):
            self.do("INSERT INTO TagStorage (entity_id, tag_id) VALUES (%s, %s)", number, self.tags[tag])
        return number

    def mount(self, rack: int, number: int, *units: int) -> None:
        """Front and interior of units of a rack."""
        for unit in units:
            for atom in ("front", "interior"):
                row = "INSERT INTO RackSpace (rack_id, unit_no, atom, state, object_id) VALUES (%s, %s, %s, 'T', %s)"
                self.do(row, rack, unit, atom, number)

    def link(self, parent: int, child: int, kind: str = "object") -> None:
        """An object as part of another, or in a rack without taking a unit (``rack``)."""
        row = "INSERT INTO EntityLink (parent_entity_type, parent_entity_id, child_entity_type, child_entity_id)"
        self.do(f"{row} VALUES (%s, %s, 'object', %s)", kind, parent, child)

    def address(self, number: int, text: str, interface: str, kind: str = "regular") -> None:
        """An address of an object's interface."""
        ip = ipaddress.ip_address(text)
        table, value = ("IPv4Allocation", int(ip)) if ip.version == 4 else ("IPv6Allocation", ip.packed)
        self.do(f"INSERT INTO {table} VALUES (%s, %s, %s, %s)", number, value, interface, kind)

    def tag(self, name: str, parent: str | None = None) -> None:
        """A tag, below another."""
        row = "INSERT INTO TagTree (parent_id, tag) VALUES (%s, %s)"
        self.tags[name] = self.do(row, self.tags[parent] if parent else None, name)
