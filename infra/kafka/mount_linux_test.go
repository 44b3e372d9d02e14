package kafka_test

import "golang.org/x/sys/unix"

// A file system of its own, of a size of its own, for who may mount one.

func mountMemory(dir, options string) error {
	return unix.Mount("tmpfs", dir, "tmpfs", 0, options+",mode=0700")
}

func remountMemory(dir, options string, readOnly bool) error {
	flags := uintptr(unix.MS_REMOUNT)
	if readOnly {
		flags |= unix.MS_RDONLY
	}
	return unix.Mount("tmpfs", dir, "tmpfs", flags, options)
}

func unmount(dir string) { unix.Unmount(dir, unix.MNT_DETACH) }
