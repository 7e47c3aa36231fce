package main

import "strings"

// A part is what runs in one process on each side.
type part struct {
	suite, name string
	kind        string   // what runs it: unittest or pytest
	tests       []string // modules of unittest; paths for pytest, below where packages are installed
	full        bool     // it is no part of the quick form
}

// cpython is the suite that CPython brings.
const cpython = "CPython"

// allParts returns what there is, the longest first.
func allParts() []part {
	var parts []part
	modules := func(suite, prefix string, full bool, names string) {
		for _, name := range strings.Fields(names) {
			parts = append(parts, part{suite, name, "unittest", []string{prefix + name}, full})
		}
	}
	paths := func(suite, root string, full bool, names string) {
		for _, name := range strings.Fields(names) {
			parts = append(parts, part{suite, name, "pytest", []string{root + name}, full})
		}
	}
	// Threads, processes, signals, input and output, garbage, contexts: what a host may change.
	modules(cpython, "test.", false, `test_subprocess test_io test_capi test_threading test_signal test_asyncio.test_events
		test_posix test_weakref test_asyncio.test_base_events test_sys test_gc test_thread test_context test_contextlib test_readline`)
	paths("NumPy", "numpy/_core/tests/", false, "test_umath.py test_dtype.py")
	paths("greenlet", "greenlet/tests/", false, "test_leaks.py")
	modules(cpython, "test.", true, `test_multiprocessing_spawn test_concurrent_futures test_asyncio.test_tasks test_asyncio.test_subprocess
		test_asyncio.test_unix_events test_asyncio.test_selector_events test_asyncio.test_streams test_asyncio.test_futures
		test_asyncio.test_runners test_socket test_os test_logging test_faulthandler test_fork1 test_wait3 test_wait4 test_popen
		test_threadsignals test_threading_local test_threadedtempfile test_select test_selectors test_poll test_pty test_openpty
		test_locale test__locale test_builtin test_ctypes test_coroutines test_asyncgen test_generators test_datetime test_decimal
		test_exceptions test_traceback test_warnings test_tracemalloc test_sys_settrace test_sys_setprofile test_frame test_inspect
		test_importlib test_pickle test_queue test_atexit test_time test_mmap test_memoryview test_buffer test_fileio test_sqlite3
		test_codecs test_float test_struct test_zipfile test_unittest`)
	paths("NumPy", "numpy/", true, "_core fft lib linalg ma matrixlib polynomial random testing typing tests")
	paths("SciPy", "scipy/", true, `_lib cluster constants fft fftpack integrate interpolate io linalg misc ndimage odr optimize signal
		sparse spatial special stats`)
	paths("pandas", "pandas/tests/", true, `api apply arithmetic arrays base computation config construction copy_view dtypes
		extension frame generic groupby indexes indexing interchange internals io libs plotting reductions resample reshape scalar
		series strings tools tseries tslibs util window`)
	paths("PyArrow", "pyarrow/", true, "tests")
	paths("joblib", "joblib/", true, "test")
	paths("greenlet", "greenlet/", true, "tests")
	paths("trio", "trio/", true, "_tests _core/_tests")
	modules("Tornado", "tornado.test.", true, `asyncio_test auth_test autoreload_test circlerefs_test concurrent_test curl_httpclient_test
		escape_test gen_test http1connection_test httpclient_test httpserver_test httputil_test ioloop_test iostream_test locale_test
		locks_test log_test netutil_test options_test process_test queues_test routing_test simple_httpclient_test tcpclient_test
		tcpserver_test template_test testing_test twisted_test util_test web_test websocket_test wsgi_test`)
	return parts
}
