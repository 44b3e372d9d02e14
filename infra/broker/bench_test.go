package broker

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// rawBatch is a batch of nothing but zeros, checksum and all.
func rawBatch(base int64, records, size int) []byte {
	raw := make([]byte, batchHeader+size)
	be := binary.BigEndian
	be.PutUint64(raw, uint64(base))
	be.PutUint32(raw[8:], uint32(len(raw)-batchPrefix))
	raw[16] = 2
	be.PutUint32(raw[23:], uint32(records-1))
	be.PutUint64(raw[35:], uint64(time.Now().UnixMilli()))
	be.PutUint64(raw[43:], ^uint64(0))
	be.PutUint16(raw[51:], ^uint16(0))
	be.PutUint32(raw[53:], ^uint32(0))
	be.PutUint32(raw[57:], uint32(records))
	be.PutUint32(raw[17:], crc32.Checksum(raw[21:], castagnoli))
	return raw
}

// writeSegments makes a log of n batches of the given record sizes, without a
// broker: that would take a minute.
func writeSegments(b *testing.B, partitions, batches, records, size int) (dir string, bytes int64) {
	b.Helper()
	dir = b.TempDir()
	br := open(b, dir)
	createTopic(b, client(b, br), partitions)
	br.Close()
	raw := rawBatch(0, records, records*size)
	be := binary.BigEndian
	for p := range partitions {
		pdir := filepath.Join(dir, "kafka", "partitions", partitionName(topic, int32(p)))
		if err := os.MkdirAll(pdir, 0o700); err != nil {
			b.Fatal(err)
		}
		var segment []byte
		base := int64(0)
		flush := func(next int64) {
			if err := os.WriteFile(filepath.Join(pdir, fmt.Sprintf("%d.dat", base)), segment, 0o600); err != nil {
				b.Fatal(err)
			}
			bytes += int64(len(segment))
			segment, base = segment[:0], next
		}
		for i := range batches / partitions {
			offset := int64(i * records)
			be.PutUint64(raw, uint64(offset))
			if len(segment) > 64<<20 {
				flush(offset)
			}
			segment = append(segment, raw...)
		}
		flush(0)
	}
	return dir, bytes
}

// BenchmarkOpen: from nothing to a broker that answers.
func BenchmarkOpen(b *testing.B) {
	for _, bc := range []struct{ batches, records int }{{1_000_000, 1}, {1000, 1000}} {
		b.Run(fmt.Sprintf("%dx%d", bc.batches, bc.records), func(b *testing.B) {
			dir, bytes := writeSegments(b, 4, bc.batches, bc.records, 400)
			open(b, dir).Close() // makes the indexes, once
			b.SetBytes(bytes)
			b.ResetTimer()
			for range b.N {
				open(b, dir).Close()
			}
			b.StopTimer()
			br := open(b, dir)
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapInuse)/1e6, "MB-heap")
			br.Close()
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	dir, bytes := writeSegments(b, 1, 1_000_000, 1, 400)
	aside := b.TempDir()
	b.SetBytes(bytes)
	b.ResetTimer()
	for range b.N {
		p, err := verifyPartition(filepath.Join(dir, "kafka", "partitions", partitionName(topic, 0)), aside, 0)
		if err != nil || p.end != 1_000_000 {
			b.Fatal(p, err)
		}
	}
}
