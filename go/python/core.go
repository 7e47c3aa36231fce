package python

// #cgo CFLAGS: -std=gnu11 -I${SRCDIR}/../../include
// #cgo LDFLAGS: -ldl -Wl,-rpath,${SRCDIR}/../../target/release
// #include "core.h"
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"
)

// coreName is the file name of the core.
const coreName = "libgophersnake.so"

// loaded is what [load] has bound to this process. The start lock guards it.
var loaded struct {
	libpython string
	core      string
}

// load opens the environment's libpython and the core. What was loaded once stays: symbols are bound to it.
func load(env *environment, core string) error {
	if loaded.core != "" {
		if loaded.libpython != env.libpython {
			return fmt.Errorf("%w: this process has loaded %s already and cannot load %s: start a new process",
				ErrWrongLibrary, loaded.libpython, env.libpython)
		}
		return nil
	}
	core, remove, err := findCore(core)
	if err != nil {
		return err
	}
	defer remove()
	library, err := openLibpython(env)
	if err != nil {
		return err
	}
	if err := openCore(core); err != nil {
		// Nothing is bound to libpython yet, so another environment can still be tried.
		C.libpython_close(library)
		C.libpython_close(library)
		return err
	}
	loaded.libpython, loaded.core = env.libpython, core
	return nil
}

// openLibpython opens the environment's libpython for the whole process if it has the environment's version.
func openLibpython(env *environment) (unsafe.Pointer, error) {
	path := C.CString(env.libpython)
	defer C.free(unsafe.Pointer(path))
	var version C.uint32_t
	var reason *C.char
	library := C.libpython_open(path, &version, &reason)
	if library == nil {
		return nil, fmt.Errorf("%w: %s cannot be loaded: %s", ErrNoSharedLibrary, env.libpython, takeString(reason))
	}
	if uint32(version) != env.abiVersion() {
		C.libpython_close(library)
		found := "no Python 3.11 or newer"
		if version != 0 {
			found = fmt.Sprintf("Python %d.%d", version>>8, version&0xff)
		}
		return nil, fmt.Errorf("%w: %s is for Python %d.%d, but %s is %s: reinstall that Python or make the environment anew",
			ErrWrongLibrary, env.executable, env.version.major, env.version.minor, env.libpython, found)
	}
	if !C.libpython_publish(path, &reason) {
		C.libpython_close(library)
		return nil, fmt.Errorf("%w: %s cannot be loaded: %s", ErrNoSharedLibrary, env.libpython, takeString(reason))
	}
	return library, nil
}

func openCore(file string) error {
	path := C.CString(file)
	defer C.free(unsafe.Pointer(path))
	var version C.uint32_t
	var reason *C.char
	switch {
	case bool(C.core_open(path, &version, &reason)):
		return nil
	case reason != nil:
		return fmt.Errorf("%w: %s: run `make build` in the folder of the module, or name the file in Config.Core or GOPHERSNAKE_CORE",
			ErrNoCore, takeString(reason))
	default:
		return fmt.Errorf("%w: %s has ABI version %d, but this program was built for %d: build both from the same release",
			ErrWrongCore, file, version, C.SNAKE_ABI_VERSION)
	}
}

// takeString copies a string that C gave away.
func takeString(s *C.char) string {
	defer C.free(unsafe.Pointer(s))
	return C.GoString(s)
}

// findCore returns the path of the core, and a function that removes what finding it has left behind.
func findCore(configured string) (path string, remove func(), err error) {
	keep := func() {}
	source := "Config.Core"
	if configured == "" {
		source, configured = "GOPHERSNAKE_CORE", os.Getenv("GOPHERSNAKE_CORE")
	}
	if configured != "" {
		path, err := filepath.Abs(configured)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", keep, fmt.Errorf("%w: %s names a file that cannot be read: %w", ErrNoCore, source, err)
		}
		return path, keep, nil
	}
	if len(embeddedCore) > 0 {
		return writeCore(embeddedCore)
	}
	if executable, err := os.Executable(); err == nil {
		file := filepath.Join(filepath.Dir(executable), coreName)
		if _, err := os.Stat(file); err == nil {
			return file, keep, nil
		}
	}
	// The loader looks into the build output of this module, which the link flags above name, and into the usual
	// folders.
	return coreName, keep, nil
}

// writeCore puts the embedded core into a file, since the loader takes nothing else.
func writeCore(core []byte) (path string, remove func(), err error) {
	remove = func() {}
	folder, err := os.MkdirTemp("", "gophersnake")
	if err != nil {
		return "", remove, fmt.Errorf("%w: the embedded core cannot be written: %w", ErrNoCore, err)
	}
	// A loaded library needs its file no longer.
	remove = func() { _ = os.RemoveAll(folder) }
	path = filepath.Join(folder, coreName)
	if err := os.WriteFile(path, core, 0o500); err != nil {
		return "", remove, fmt.Errorf("%w: the embedded core cannot be written: %w", ErrNoCore, err)
	}
	return path, remove, nil
}
