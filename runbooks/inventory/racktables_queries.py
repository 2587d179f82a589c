"""Every query to RackTables' database, on one page for a reviewer: they only SELECT. Each ``%s`` is a list.

Numbers of object types and attributes are those that ``install.php`` and ``dictionary.php`` of RackTables give.
"""

from __future__ import annotations

SERIAL, MODEL, FQDN = 1, 2, 3

# Racks, rows and locations are objects, too.
OBJECTS = """
    SELECT id, name, asset_no FROM Object
    WHERE LOWER(SUBSTRING_INDEX(name, '.', 1)) IN %s AND objtype_id NOT IN (1560, 1561, 1562)"""

ATTRIBUTES = """
    SELECT V.object_id, V.attr_id, COALESCE(D.dict_value, V.string_value) FROM AttributeValue V
    LEFT JOIN Dictionary D ON V.attr_id = 2 AND D.dict_key = V.uint_value
    WHERE V.object_id IN %s AND V.attr_id IN (1, 2, 3)"""

RACKS = """
    SELECT S.object_id, R.name FROM RackSpace S JOIN Object R ON R.id = S.rack_id WHERE S.object_id IN %s
    UNION
    SELECT L.child_entity_id, R.name FROM EntityLink L JOIN Object R ON R.id = L.parent_entity_id
    WHERE L.parent_entity_type = 'rack' AND L.child_entity_type = 'object' AND L.child_entity_id IN %s"""

PARENTS = """
    SELECT child_entity_id, parent_entity_id FROM EntityLink
    WHERE parent_entity_type = 'object' AND child_entity_type = 'object' AND child_entity_id IN %s"""

# Objects of type 1787, management interface, on either side of a link.
MANAGERS = """
    SELECT L.child_entity_id, O.id FROM EntityLink L JOIN Object O ON O.id = L.parent_entity_id
    WHERE L.parent_entity_type = 'object' AND L.child_entity_type = 'object' AND O.objtype_id = 1787
    AND L.child_entity_id IN %s
    UNION
    SELECT L.parent_entity_id, O.id FROM EntityLink L JOIN Object O ON O.id = L.child_entity_id
    WHERE L.parent_entity_type = 'object' AND L.child_entity_type = 'object' AND O.objtype_id = 1787
    AND L.parent_entity_id IN %s"""

_TABLES = ("IPv4Allocation", "IPv6Allocation")
ADDRESSES = {name: f"SELECT object_id, ip, name FROM {name} WHERE object_id IN %s" for name in _TABLES}
OTHERS = {
    name: f"SELECT A.ip, O.id, O.name FROM {name} A JOIN Object O ON O.id = A.object_id WHERE A.ip IN %s"
    for name in _TABLES
}
OTHERS_NAMED = """
    SELECT V.string_value, O.id, O.name FROM AttributeValue V JOIN Object O ON O.id = V.object_id
    WHERE V.attr_id = 3 AND O.objtype_id = 1787 AND V.string_value IN %s"""

TAGS = "SELECT entity_id, tag_id FROM TagStorage WHERE entity_realm = 'object' AND entity_id IN %s"
TREE = "SELECT id, parent_id, tag FROM TagTree"
