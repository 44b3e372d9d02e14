package config

import (
	"strings"
	"time"
)

// Config is one deployment's settings. Each field's tags are its name (flag
// --a-b, environment LISHI_A_B, file key a_b), its default and its meaning, and
// the parts of the program it belongs to: commands that run only some of them
// have only their settings. What has no part is the server's alone.
type Config struct {
	Listen         string `name:"listen" part:"address" default:"127.0.0.1:8080" help:"address of the page, the sockets and the HTTP urls"`
	TLSCert        string `name:"tls-cert" part:"engine,console" default:"" help:"PEM file of the certificate, and of its issuers behind it, that the addresses are served with; read again when it changes; empty: no TLS"`
	TLSKey         string `name:"tls-key" part:"engine" default:"" help:"PEM file of the certificate's key"`
	Console        string `name:"console" part:"console" default:"127.0.0.1:8081" help:"address of the console, for admins, auditors and analysts alone; off: none. Commands that speak to a running lishi look for it there, or at a url"`
	TrustedProxies string `name:"trusted-proxies" default:"" help:"addresses and networks (10.0.0.0/8), joined by commas, whose X-Forwarded-For and X-Forwarded-Proto are believed"`

	SQL         string        `name:"sql" part:"sql" default:"127.0.0.1:8123" help:"address of the read-only SQL endpoint, which speaks ClickHouse's HTTP interface; off: none. lishi query looks for it there, or at a url"`
	SQLPassword string        `name:"sql-password" default:"" help:"password of the user lishi of the SQL endpoint, an analyst; empty: only tokens are passwords" secret:"true"`
	SQLServer   string        `name:"sql-clickhouse" default:"" help:"http or https DSN by which people's SQL reaches a ClickHouse server, with a user of its own for it; empty: the setting clickhouse" secret:"true"`
	SQLTime     time.Duration `name:"sql-time" part:"sql" default:"1m" help:"how long a statement of the SQL endpoint may take"`
	SQLRows     int64         `name:"sql-rows" part:"sql" default:"0" help:"rows that an answer of the SQL endpoint may have; 0: any number"`
	SQLMemory   int64         `name:"sql-memory" part:"sql" default:"268435456" help:"bytes that a statement of the SQL endpoint may use in ClickHouse"`
	SQLAtOnce   int           `name:"sql-at-once" default:"4" help:"statements of the SQL endpoint under way at a time; others wait"`

	Data string `name:"data" part:"log,models,tokens,engine,audit" default:"./data" help:"data directory: key, embedded log and embedded ClickHouse"`
	Demo bool   `name:"demo" default:"false" help:"make five demo people and let anybody be one of them; never on a public address"`

	KafkaBrokers      string `name:"kafka-brokers" part:"log,audit" default:"" help:"Kafka bootstrap addresses host:port,…; empty: the embedded broker"`
	KafkaTLS          bool   `name:"kafka-tls" part:"log,audit" default:"false" help:"speak TLS with Kafka"`
	KafkaTLSCA        string `name:"kafka-tls-ca" part:"log,audit" default:"" help:"PEM file of the issuers of the brokers' certificates, read again when it changes; empty: the system's"`
	KafkaTLSCert      string `name:"kafka-tls-cert" part:"log,audit" default:"" help:"PEM file of the client's own certificate, where brokers ask for one; read again when it changes"`
	KafkaTLSKey       string `name:"kafka-tls-key" part:"log,audit" default:"" help:"PEM file of that certificate's key"`
	KafkaTLSName      string `name:"kafka-tls-name" part:"log,audit" default:"" help:"name that the brokers' certificates must have; empty: each broker's host"`
	KafkaSASL         string `name:"kafka-sasl" part:"log,audit" default:"" help:"how Kafka is told user and password: plain or scram-sha-512; empty: not at all"`
	KafkaUser         string `name:"kafka-user" part:"log,audit" default:"" help:"user for Kafka"`
	KafkaPassword     string `name:"kafka-password" part:"log,audit" default:"" help:"the user's password" secret:"true"`
	KafkaPasswordFile string `name:"kafka-password-file" part:"log,audit" default:"" help:"file that holds the password instead; read at each new connection"`

	ClickHouse     string `name:"clickhouse" part:"models" default:"" help:"ClickHouse DSN (clickhouse://user:password@host:9000/database or https://…; ?secure=true: TLS); empty: the embedded engine" secret:"true"`
	ClickHouseCA   string `name:"clickhouse-tls-ca" part:"models" default:"" help:"PEM file of the issuers of ClickHouse's certificate, read again when it changes; empty: the system's"`
	ClickHouseCert string `name:"clickhouse-tls-cert" part:"models" default:"" help:"PEM file of the client's own certificate, where ClickHouse asks for one; read again when it changes"`
	ClickHouseKey  string `name:"clickhouse-tls-key" part:"models" default:"" help:"PEM file of that certificate's key"`
	CHDB           string `name:"chdb" part:"models,engine" default:"" help:"path of an own copy of libchdb for the embedded ClickHouse"`
	TopicPrefix    string `name:"topic-prefix" part:"log" default:"" help:"put before the topics' names, so that several deployments share one Kafka"`

	ConversationPartitions int `name:"conversation-partitions" part:"log" default:"0" help:"partitions of lishi.conversations, fixed at creation; 0: 4 embedded, 16 on Kafka"`
	UserPartitions         int `name:"user-partitions" part:"log" default:"0" help:"partitions of lishi.users, fixed at creation; 0: 1 embedded, 4 on Kafka"`
	Replicas               int `name:"replicas" part:"log" default:"0" help:"replication factor of new topics; 0: 1 embedded, 3 on Kafka"`

	TokenKey      string `name:"token-key" part:"tokens" default:"" help:"HS256 secret of the tokens, at least 32 bytes; empty: made once and kept in the data directory, unless token-jwks is given (with Kafka one of the two must be)" secret:"true"`
	TokenJWKS     string `name:"token-jwks" part:"tokens" default:"" help:"path or https url of a JWKS, whose keys check RS256, ES256, EdDSA and HS256 tokens; read again when it changes"`
	TokenIssuer   string `name:"token-issuer" part:"tokens" default:"" help:"what every token's iss must be; empty: anything"`
	TokenAudience string `name:"token-audience" part:"tokens" default:"" help:"what every token's aud must be or hold; empty: anything"`

	AuditKey      string        `name:"audit-key" part:"audit" default:"" help:"Ed25519 seed that signs checkpoints of the log, 32 bytes in URL-safe base64 without padding; empty: made once and kept in the data directory (with Kafka it must be given)" secret:"true"`
	AuditTrust    string        `name:"audit-trust" part:"audit" default:"" help:"public keys, joined by commas, that signed checkpoints before and are trusted beside audit-key's"`
	Seal          bool          `name:"seal" default:"true" help:"sign checkpoints of the log while it grows (docs/audit.md)"`
	SealInterval  time.Duration `name:"seal-interval" default:"5s" help:"new records of a partition wait no longer than this for a checkpoint"`
	SealEvents    int           `name:"seal-events" default:"10000" help:"so many new records of a partition get a checkpoint at once"`
	SealWitnesses string        `name:"seal-witnesses" default:"" help:"urls, joined by commas, that checkpoints are sent to (POST URL/add-checkpoint, C2SP tlog-witness)"`

	Origins  string        `name:"origins" default:"" help:"exact origins (https://chat.example.com), joined by commas, whose pages may use the sockets and the HTTP urls of this host"`
	Rate     int           `name:"rate" default:"50" help:"requests a second one user may make; 0: no limit"`
	Burst    int           `name:"burst" default:"200" help:"requests one user may make at once"`
	Deadline time.Duration `name:"deadline" default:"10s" help:"how long a command waits for the log before it answers unknown"`

	Zone  string `name:"zone" part:"zone" default:"Asia/Shanghai" help:"time zone of the dates in results and pushes"`
	Dates string `name:"dates" default:"seed" help:"how dates are written: seed (yyyy-MM-dd HH:mm:ss), millis (Unix milliseconds) or rfc3339"`

	MaxMessage      int           `name:"max-message" default:"65536" help:"bytes of one WebSocket message or HTTP body"`
	MaxConnections  int           `name:"max-connections" default:"0" help:"connections that the chat's address serves at once; 0: as many as the limit of descriptors leaves"`
	PerAddress      int           `name:"max-connections-per-address" default:"0" help:"sockets of one client's address at once (of IPv6 a /64); 0: any number"`
	MaxContent      int           `name:"max-content" default:"16384" help:"bytes of a message's content"`
	Ping            time.Duration `name:"ping" default:"25s" help:"how often a silent connection is pinged; twice unanswered closes it"`
	SendQueue       int           `name:"send-queue" default:"1048576" help:"bytes that may wait for one connection before it is closed as too slow (4008)"`
	Strangers       bool          `name:"strangers" default:"false" help:"people may write to one another without friendship"`
	ApplyExpiry     time.Duration `name:"apply-expiry" default:"168h" help:"how long an application or invitation can be verified"`
	RecallWindow    time.Duration `name:"recall-window" default:"2m" help:"how long a sender can recall a message; a group's owner and admins always can"`
	EngineMemory    int64         `name:"engine-memory" part:"models,engine" default:"1073741824" help:"bytes the embedded ClickHouse may use"`
	EngineUser      string        `name:"engine-user" part:"engine" default:"lishi" help:"user of lishi engine"`
	EnginePassword  string        `name:"engine-password" part:"engine" default:"" help:"password of lishi engine; without one it serves loopback addresses only, to everybody there" secret:"true"`
	EngineDatabases string        `name:"engine-databases" part:"engine" default:"lishi" help:"databases of the deployments that use lishi engine, joined by commas, so that each has roles for SQL"`
	ShutdownGrace   time.Duration `name:"shutdown-grace" default:"10s" help:"how long what is under way may take after SIGTERM"`

	DebugListen string `name:"debug-listen" default:"" help:"loopback address for Go's profiles (/debug/pprof/); empty: none"`
	LogLevel    string `name:"log-level" default:"info" help:"debug, info, warn or error"`
	LogFormat   string `name:"log-format" part:"log,models" default:"auto" help:"text, json, or auto: text on a terminal, json elsewhere"`
}

// A Part is what a setting belongs to.
type Part string

// The parts that commands other than the server run.
const (
	Address Part = "address" // where it is served
	Log     Part = "log"
	Models  Part = "models" // the read models' ClickHouse
	Engine  Part = "engine" // the embedded one alone
	Tokens  Part = "tokens"
	Audit   Part = "audit"   // the key of checkpoints
	Console Part = "console" // where it is
	SQL     Part = "sql"     // where it is, and its limits
	Zone    Part = "zone"
)

func partsOf(list string) (parts []Part) {
	for p := range strings.SplitSeq(list, ",") {
		parts = append(parts, Part(p))
	}
	return parts
}
