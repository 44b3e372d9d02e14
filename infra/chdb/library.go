package chdb

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library holds the C functions of libchdb that the engine uses, under their
// names there without "chdb_". Opaque handles are uintptr: they never point to
// Go memory. Buffers and error texts belong to their result and are copied or
// used up before it is destroyed.
//
// Source: programs/local/chdb.h of chdb-io/chdb-core.
type library struct {
	connect                  func(argc int32, argv **byte) *uintptr
	closeConn                func(conn *uintptr)
	setSignalHandlersEnabled func(enabled int32)

	queryWithParams func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) (result uintptr)
	streamQueryWithParams func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) (stream uintptr)
	streamFetchResult func(conn, stream uintptr) (result uintptr)
	streamCancelQuery func(conn, stream uintptr)

	streamInsertWithParams func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
		names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) (insert uintptr)
	streamAppend        func(insert uintptr, data *byte, dataLen uintptr) int32
	streamDone          func(insert uintptr) (result uintptr)
	streamCancelInsert  func(insert uintptr)
	streamInsertError   func(insert uintptr) string
	destroyInsertStream func(insert uintptr)

	resultBuffer       func(result uintptr) *byte
	resultLength       func(result uintptr) uintptr
	resultError        func(result uintptr) string
	resultElapsed      func(result uintptr) float64 // seconds
	resultRowsRead     func(result uintptr) uint64  // rows of the answer
	resultScannedRows  func(result uintptr) uint64
	resultScannedBytes func(result uintptr) uint64
	destroyQueryResult func(result uintptr)

	classifyQuery func(conn uintptr, sql *byte, sqlLen uintptr, database *byte, databaseLen uintptr, analysis *analysis) int32
}

// analysis is chdb_query_analysis_v1.
type analysis struct {
	size, _, _, class uint32 // statements and flags are not used
}

// classReadOnly is chdb_query_class CHDB_QUERY_READ_ONLY.
const classReadOnly = 0

// classControl is chdb_query_class CHDB_QUERY_CONTROL: SET, USE and others that
// change the session. Anything from here on leaves a connection in a state that
// the next statement must not inherit.
const classControl = 3

var load = struct {
	sync.Mutex
	from string
	lib  *library
}{}

// loadLibrary loads libchdb once a process: it cannot be unloaded.
func loadLibrary(path string) (lib *library, err error) {
	load.Lock()
	defer load.Unlock()
	if load.lib != nil {
		if load.from != path {
			return nil, fmt.Errorf("this process has loaded the ClickHouse engine from %s and cannot load another from %s", load.from, path)
		}
		return load.lib, nil
	}
	// The library's allocator uses static thread-local storage, so it is bound
	// whole and at once.
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("loading the ClickHouse engine from %s: %w", path, err)
	}
	lib = new(library)
	for name, function := range map[string]any{
		"chdb_connect":                     &lib.connect,
		"chdb_close_conn":                  &lib.closeConn,
		"chdb_set_signal_handlers_enabled": &lib.setSignalHandlersEnabled,
		"chdb_query_with_params_n":         &lib.queryWithParams,
		"chdb_stream_query_with_params_n":  &lib.streamQueryWithParams,
		"chdb_stream_fetch_result":         &lib.streamFetchResult,
		"chdb_stream_cancel_query":         &lib.streamCancelQuery,
		"chdb_stream_insert_with_params_n": &lib.streamInsertWithParams,
		"chdb_stream_append":               &lib.streamAppend,
		"chdb_stream_done":                 &lib.streamDone,
		"chdb_stream_cancel_insert":        &lib.streamCancelInsert,
		"chdb_stream_insert_error":         &lib.streamInsertError,
		"chdb_destroy_insert_stream":       &lib.destroyInsertStream,
		"chdb_result_buffer":               &lib.resultBuffer,
		"chdb_result_length":               &lib.resultLength,
		"chdb_result_error":                &lib.resultError,
		"chdb_result_elapsed":              &lib.resultElapsed,
		"chdb_result_rows_read":            &lib.resultRowsRead,
		"chdb_result_storage_rows_read":    &lib.resultScannedRows,
		"chdb_result_storage_bytes_read":   &lib.resultScannedBytes,
		"chdb_destroy_query_result":        &lib.destroyQueryResult,
		"chdb_classify_query_n":            &lib.classifyQuery,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("%s is not the chDB %s that lishi needs: %w", path, Version(), err)
		}
		purego.RegisterFunc(function, symbol)
	}
	// Go owns the process's signals; the engine must not take them.
	lib.setSignalHandlersEnabled(0)
	load.lib, load.from = lib, path
	return lib, nil
}

// Param is the value of one {Name:Type} of a statement, as ClickHouse reads
// query parameters: text with backslash escapes, \N for NULL.
type Param struct{ Name, Value string }

// call passes a statement and its parameters to one of the three functions
// that take them.
func call(f func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr,
	names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) uintptr,
	conn uintptr, sql, format string, params []Param,
) uintptr {
	n := len(params)
	pointers, lengths := make([]*byte, 2*n+1), make([]uintptr, 2*n+1)
	for i, p := range params {
		pointers[i], lengths[i] = unsafe.StringData(p.Name), uintptr(len(p.Name))
		pointers[n+i], lengths[n+i] = unsafe.StringData(p.Value), uintptr(len(p.Value))
		if p.Value == "" {
			pointers[n+i] = &zero // an empty string need not have a data pointer
		}
	}
	result := f(conn, unsafe.StringData(sql), uintptr(len(sql)), unsafe.StringData(format), uintptr(len(format)),
		&pointers[0], &lengths[0], &pointers[n], &lengths[n], uintptr(n))
	runtime.KeepAlive(pointers)
	runtime.KeepAlive(lengths)
	runtime.KeepAlive(params)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	return result
}

var zero byte

// open connects with command line arguments. It returns nil if the engine
// refuses, and the engine's reason is then on stderr at best.
func (l *library) open(args ...string) *uintptr {
	argv := make([]*byte, 0, len(args)+2)
	for _, a := range append([]string{"clickhouse"}, args...) {
		argv = append(argv, unsafe.SliceData(append([]byte(a), 0)))
	}
	argv = append(argv, nil)
	conn := l.connect(int32(len(argv)-1), &argv[0])
	runtime.KeepAlive(argv)
	return conn
}

// bytes of a result; they live until it is destroyed.
func (l *library) bytes(result uintptr) []byte {
	return unsafe.Slice(l.resultBuffer(result), l.resultLength(result))
}
