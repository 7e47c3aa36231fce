package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
)

// diagnosis is what doctor prints with -json. Durations are in seconds; what was not found is "" or missing.
type diagnosis struct {
	Healthy     bool     `json:"healthy"`
	Gophersnake string   `json:"gophersnake"`
	Go          string   `json:"go"`
	Platform    string   `json:"platform"`
	Python      found    `json:"python"`
	Libpython   found    `json:"libpython"`
	Core        found    `json:"core"`
	Modules     []module `json:"modules"` // NumPy and those that were named; none if Python did not start
	// Signals are those that a library handles, by name, its file, and what was mended; none if Python did not start.
	Signals map[string]string `json:"signals"`
	// Mended says what C code did to signals and was mended, in sentences.
	Mended   []string  `json:"signals_mended"`
	Startup  []phase   `json:"startup"` // none if Python did not start
	Limits   limits    `json:"limits"`
	Problems []problem `json:"problems"`

	idle string // see idleEnvironment
}

// found is a part of the installation, and the rule of the search order that has named it.
type found struct {
	File    string `json:"file"`
	Version string `json:"version"`
	By      string `json:"by,omitempty"`
}

type module struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	File    string `json:"file"`
	Error   string `json:"error,omitempty"` // why it cannot be imported
}

type phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

type problem struct {
	What   string `json:"what"`
	Remedy string `json:"remedy,omitempty"`
}

// doctor prints a diagnosis and returns the exit status.
func doctor(args []string, stdout, stderr io.Writer) (int, error) {
	opts, err := parseOptions("doctor", args)
	if err != nil {
		return 0, err
	}
	for _, name := range opts.words {
		if name == "" || strings.ContainsAny(name, ":/ ") {
			return 0, wrongUsage("want the name of a module, got %q", name)
		}
	}
	if report := reporter(); report != nil {
		return 0, diagnose(opts.config, opts.words, report)
	}
	d, err := examineInChild(args, stderr)
	if err != nil {
		return 0, err
	}
	if opts.json {
		err = json.NewEncoder(stdout).Encode(d)
	} else {
		err = d.print(stdout)
	}
	if err == nil && !d.Healthy {
		return 1, nil
	}
	return 0, err
}

// diagnose examines the installation. It reports each step before it takes it.
func diagnose(config python.Config, modules []string, report func(step string, d *diagnosis) error) error {
	d := &diagnosis{
		Gophersnake: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Modules: []module{}, Signals: map[string]string{}, Mended: []string{}, Startup: []phase{}, Limits: readLimits(), Problems: []problem{},
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		d.Gophersnake = build.Main.Version
	}
	// What can be known without loading anything; Start repeats it, and stops at the first problem.
	env, problems := python.Find(config)
	d.describe(env)
	d.idle = idleEnvironment(env)
	if err := report("import numpy", d); err != nil {
		return err
	}
	in, err := python.Start(config)
	if err == nil {
		env = in.Environment()
		d.describe(env)
		d.Core.Version = fmt.Sprintf("ABI %d", env.ABI)
		d.Startup = []phase{
			{"find the environment", env.Startup.Find.Seconds()},
			{"load libpython", env.Startup.Libpython.Seconds()},
			{"load the core", env.Startup.Core.Seconds()},
			{"start Python", env.Startup.Python.Seconds()},
			{"import NumPy", env.Startup.NumPy.Seconds()},
		}
		d.load(in, "numpy")
		if stop, err := python.Bind[func() error](in, "gophersnake.signals:stop_telling"); err == nil {
			_ = stop() // what it would log is in the report
		}
		d.lookAtSignals(in, "numpy")
		for _, name := range modules {
			if err := report("import "+name, d); err != nil {
				return err
			}
			if took := d.load(in, name); took > 0 {
				d.Startup = append(d.Startup, phase{"import " + name, took.Seconds()})
			}
			d.lookAtSignals(in, name)
		}
		if err := in.Shutdown(context.Background()); err != nil {
			d.complain(fmt.Errorf("python: Shutdown: %w", err))
		}
	} else {
		if len(problems) == 0 {
			problems = []error{err}
		}
		d.complain(problems...)
	}
	if stack := d.Limits.ThreadStack; stack > 0 && stack < leastStack {
		d.complain(fmt.Errorf("threads have a stack of %s, which deep recursion in Python overflows: want at least %s: %w",
			size(&stack), size(new(uint64(leastStack))), python.Advice("before the program is started, run: ulimit -s 8192")))
	}
	d.Healthy = len(d.Problems) == 0
	return report("", d)
}

var majorMinor = regexp.MustCompile(`^\d+\.\d+`)

func (d *diagnosis) describe(env python.Environment) {
	d.Python = found{env.Python, env.Version, env.PythonSource}
	d.Libpython = found{File: env.Libpython}
	if env.Libpython != "" {
		// They agree, or Start says so: each release has its own libpython.
		d.Libpython.Version = majorMinor.FindString(env.Version)
	}
	d.Core = found{File: env.Core, By: env.CoreSource}
}

// load imports a module and describes it. It returns how long the import took; 0 if it failed.
func (d *diagnosis) load(in *python.Interpreter, name string) (took time.Duration) {
	m := module{Name: name}
	begin := time.Now()
	object, err := in.Object(name)
	if err == nil {
		took = time.Since(begin)
		defer object.Close()
		text := func(o *python.Object, err error) string {
			if err != nil {
				return ""
			}
			defer o.Close()
			s, _ := python.As[string](o) // some modules have a None or a tuple there
			return s
		}
		m.File, m.Version = text(object.Attr("__file__")), text(object.Attr("__version__"))
		if m.Version == "" {
			if version, err := in.Func("importlib.metadata:version"); err == nil {
				m.Version = text(version.Call(context.Background(), name))
				_ = version.Close()
			}
		}
	} else {
		m.Error = err.Error()
		var raised *python.Error
		if errors.As(err, &raised) {
			m.Error = raised.Type + ": " + raised.Message
			if last := len(raised.Frames) - 1; last >= 0 && !strings.HasPrefix(raised.Frames[last].File, "<frozen importlib") {
				m.Error = raised.Error()
			}
		}
		remedy := python.Advice("see what it raises: " + in.Executable() + " -I -c 'import " + name + "'")
		top, _, _ := strings.Cut(name, ".")
		if errors.Is(err, python.ModuleNotFoundError) && raised != nil && strings.Contains(raised.Message, "'"+top+"'") {
			remedy = d.first(python.Advice("name its folder with -path (Config.Path), or install it with: " + in.Environment().Install + " " + top))
		}
		d.complain(fmt.Errorf("module %s cannot be imported: %s: %w", name, m.Error, remedy))
	}
	d.Modules = append(d.Modules, m)
	return took
}

// lookAtSignals complains of handlers that libraries have installed since it looked last, and notes what was mended. Python code
// cannot install any, and what extension modules do while they are loaded is undone.
func (d *diagnosis) lookAtSignals(in *python.Interpreter, module string) {
	find, err := python.Bind[func() (map[string]string, error)](in, "gophersnake.signals:taken")
	var taken map[string]string
	if err == nil {
		taken, err = find()
	}
	if err != nil {
		d.complain(fmt.Errorf("whether libraries handle signals is not known: %w", err))
	}
	if mended, err := python.Bind[func() ([]string, error)](in, "gophersnake.signals:mended"); err == nil {
		if sentences, err := mended(); err == nil && len(sentences) > 0 {
			d.Mended = sentences
		}
	}
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		if d.Signals[name] == taken[name] {
			continue
		}
		d.Signals[name] = taken[name]
		d.complain(fmt.Errorf("since module %s was imported, %s is handled by C code (%s) and not by Go: %w", module, name, taken[name],
			python.Advice("look for a setting of that library which leaves signals alone (a JVM has -Xrs): signal.Notify hears of this one when the library lets go of it")))
	}
}

// idleEnvironment returns the virtual environment in the working directory, if it is fit and Python was found on PATH only.
func idleEnvironment(chosen python.Environment) string {
	if !strings.HasSuffix(chosen.PythonSource, "PATH") {
		return ""
	}
	for _, name := range []string{".venv", "venv"} {
		folder, err := filepath.Abs(name)
		if err != nil {
			continue
		}
		env, problems := python.Find(python.Config{Python: folder})
		broken := func(err error) bool { return !errors.Is(err, python.ErrNoCore) }
		if env.Version != "" && !slices.ContainsFunc(problems, broken) {
			return folder
		}
	}
	return ""
}

// environmentErrors are what another environment may mend.
var environmentErrors = []error{
	python.ErrNoPython, python.ErrBrokenPython, python.ErrTooOld, python.ErrFreeThreaded, python.ErrNoSharedLibrary, python.ErrNoNumPy,
}

// first says before other advice that there is an environment which is not used.
func (d *diagnosis) first(advice python.Advice) python.Advice {
	if d.idle == "" {
		return advice
	}
	return "use the environment of this folder: export GOPHERSNAKE_PYTHON=" + python.Advice(d.idle) + "; or " + advice
}

// complain adds problems, with their advice apart, in the terms of the command line.
func (d *diagnosis) complain(problems ...error) {
	for _, err := range problems {
		text, advice := strings.TrimPrefix(err.Error(), "python: "), python.Advice("")
		if errors.As(err, &advice) {
			text = strings.Replace(text, ": "+string(advice), "", 1)
		}
		if slices.ContainsFunc(environmentErrors, func(other error) bool { return errors.Is(err, other) }) {
			advice = d.first(advice)
		}
		d.Problems = append(d.Problems, problem{
			strings.ReplaceAll(text, "Config.Python", "-python"),
			strings.ReplaceAll(string(advice), "Config.Python", "-python (in Go: Config.Python)"),
		})
	}
}

// print writes the report for people.
func (d *diagnosis) print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(cells ...string) {
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t")) // Flush tells the error
	}
	part := func(name string, f found) {
		by := ""
		if f.By = strings.ReplaceAll(f.By, "Config.Python", "-python"); f.By != "" {
			by = " (" + f.By + ")"
		}
		if f.File == "" && f.By != "embedded" {
			f.File = "not found"
			if name == "core" && f.By == "the loader's folders" {
				f.File = "not loaded"
			}
		}
		line(name, f.Version, f.File+by)
	}
	line(fmt.Sprintf("gophersnake %s, %s, %s\n", d.Gophersnake, d.Go, d.Platform))
	part("Python", d.Python)
	part("libpython", d.Libpython)
	part("core", d.Core)
	for _, m := range d.Modules {
		if m.Error != "" {
			m.File = "cannot be imported"
		}
		line(m.Name, m.Version, m.File)
	}
	if len(d.Startup) > 0 && len(d.Signals) == 0 {
		line("signals", "", "as Go handles them")
	}
	for _, name := range slices.Sorted(maps.Keys(d.Signals)) {
		line(name, "", "handled by C code: "+d.Signals[name])
	}
	for _, sentence := range d.Mended {
		line("mended", "", sentence)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(d.Startup) > 0 {
		total := 0.0
		for _, p := range d.Startup {
			total += p.Seconds
		}
		times := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintf(times, "\nstart-up\t%6.0f ms\n", total*1e3)
		for _, p := range d.Startup {
			_, _ = fmt.Fprintf(times, "  %s\t%6.0f ms\n", p.Name, p.Seconds*1e3)
		}
		if err := times.Flush(); err != nil {
			return err
		}
	}
	l := d.Limits
	line("\nlimits")
	line("  stack of a thread", size(&l.ThreadStack), "ulimit -s: "+size(l.StackLimit))
	line("  open files", count(l.OpenFiles))
	line("  processes", count(l.Processes))
	line("  memory", size(l.Memory))
	line("  GOMAXPROCS", fmt.Sprint(l.GOMAXPROCS))
	line("  MaxConcurrent", fmt.Sprint(l.MaxConcurrent), "unless Config says otherwise")
	line()
	if d.Healthy {
		line("Nothing is wrong.")
	}
	for i, p := range d.Problems {
		line(fmt.Sprintf("problem %d: %s", i+1, strings.ReplaceAll(p.What, "\n", "\n  ")))
		if p.Remedy != "" {
			line("  -> " + p.Remedy)
		}
	}
	return w.Flush()
}

// size writes a number of bytes; nil is no limit.
func size(bytes *uint64) string {
	if bytes == nil {
		return "unlimited"
	}
	value, unit := float64(*bytes), 0
	for ; value >= 1024 && unit < 4; unit++ {
		value /= 1024
	}
	return fmt.Sprintf("%.4g %s", value, [...]string{"B", "KiB", "MiB", "GiB", "TiB"}[unit])
}

// count writes a number; nil is no limit.
func count(n *uint64) string {
	if n == nil {
		return "unlimited"
	}
	return fmt.Sprint(*n)
}
