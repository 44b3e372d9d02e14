package tokens

import "lishi/infra/secrets"

// File reads the HS256 secret kept in the data directory, or makes one.
func File(dir string) ([]byte, error) {
	secret, err := secrets.File(dir, "token.key")
	return []byte(secret), err
}
