package tokens

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// File reads the secret kept in the data directory, or makes one, mode 0600. Two
// processes that make it at once end with the same.
func File(dir string) ([]byte, error) {
	path := filepath.Join(dir, "token.key")
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := create(dir, path); err != nil {
			return nil, err
		}
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	return []byte(strings.TrimSpace(string(raw))), nil
}

func create(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("token key: %w", err)
	}
	var secret [32]byte
	rand.Read(secret[:])
	f, err := os.CreateTemp(dir, ".token.key-*") // 0600
	if err != nil {
		return fmt.Errorf("token key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(secret[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("token key: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("token key: %w", err)
	}
	return nil
}
