package python

import (
	"runtime"
	"strings"
)

// watch makes Python import the modules in the folders anew when their files change.
func (in *Interpreter) watch(folders []string) error {
	return discarded(in.apply("gophersnake.reload:watch", folders))
}

// refresh forgets modules whose files have changed, if [Config].Reload is set and the name is not of this package.
func (in *Interpreter) refresh(name string) error {
	if !in.config.Reload || strings.HasPrefix(name, "gophersnake.") {
		return nil
	}
	return discarded(in.apply("gophersnake.reload:refresh"))
}

// follow returns a function in place of f that follows the files of its module, or f itself if they are not watched.
func (f *Function) follow() (*Function, error) {
	if !f.in.config.Reload || strings.HasPrefix(f.name, "gophersnake.") {
		return f, nil
	}
	object, err := f.lane.apply("gophersnake.reload:follow", f.name)
	if err != nil || object.IsNone() {
		return f, err
	}
	_ = f.Close()
	object.cleanup.Stop() // the function owns the reference from here on
	following := &Function{in: f.in, lane: f.lane, name: f.name, label: f.label, handle: object.handle}
	following.cleanup = runtime.AddCleanup(following, (*handle).drop, following.handle)
	return following, nil
}
