import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** clickhouse-jdbc against the SQL endpoint, as tools of the JVM use it (Metabase, DBeaver): both of its generations. */
public class Client {
    interface Work {
        Object run() throws SQLException;
    }

    static void must(boolean holds, Object what) {
        if (!holds) throw new AssertionError(what);
    }

    /** What the work is refused with. */
    static String refused(Work work) {
        try {
            throw new AssertionError("it was taken, and gave " + work.run());
        } catch (SQLException e) {
            return e.toString();
        }
    }

    static List<List<String>> rows(ResultSet from) throws SQLException {
        try (ResultSet r = from) {
            List<List<String>> all = new ArrayList<>();
            while (r.next()) {
                List<String> row = new ArrayList<>();
                for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) row.add(r.getString(i));
                all.add(row);
            }
            return all;
        }
    }

    static List<String> column(ResultSet from, String name) throws SQLException {
        try (ResultSet r = from) {
            List<String> all = new ArrayList<>();
            while (r.next()) all.add(r.getString(name));
            return all;
        }
    }

    static Connection connect(String address, String more, String token) throws SQLException {
        Properties p = new Properties();
        p.put("user", "any");
        p.put("password", token);
        return DriverManager.getConnection("jdbc:clickhouse://" + address + "/chat?" + more, p);
    }

    public static void main(String[] args) throws Exception {
        String address = args[0], token = args[1];
        Class.forName("com.clickhouse.jdbc.Driver");
        for (String more : new String[] {"compress=true", "compress=false&session_id=one&client_name=Metabase", "clickhouse.jdbc.v1=true"}) {
            try (Connection c = connect(address, more, token)) {
                catalogue(c);
                statements(c);
            } catch (Throwable e) {
                throw new AssertionError(more, e);
            }
        }
        must(refused(() -> rows(connect(address, "", "wrong").createStatement().executeQuery("SELECT 1"))).contains("516"), "a wrong password was taken");
        System.out.println("whole");
        System.exit(0); // its pools go on otherwise
    }

    /** What tools list before anybody asks. */
    static void catalogue(Connection c) throws SQLException {
        must(c.isValid(10), "it is not valid");
        DatabaseMetaData m = c.getMetaData();
        must(m.getDatabaseProductName().equals("ClickHouse") && m.getDatabaseProductVersion().matches("\\d+\\..*"), m.getDatabaseProductVersion());
        must(column(m.getSchemas(), "TABLE_SCHEM").contains("chat") || column(m.getCatalogs(), "TABLE_CAT").contains("chat"), "databases"); // the older calls them catalogs
        List<String> tables = column(m.getTables(null, "chat", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME");
        must(tables.contains("messages") && tables.contains("users"), tables);
        must(column(m.getTables(null, null, null, null), "TABLE_NAME").containsAll(tables), "all tables");
        List<String> columns = column(m.getColumns(null, "chat", "messages", "%"), "COLUMN_NAME");
        must(columns.contains("said") && columns.contains("content"), columns);
        must(rows(m.getPrimaryKeys(null, "chat", "messages")).isEmpty() && rows(m.getImportedKeys(null, "chat", "messages")).isEmpty()
            && rows(m.getIndexInfo(null, "chat", "messages", false, false)).isEmpty(), "keys");
        must(rows(m.getTableTypes()).size() > 3 && rows(m.getTypeInfo()).size() > 20, "types");
        for (String sql : new String[] {"SHOW DATABASES", "SHOW TABLES", "SHOW TABLES FROM chat", "DESCRIBE TABLE messages", "DESC chat.users", "SHOW CREATE TABLE users",
            "SELECT version(), timezone(), currentUser(), currentDatabase()", "EXPLAIN SELECT 1"}) {
            must(!rows(c.createStatement().executeQuery(sql)).isEmpty(), sql);
        }
    }

    static void statements(Connection c) throws Exception {
        try (PreparedStatement s = c.prepareStatement("SELECT content, said, offset FROM messages WHERE sender = ? AND said > ? ORDER BY said")) {
            s.setString(1, "alice");
            s.setTimestamp(2, Timestamp.valueOf("2020-01-01 00:00:00"));
            try (ResultSet r = s.executeQuery()) {
                must(r.next() && r.getString(1).equals("你好") && r.getTimestamp(2).getTime() > 1_700_000_000_000L && r.getLong(3) > 0, "the first row");
                must(r.next() && r.getString(1).equals("it's 'quoted'\n") && !r.next(), "the second row");
            }
        }
        must(rows(c.createStatement().executeQuery("SELECT * FROM memberships")).size() == 1 && rows(c.createStatement().executeQuery("SELECT * FROM events")).size() > 5, "rows of views");
        must(rows(c.createStatement().executeQuery("SELECT * FROM messages WHERE sender = 'nobody'")).isEmpty(), "no rows");
        must(rows(c.createStatement().executeQuery("-- Metabase:: userID: 1\nSELECT `chat`.`messages`.`sender` AS `sender`, COUNT(*) AS `count` FROM `chat`.`messages` GROUP BY `chat`.`messages`.`sender` "
            + "ORDER BY `sender` ASC LIMIT 2000")).equals(List.of(List.of("alice", "2"), List.of("bob", "1"))), "a question of Metabase's");
        must(rows(c.createStatement().executeQuery("SELECT number, toString(number) FROM numbers(100000)")).size() == 100_000, "many rows");
        Statement few = c.createStatement();
        few.setMaxRows(10);
        must(rows(few.executeQuery("SELECT number FROM numbers(1000)")).size() == 10, "few rows");

        for (String sql : new String[] {"INSERT INTO users SELECT 'x'", "DROP VIEW users", "SET max_memory_usage = 0"}) {
            must(refused(() -> c.createStatement().executeUpdate(sql)).contains("497"), sql);
        }
        must(refused(() -> rows(c.createStatement().executeQuery("SELECT * FROM nowhere"))).contains("UNKNOWN_TABLE"), "an unknown table");
        // What is refused in the middle is no whole; with nothing before it, it is told.
        refused(() -> rows(c.createStatement().executeQuery("SELECT throwIf(number = 90000) FROM numbers(100000)")).size());
        must(refused(() -> rows(c.createStatement().executeQuery("SELECT throwIf(count() = 3000000, 'too many') FROM numbers(3000000)"))).contains("too many"), "the engine's words");

        Statement endless = c.createStatement();
        Thread canceller = new Thread(() -> {
            try {
                Thread.sleep(500);
                endless.cancel();
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        canceller.start();
        must(refused(() -> rows(endless.executeQuery("SELECT sum(sipHash64(number)) FROM numbers(96000000000)"))).contains("394"), "it was not cancelled");
        canceller.join();
    }
}
