// Package config is everything a deployment can set: defaults, then a YAML file,
// then the environment, then flags. Every value knows where it came from.
package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"lishi/infra/tokens"
	"lishi/ws/wire"
)

// Setting is one value with its origin, for `lishi config`.
type Setting struct {
	Name    string `json:"name"`
	Env     string `json:"env"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Origin  string `json:"origin"` // default, file, environment or flag
	Help    string `json:"help"`
	parts   []Part
	secret  bool
	field   int
}

// Of tells whether the setting belongs to one of the parts.
func (s Setting) Of(parts ...Part) bool {
	return slices.ContainsFunc(parts, func(p Part) bool { return slices.Contains(s.parts, p) })
}

// Error is a setting that can't be used; the program ends with exit status 2.
type Error struct{ Setting, Origin, Problem string }

func (e *Error) Error() string {
	return fmt.Sprintf("setting %s (from %s): %s", e.Setting, e.Origin, e.Problem)
}

// Without takes away the problems with settings that are of no account, if err
// is Load's.
func Without(err error, ofNoAccount func(Setting) bool) error {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	none := map[string]bool{}
	for _, s := range Settings() {
		none[s.Name] = ofNoAccount(s)
	}
	var rest []error
	for _, e := range many.Unwrap() {
		if c, ok := e.(*Error); !ok || !none[c.Setting] {
			rest = append(rest, e)
		}
	}
	return errors.Join(rest...)
}

// Settings lists all settings with their defaults, in the order of Config. A
// secret can be given by a file too, as NAME-file.
func Settings() []Setting {
	t := reflect.TypeFor[Config]()
	var all []Setting
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("name")
		all = append(all, Setting{
			Name: name, Env: "LISHI_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
			Value: tag.Get("default"), Default: tag.Get("default"), Origin: "default", Help: tag.Get("help"),
			parts: partsOf(tag.Get("part")), secret: tag.Get("secret") == "true", field: i,
		})
		if last := all[len(all)-1]; last.secret && !has(t, name+secretFile) {
			all = append(all, Setting{
				Name: name + secretFile, Env: last.Env + "_FILE", Origin: "default", parts: last.parts, field: -1,
				Help: "file that holds " + name + " instead, read at the start",
			})
		}
	}
	return all
}

const secretFile = "-file"

func has(t reflect.Type, name string) bool {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("name") == name {
			return true
		}
	}
	return false
}

// readSecrets takes the secrets that are given by a file.
func readSecrets(settings []Setting, byName map[string]*Setting) (problems []error) {
	for _, s := range settings {
		if s.field >= 0 || s.Value == "" {
			continue
		}
		secret := byName[strings.TrimSuffix(s.Name, secretFile)]
		raw, err := os.ReadFile(s.Value)
		text := strings.TrimRight(string(raw), "\r\n")
		switch {
		case secret.Value != "":
			problems = append(problems, &Error{s.Name, s.Origin, secret.Name + " is given too (from " + secret.Origin + ")"})
		case err != nil:
			problems = append(problems, &Error{s.Name, s.Origin, err.Error()})
		case text == "":
			problems = append(problems, &Error{s.Name, s.Origin, s.Value + " is empty"})
		default:
			secret.Value, secret.Origin = text, s.Name
		}
	}
	return problems
}

// Load merges defaults, the file (none if file is empty), the environment and
// the flags that were given, by setting name. Unknown file keys and unknown
// LISHI_ variables are errors, so that a slip of the pen is found.
func Load(file string, environ []string, flags map[string]string) (Config, []Setting, error) {
	settings := Settings()
	var problems []error
	byName, byEnv := map[string]*Setting{}, map[string]*Setting{}
	for i := range settings {
		byName[settings[i].Name] = &settings[i]
		byEnv[settings[i].Env] = &settings[i]
	}
	if file != "" {
		values, err := readFile(file)
		if err != nil {
			return Config{}, nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			s := byName[strings.ReplaceAll(key, "_", "-")]
			if s == nil {
				problems = append(problems, &Error{key, file, "no such setting; `lishi config` lists them"})
				continue
			}
			s.Value, s.Origin = values[key], "file"
		}
	}
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(key, "LISHI_") || key == "LISHI_CONFIG" {
			continue
		}
		if s := byEnv[key]; s != nil {
			s.Value, s.Origin = value, "environment"
		} else if !scriptVariables[key] {
			problems = append(problems, &Error{key, "environment", "no such setting; `lishi config` lists them"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if s := byName[name]; s != nil {
			s.Value, s.Origin = flags[name], "flag"
		}
	}
	problems = append(problems, readSecrets(settings, byName)...)
	var c Config
	v := reflect.ValueOf(&c).Elem()
	for i := range settings {
		if settings[i].field < 0 {
			continue
		}
		if err := set(v.Field(settings[i].field), settings[i].Value); err != nil {
			problems = append(problems, &Error{settings[i].Name, settings[i].Origin, err.Error()})
		}
	}
	problems = append(problems, c.check(byName)...)
	return c, settings, errors.Join(problems...)
}

// scriptVariables are LISHI_ variables that belong to scripts and tests around
// the program.
var scriptVariables = map[string]bool{"LISHI_BIN": true, "LISHI_SHARED": true, "LISHI_KAFKA_DIR": true, "LISHI_KAFKA_HEAP": true, "LISHI_KAFKA_LOG": true}

func readFile(file string) (map[string]string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(raw, &nodes); err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", file, err)
	}
	values := map[string]string{}
	for key, n := range nodes {
		if n.Kind != yaml.ScalarNode {
			return nil, &Error{key, file, "must be a single value"}
		}
		values[key] = n.Value
	}
	return values, nil
}

func set(v reflect.Value, s string) error {
	switch v.Interface().(type) {
	case string:
		v.SetString(s)
	case bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is not true or false", s)
		}
		v.SetBool(b)
	case int, int64:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a whole number of 0 or more", s)
		}
		v.SetInt(n)
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a duration above 0 like 10s or 2m", s)
		}
		v.SetInt(int64(d))
	default:
		return fmt.Errorf("unsupported type %s", v.Type())
	}
	return nil
}

func (c *Config) check(byName map[string]*Setting) (problems []error) {
	bad := func(name, format string, args ...any) {
		problems = append(problems, &Error{name, byName[name].Origin, fmt.Sprintf(format, args...)})
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		bad("zone", "%v", err)
	}
	if c.Dates != "seed" && c.Dates != "millis" && c.Dates != "rfc3339" {
		bad("dates", "%q is not seed, millis or rfc3339", c.Dates)
	}
	if c.TokenKey != "" && len(c.TokenKey) < 32 {
		bad("token-key", "has %d bytes, HS256 wants at least 32", len(c.TokenKey))
	}
	if c.TokenKey == "" && c.TokenJWKS == "" && c.KafkaBrokers != "" {
		bad("token-key", "it or token-jwks must be given with Kafka: every node needs the same keys")
	}
	for _, name := range []string{"kafka-tls-ca", "kafka-tls-cert", "kafka-tls-key", "kafka-tls-name"} {
		if byName[name].Value != "" && !c.KafkaTLS {
			bad(name, "is for TLS, and kafka-tls is false")
		}
	}
	if (c.KafkaTLSCert == "") != (c.KafkaTLSKey == "") {
		bad("kafka-tls-cert", "it and kafka-tls-key go together")
	}
	switch {
	case c.KafkaSASL == "":
		for _, name := range []string{"kafka-user", "kafka-password", "kafka-password-file"} {
			if byName[name].Value != "" {
				bad(name, "is for SASL, and kafka-sasl is empty: plain or scram-sha-512")
			}
		}
	case c.KafkaSASL != "plain" && c.KafkaSASL != "scram-sha-512":
		bad("kafka-sasl", "%q is not plain or scram-sha-512", c.KafkaSASL)
	case c.KafkaUser == "":
		bad("kafka-user", "must be given with kafka-sasl")
	case (c.KafkaPassword == "") == (c.KafkaPasswordFile == ""):
		bad("kafka-password", "either it or kafka-password-file must be given with kafka-sasl")
	}
	if (c.KafkaTLS || c.KafkaSASL != "") && c.KafkaBrokers == "" {
		bad("kafka-brokers", "is empty, so the embedded broker is used, which has neither kafka-tls nor kafka-sasl")
	}
	if err := tokens.CheckJWKS(c.TokenJWKS); err != nil {
		bad("token-jwks", "%v", err)
	}
	if _, err := wire.ParseOrigins(c.Origins); err != nil {
		bad("origins", "%v", err)
	}
	if c.MaxConnections < 0 {
		bad("max-connections", "%d is less than 0", c.MaxConnections)
	}
	if c.PerAddress < 0 {
		bad("max-connections-per-address", "%d is less than 0", c.PerAddress)
	}
	const most = 900_000 // a record batch takes 1 000 000 bytes
	if c.MaxContent < 1 || c.MaxContent > most {
		bad("max-content", "%d is not from 1 to %d", c.MaxContent, most)
	} else {
		if c.MaxMessage <= c.MaxContent {
			bad("max-message", "%d leaves no room for content of %d bytes (max-content)", c.MaxMessage, c.MaxContent)
		}
		// A byte of content may take six in JSON (\u001f), and a push must fit.
		if least := 64<<10 + 6*c.MaxContent; c.SendQueue < least {
			bad("send-queue", "%d is less than %d, which one push may need", c.SendQueue, least)
		}
	}
	if (c.ClickHouseCert == "") != (c.ClickHouseKey == "") {
		bad("clickhouse-tls-cert", "it and clickhouse-tls-key go together")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		bad("tls-cert", "it and tls-key go together")
	}
	if err := checkConsole(c.Console); err != nil {
		bad("console", "%v", err)
	}
	for witness := range strings.SplitSeq(c.SealWitnesses, ",") {
		if u, err := url.Parse(witness); witness != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "") {
			bad("seal-witnesses", "%q is not an http or https url", witness)
		}
	}
	if _, err := ParseNetworks(c.TrustedProxies); err != nil {
		bad("trusted-proxies", "%v", err)
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		bad("log-level", "%q is not debug, info, warn or error", c.LogLevel)
	}
	switch c.LogFormat {
	case "auto", "text", "json":
	default:
		bad("log-format", "%q is not auto, text or json", c.LogFormat)
	}
	return problems
}

// checkConsole takes an address, a url for commands that ask, or off.
func checkConsole(where string) error {
	if where == "off" {
		return nil
	}
	if u, err := url.Parse(where); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("%q is not a url like https://chat.example.com:8081", where)
		}
		return nil
	}
	if _, port, err := net.SplitHostPort(where); err != nil || port == "" {
		return fmt.Errorf("%q is not an address like 127.0.0.1:8081, nor off", where)
	}
	return nil
}

// ParseNetworks reads addresses and networks joined by commas.
func ParseNetworks(list string) (networks []netip.Prefix, err error) {
	if list == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		n, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			n, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no network like 10.0.0.0/8", text)
		}
		networks = append(networks, n.Masked())
	}
	return networks, nil
}

// Shown is the value as it may be printed: secrets are not.
func (s Setting) Shown() string {
	if s.secret && s.Value != "" {
		return "(set)"
	}
	return s.Value
}
