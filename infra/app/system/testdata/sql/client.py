"""clickhouse-connect against the SQL endpoint, as its users write it."""
import sys

import clickhouse_connect
import clickhouse_connect.common
import sqlalchemy
from clickhouse_connect.driver.exceptions import DatabaseError

host, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def connect(**more):
    return clickhouse_connect.get_client(host=host, port=port, username="any", password=token, **more)


for compress in (False, True, "gzip", "zstd", "lz4"):
    client = connect(compress=compress)
    result = client.query("SELECT sender, count() AS n, max(said) AS last FROM messages GROUP BY sender ORDER BY sender")
    assert result.column_names == ("sender", "n", "last"), result.column_names
    assert [row[:2] for row in result.result_rows] == [("alice", 2), ("bob", 1)], result.result_rows
    assert result.result_rows[0][2].year >= 2026
client = connect()
assert client.query("SELECT content FROM messages WHERE sender = {who:String} ORDER BY said", parameters={"who": "alice"}).result_columns[0] == ["你好", "it's 'quoted'\n"]
assert client.command("SELECT count() FROM users") == 2
with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(300000)") as blocks:
    assert sum(len(block) for block in blocks) == 300_000
table = client.query_arrow("SELECT number AS n FROM numbers(200000)")
assert table.num_rows == 200_000, table.num_rows
assert client.raw_query("SELECT number FROM numbers(3)", fmt="CSVWithNames") == b'"number"\n0\n1\n2\n'
# What is read-only the client does not even send, unless it is told to; the
# endpoint takes limits that are lower than its own.
clickhouse_connect.common.set_setting("invalid_setting_action", "send")
assert client.query("SELECT 1", settings={"max_execution_time": 5}).result_rows == [(1,)]
# How far a long statement is comes in the header while it runs; what the whole
# read is the summary's.
done = client.query("SELECT count() AS n FROM numbers(2000000) WHERE NOT ignore(sipHash64(number))", settings={"send_progress_in_http_headers": 1, "http_headers_progress_interval_ms": 50})
assert done.result_rows == [(2_000_000,)] and 0 < int(done.summary["read_rows"]) <= 2_000_000, done.summary
for statement in ("INSERT INTO users VALUES (1)", "DROP VIEW messages", "CREATE TABLE t (a Int8) ENGINE = Memory", "SET max_memory_usage = 0", "SELECT * FROM lishi.lishi_live"):
    try:
        client.command(statement)
    except DatabaseError:
        continue
    raise AssertionError(statement + " was taken")
# As Superset: SQLAlchemy's dialect of the same client.
engine = sqlalchemy.create_engine(f"clickhousedb://any:{token}@{host}:{port}/chat")
inspector = sqlalchemy.inspect(engine)
assert inspector.get_schema_names() == ["chat"], inspector.get_schema_names()
assert {"messages", "users"} <= set(inspector.get_table_names(schema="chat"))
assert {"said", "content"} <= {column["name"] for column in inspector.get_columns("messages", schema="chat")}
with engine.connect() as connection:
    messages = sqlalchemy.Table("messages", sqlalchemy.MetaData(), autoload_with=engine, schema="chat")
    counted = sqlalchemy.select(messages.c.sender, sqlalchemy.func.count()).group_by(messages.c.sender).order_by(messages.c.sender)
    assert connection.execute(counted).fetchall() == [("alice", 2), ("bob", 1)]
try:
    clickhouse_connect.get_client(host=host, port=port, username="any", password="wrong")
except DatabaseError as e:
    assert "516" in str(e), e
else:
    raise AssertionError("a wrong password was taken")
print("whole")
