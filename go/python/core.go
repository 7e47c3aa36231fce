package python

// #cgo CFLAGS: -std=gnu11 -I${SRCDIR}/../../include
// #cgo LDFLAGS: -ldl -Wl,-rpath,${SRCDIR}/../../target/release
// #include "core.h"
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// coreName is the file name of the core.
const coreName = "libgophersnake.so"

// loaded is what [load] has bound to this process. The start lock guards it.
var loaded struct {
	libpython string
	release   string // the version of that in full
	core      foundCore
	took      struct{ libpython, core time.Duration }
}

// load opens the environment's libpython and the core. What was loaded once stays: symbols are bound to it.
func load(env *environment, configured string) error {
	if loaded.libpython != "" {
		if loaded.libpython != env.libpython {
			return fmt.Errorf("%w: this process has loaded %s already and cannot load %s: %w",
				ErrWrongLibrary, loaded.libpython, env.libpython, Advice("start a new process"))
		}
		env.release = loaded.release
		if configured == "" {
			return nil
		}
		core, err := findCore(configured)
		if err == nil && core.file != loaded.core.file {
			err = fmt.Errorf("%w: this process has loaded %s already and cannot load %s: %w",
				ErrNoCore, loaded.core.file, core.file, Advice("start a new process"))
		}
		return err
	}
	core, err := findCore(configured)
	if err != nil {
		return err
	}
	begin := time.Now()
	library, err := openLibpython(env)
	if err != nil {
		return err
	}
	opened := time.Now()
	if core, err = openCore(core); err != nil {
		// Nothing is bound to libpython yet, so another environment can still be tried.
		C.libpython_close(library)
		C.libpython_close(library)
		return err
	}
	loaded.libpython, loaded.release, loaded.core = env.libpython, env.release, core
	loaded.took.libpython, loaded.took.core = opened.Sub(begin), time.Since(opened)
	return nil
}

// openLibpython opens the environment's libpython for the whole process if it has the environment's version.
func openLibpython(env *environment) (unsafe.Pointer, error) {
	path := C.CString(env.libpython)
	defer C.free(unsafe.Pointer(path))
	var version C.uint32_t
	var release, reason *C.char
	library := C.libpython_open(path, &version, &release, &reason)
	if library == nil {
		return nil, fmt.Errorf("%w: %s cannot be loaded: %s", ErrNoSharedLibrary, env.libpython, takeString(reason))
	}
	if uint32(version) != env.abiVersion() {
		C.libpython_close(library)
		found := "no Python 3.11 or newer"
		if version != 0 {
			found = fmt.Sprintf("Python %d.%d", version>>8, version&0xff)
		}
		return nil, fmt.Errorf("%w: %s is for Python %d.%d, but %s is %s: %w", ErrWrongLibrary, env.executable,
			env.version.major, env.version.minor, env.libpython, found, Advice("reinstall that Python or make the environment anew"))
	}
	// What describes a virtual environment is as old as that, and its Python may have been upgraded in place.
	env.release, _, _ = strings.Cut(C.GoString(release), " ")
	if !C.libpython_publish(path, &reason) {
		C.libpython_close(library)
		return nil, fmt.Errorf("%w: %s cannot be loaded: %s", ErrNoSharedLibrary, env.libpython, takeString(reason))
	}
	return library, nil
}

// openCore opens the core and returns it with the file that the loader has taken.
func openCore(core foundCore) (foundCore, error) {
	file := core.file
	switch core.source {
	case coreEmbedded:
		copied, remove, err := copyEmbedded()
		if err != nil {
			return core, err
		}
		defer remove() // a loaded library needs its file no longer
		file = copied
	case coreOfLoader:
		file = coreName
	}
	path := C.CString(file)
	defer C.free(unsafe.Pointer(path))
	var version C.uint32_t
	var opened, reason *C.char
	switch {
	case bool(C.core_open(path, &version, &opened, &reason)):
		if name := takeString(opened); core.source == coreOfLoader {
			core.file = filepath.Clean(name)
			if core.file == builtCoreFile() {
				core.source = coreBuilt
			}
		}
		return core, nil
	case reason != nil && core.source == coreOfLoader:
		return core, fmt.Errorf("%w: %s: %w", ErrNoCore, searchedPlaces(takeString(reason)), adviseCore())
	case reason != nil:
		return core, fmt.Errorf("%w: %s (chosen by %s): %w", ErrNoCore, takeString(reason), core.source, adviseCore())
	default:
		return core, fmt.Errorf("%w: %s has ABI version %d, but this program was built for %d: %w",
			ErrWrongCore, file, version, C.SNAKE_ABI_VERSION, Advice("build both from the same release"))
	}
}

// copyEmbedded gives the embedded core a name for the loader, which takes nothing but files: in memory, or in the folder for temporary
// files where there is no /proc.
func copyEmbedded() (file string, remove func(), err error) {
	memory, inMemory := openInMemory(embeddedCore)
	if inMemory == nil {
		return memory.Name(), func() { _ = memory.Close() }, nil
	}
	folder, err := os.MkdirTemp("", "gophersnake")
	if err == nil {
		file = filepath.Join(folder, coreName)
		if err = os.WriteFile(file, embeddedCore, 0o500); err == nil {
			return file, func() { _ = os.RemoveAll(folder) }, nil
		}
		_ = os.RemoveAll(folder)
	}
	return "", nil, fmt.Errorf("%w: the embedded core can be put neither into memory (%w) nor into a file (%w): %w", ErrNoCore, inMemory, err,
		Advice("mount /proc, or set TMPDIR to a folder with room from which libraries can be loaded"))
}

// searchedPlaces says where the core was looked for, as far as nothing has named it, and what the loader said at last.
func searchedPlaces(reason string) string {
	places := []string{"Config.Core and GOPHERSNAKE_CORE are empty"}
	if executable, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(executable), coreName)+" is not there")
	}
	if built := builtCoreFile(); filepath.IsAbs(built) {
		places = append(places, built+" is not there")
	}
	return strings.Join(append(places, "the loader, in its usual folders: "+reason), "; ")
}

// adviseCore says what makes a core, where that can be made: in a clone, and not in the read-only cache of modules.
func adviseCore() Advice {
	folder := filepath.Join(filepath.Dir(builtCoreFile()), "..", "..")
	if _, err := os.Stat(filepath.Join(folder, "Makefile")); err == nil && unix.Access(folder, unix.W_OK) == nil {
		return advise("run: make -C %s build", folder)
	}
	return Advice("clone the repository of gophersnake, run `make install` there, or `make build`, and name its target/release/" + coreName +
		" in Config.Core or GOPHERSNAKE_CORE")
}

// takeString copies a string that C gave away.
func takeString(s *C.char) string {
	defer C.free(unsafe.Pointer(s))
	return C.GoString(s)
}

// foundCore is the core and which rule of the search order has named it.
type foundCore struct{ file, source string }

// The rules that need no configuration. The loader looks into the build output of this module, which the link flags
// above name, and into the usual folders.
const (
	coreEmbedded = "embedded"
	coreBeside   = "beside the executable"
	coreBuilt    = "build output of the module"
	coreOfLoader = "the loader's folders"
)

// findCore looks for the core. Where the loader has to look, the file is not known before it is opened.
func findCore(configured string) (foundCore, error) {
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
			return foundCore{configured, source}, fmt.Errorf("%w: %s names a file that cannot be read: %w: %w", ErrNoCore, source, err,
				adviseCore())
		}
		return foundCore{path, source}, nil
	}
	if len(embeddedCore) > 0 {
		return foundCore{source: coreEmbedded}, nil
	}
	if executable, err := os.Executable(); err == nil {
		file := filepath.Join(filepath.Dir(executable), coreName)
		if _, err := os.Stat(file); err == nil {
			return foundCore{file, coreBeside}, nil
		}
	}
	return foundCore{source: coreOfLoader}, nil
}

// builtCoreFile is the core in the build output of this module, as the link flags name it. With -trimpath it is a path
// that no file has.
func builtCoreFile() string {
	_, source, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(source), "..", "..", "target", "release", coreName)
}
