//go:build !linux

package kafka_test

import "errors"

func mountMemory(string, string) error         { return errors.ErrUnsupported }
func remountMemory(string, string, bool) error { return errors.ErrUnsupported }
func unmount(string)                           {}
