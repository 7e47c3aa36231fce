package python

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// plainPath is a path that no shell takes for more than that.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// recogniseVirtual describes a virtual environment by its files, without running its executable, which is a good part of a
// start (`gophersnake doctor` tells how long each part takes). It returns nil if anything is missing or unusual: then the executable is asked, which
// also knows what is wrong.
func recogniseVirtual(executable string) *environment {
	folder := filepath.Dir(filepath.Dir(executable))
	text, err := os.ReadFile(filepath.Join(folder, "pyvenv.cfg"))
	if err != nil || !plainPath.MatchString(executable) {
		return nil
	}
	config := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, "=")
		config[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
	}
	env := &environment{executable: executable}
	var patch int
	if n, _ := fmt.Sscanf(config["version"]+config["version_info"], "%d.%d.%d", &env.version.major, &env.version.minor, &patch); n != 3 ||
		env.version.before(minimum) {
		return nil
	}
	env.release = fmt.Sprintf("%v.%d", env.version, patch)
	name := "python" + env.version.String()
	home := config["home"]
	env.base = filepath.Dir(home)
	modules := filepath.Join(env.base, "lib", name)
	packages := filepath.Join(folder, "lib", name, "site-packages")
	env.libpython = filepath.Join(env.base, "lib", "lib"+name+".so.1.0")
	if multiarch := filepath.Join(env.base, "lib", multiarchFolder, "lib"+name+".so.1.0"); env.base == "/usr" && exists(multiarch) {
		env.libpython = multiarch
	}
	// A copy of an executable, or one for programs with free threads, is asked. So is one without pip: who installs packages then?
	for _, file := range []string{
		filepath.Join(modules, "os.py"), filepath.Join(modules, "encodings", "__init__.py"), filepath.Join(modules, "lib-dynload"),
		filepath.Join(packages, "numpy", "__init__.py"), filepath.Join(packages, "pip", "__init__.py"),
	} {
		if !exists(file) {
			return nil
		}
	}
	program, err := filepath.EvalSymlinks(executable)
	original, originalErr := filepath.EvalSymlinks(filepath.Join(home, name))
	library, libraryErr := os.Stat(env.libpython)
	if err != nil || originalErr != nil || libraryErr != nil || program != original || filepath.Base(program) != name || !library.Mode().IsRegular() {
		return nil
	}
	env.install = executable + " -m pip install"
	return env
}

// multiarchFolder is where Debian and its like keep the libraries of this architecture, below lib.
var multiarchFolder = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
