"""python-oracledb (thin) against the lab's Data Connect: the statements of statements.json, one line each. Status 1 when one differs."""

import datetime
import decimal
import json
import os
import ssl
import sys

import oracledb

oracledb.defaults.fetch_lobs = False
decimal.getcontext().prec = 60


def connect(password=None):
    return oracledb.connect(
        user=os.environ["ISE_DC_USER"],
        password=password or os.environ["ISE_DC_PASS"],
        host="localhost",
        port=int(os.environ["ISE_DC_PORT"]),
        service_name=os.environ["ISE_DC_SERVICE"],
        protocol="tcps",
        ssl_context=ssl.create_default_context(cafile=os.environ["ISE_CA_CERT"]),
    )


def plain(value, zoned):
    """As statements.json has it. A zoned time is given in its own zone, without the zone."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return "hex:" + value.hex()
    if isinstance(value, datetime.datetime):
        text = value.isoformat(timespec="milliseconds")
        return "zoned" if zoned else text
    if isinstance(value, (int, float, decimal.Decimal)):
        return format(decimal.Decimal(str(value)).normalize(), "f")
    return value


def differs(cursor, statement):
    cursor.arraysize = statement.get("fetch", 100)
    try:
        cursor.execute(statement["sql"], statement.get("binds", []))
        fetched = cursor.fetchall() if cursor.description else []
    except Exception as error:  # what a driver raises is its own
        expected = statement.get("error", {}).get("python", "DPY-4024" if statement.get("cancelled") else None)
        return None if expected and expected in str(error) else str(error)
    if "python" in statement.get("error", {}):
        return "no error"
    zoned = statement.get("zoned", False)
    rows = [[plain(value, zoned) for value in row] for row in fetched]
    if "lengths" in statement:
        lengths = [[None if value is None else len(str(value)) if not isinstance(value, bytes) else len(value) for value in row] for row in fetched]
        return None if lengths == statement["lengths"] else str(lengths)
    if "count" in statement:
        if len(rows) != statement["count"]:
            return f"{len(rows)} rows"
        return None if "last" not in statement or rows[-1] == statement["last"] else str(rows[-1])
    expected = [["zoned" for _ in row] if zoned else row for row in statement["rows"]]
    return None if rows == expected else str(rows)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        statements = json.load(file)
    failed = 0
    connection = connect()
    print(f"python-oracledb {oracledb.__version__}, server {connection.version}")
    cursor = connection.cursor()
    for statement in statements:
        connection.call_timeout = 700 if statement.get("cancelled") else 0
        why = differs(cursor, statement)
        failed += why is not None
        print(("ok      " if why is None else "differs ") + statement["sql"][:100] + ("" if why is None else f": {why}"))
    connection.ping()
    connection.close()
    try:
        connect("Wrong-Password-1")
        why = "no error"
    except oracledb.DatabaseError as error:
        why = None if "ORA-01017" in str(error) else str(error)
    failed += why is not None
    print(("ok      " if why is None else "differs ") + "a wrong password" + ("" if why is None else f": {why}"))
    print(f"{len(statements) + 1} checks, {failed} differ")
    sys.exit(failed > 0)


main()
