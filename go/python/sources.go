package python

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// sources are what [Config].Modules holds. Python finds them through one more element of sys.path: an
// archive in memory that has a name in the file system for as long as this process lives, so that Python imports it
// with zipimport, its worker processes find it by the same name, and nothing can be left behind.
type sources struct {
	key     string // two configurations have the same modules if this is equal
	files   fs.FS  // nil if there are none, or if they are packed
	folder  string // of os.DirFS
	archive []byte
	names   []string // the files and folders that define modules at the top level
}

// sourcesOf tells which sources they are. Those that lie in a folder are known by its name, others by what is in them.
func sourcesOf(files fs.FS) (*sources, error) {
	m := &sources{files: files}
	if files == nil {
		return m, nil
	}
	var err error
	if v := reflect.ValueOf(files); v.Type() == reflect.TypeOf(os.DirFS("")) {
		if m.folder, err = filepath.Abs(v.String()); err != nil {
			return nil, fmt.Errorf("python: Config.Modules: %w", err)
		}
		m.key, m.files = m.folder, os.DirFS(m.folder)
		return m, nil
	}
	if err := m.pack(); err != nil {
		return nil, err
	}
	m.key = fmt.Sprintf("%x", sha256.Sum256(m.archive))
	return m, nil
}

// pack makes the archive, and checks that Python can import what is in it. Equal files make equal archives: their times
// are left out.
func (m *sources) pack() error {
	if m.files == nil {
		return nil
	}
	var buffer bytes.Buffer
	p := packer{files: m.files, buffer: &buffer, archive: zip.NewWriter(&buffer), embedded: isEmbedded(m.files), packages: map[string]bool{}}
	err := fs.WalkDir(m.files, ".", p.add)
	if err == nil && p.count == 0 {
		err = errors.New("there is no .py file in it")
	}
	if err == nil {
		err = p.archive.Close()
	}
	if err != nil {
		return fmt.Errorf("python: Config.Modules: %w", err)
	}
	m.files, m.archive, m.names = nil, buffer.Bytes(), p.names
	return nil
}

// packer is what there is while the archive is made.
type packer struct {
	files    fs.FS
	buffer   *bytes.Buffer
	archive  *zip.Writer
	embedded bool
	packages map[string]bool // folders that have an __init__.py, or lie in one that has
	names    []string
	count    int // of .py files
}

// add adds a file or a folder. A folder comes before what is in it.
func (p *packer) add(name string, entry fs.DirEntry, err error) error {
	if err != nil || name == "." {
		return err
	}
	folder, base := path.Split(name)
	folder = strings.TrimSuffix(folder, "/")
	if strings.HasPrefix(base, ".") || base == "__pycache__" {
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if entry.IsDir() {
		_, err := fs.Stat(p.files, path.Join(name, "__init__.py"))
		p.packages[name] = err == nil || p.packages[folder]
		if err == nil && folder == "" {
			p.names = append(p.names, name)
		}
		_, err = p.archive.CreateHeader(&zip.FileHeader{Name: name + "/"}) // Python finds namespace packages by it
		return err
	}
	info, err := fs.Stat(p.files, name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: want a file or a folder, got %v", name, info.Mode())
	}
	if path.Ext(name) == ".py" {
		if p.embedded && folder != "" && !p.packages[folder] {
			return notEmbedded(name)
		}
		if err := checkModuleName(name); err != nil {
			return err
		}
		if folder == "" {
			p.names = append(p.names, name)
		}
		p.count++
	}
	data, err := fs.ReadFile(p.files, name)
	if err != nil {
		return err
	}
	// Stored as it is: Python then needs no zlib, and the archive lies in memory anyway.
	w, err := p.archive.CreateHeader(&zip.FileHeader{Name: name})
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if p.buffer.Len() > math.MaxInt32 {
		return errors.New("want at most 2 GiB of files: keep large ones in a folder, and give its name to the functions that read them")
	}
	return nil
}

// isEmbedded tells whether go:embed has made the file system, or the one that it is a part of.
func isEmbedded(files fs.FS) bool {
	root, err := files.Open(".")
	if err != nil {
		return false // the walk says why
	}
	defer root.Close()
	t := reflect.TypeOf(root)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "embed"
}

// notEmbedded explains the two mistakes that go:embed invites; Python would take both for namespace packages.
func notEmbedded(file string) error {
	top, _, _ := strings.Cut(file, "/")
	return fmt.Errorf("%s: its folder has no __init__.py. If %s is the folder that your modules are in, give fs.Sub(files, %[2]q). If it is "+
		"a package, write //go:embed all:%[2]s, because go:embed leaves out files whose names begin with _", file, top)
}

// keywords cannot be names of modules, for `import` takes none of them.
var keywords = strings.Fields("False None True and as assert async await break class continue def del elif else except finally for from " +
	"global if import in is lambda nonlocal not or pass raise return try while with yield")

func checkModuleName(file string) error {
	for part := range strings.SplitSeq(strings.TrimSuffix(file, ".py"), "/") {
		letters := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
		if part == "" || unicode.IsDigit([]rune(part)[0]) || strings.ContainsFunc(part, func(r rune) bool { return !letters(r) }) ||
			slices.Contains(keywords, part) {
			return fmt.Errorf("%s: %q is no name that Python can import: rename it, or give it another ending than .py if it is data", file, part)
		}
	}
	return nil
}

// checkNames refuses modules that would hide one of Python's own, or would be hidden by what Start imports.
func (m *sources) checkNames(env *environment) error {
	for _, file := range m.names {
		name := strings.TrimSuffix(file, ".py")
		switch {
		case slices.Contains(env.stdlib, name):
			return fmt.Errorf("python: Config.Modules: %s: Python %s has a module %s of its own, which this one would hide: rename it",
				file, env.version, name)
		case name == "numpy" || name == "gophersnake":
			return fmt.Errorf("python: Config.Modules: %s: %s is imported by Start: rename this one", file, name)
		}
	}
	return nil
}

// place returns what Python is to find first: the folders of the configuration, then the modules. The file, nil if there
// is no archive, must stay open for as long as Python runs.
func (m *sources) place(config Config, env *environment) (folders []string, file *os.File, err error) {
	folders = slices.Clone(config.Path)
	if config.Reload && len(folders) == 0 && m.folder == "" {
		return nil, nil, errors.New("python: Config.Reload: nothing can change: want folders in Config.Path, or os.DirFS as Config.Modules")
	}
	if err := m.pack(); err != nil { // also where Python is to read the folder itself: it may be embedded one day
		return nil, nil, err
	}
	if err := m.checkNames(env); err != nil {
		return nil, nil, err
	}
	switch {
	case config.Reload && m.folder != "":
		folders = append(folders, m.folder)
	case m.archive != nil:
		if file, err = openInMemory(m.archive); err != nil {
			return nil, nil, fmt.Errorf("python: Config.Modules: cannot make a file in memory: %w", err)
		}
		folders = append(folders, file.Name())
	}
	m.archive = nil
	return folders, file, nil
}

// openInMemory makes a file that nobody can change, and that every process of this user can open by its name while it is
// open here. The loader of libraries takes it too.
func openInMemory(data []byte) (*os.File, error) {
	// A kernel before 6.3 does not know the last flag; a later one may be configured to insist on it.
	fd, err := unix.MemfdCreate("gophersnake", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("gophersnake", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	// Not /proc/self: worker processes take sys.path over as it is.
	file := os.NewFile(uintptr(fd), fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd))
	_, err = file.Write(data)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
		err = os.NewSyscallError("fcntl", err)
	}
	if err == nil {
		_, err = os.Stat(file.Name()) // fails where /proc is not mounted
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
