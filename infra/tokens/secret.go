package tokens

import "lishi/infra/secrets"

// FileName is the file of the data directory that holds the HS256 secret.
const FileName = "token.key"

// File reads the HS256 secret kept in the data directory, or makes one.
func File(dir string) ([]byte, error) {
	secret, err := secrets.File(dir, FileName)
	return []byte(secret), err
}
