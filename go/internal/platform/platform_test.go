package platform

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Whoever builds without cgo, or for another system, reads one line that says what is needed.
func TestUnsupported(t *testing.T) {
	for _, variable := range []string{"CGO_ENABLED=0", "GOOS=darwin", "GOOS=windows"} {
		build := exec.Command("go", "build", "github.com/gophersnake/gophersnake/go/python")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", variable)
		said, err := build.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(said)), "\n")
		if err == nil || len(lines) != 2 || !strings.Contains(lines[1], "needs_Linux_and_cgo") {
			t.Errorf("%s: %v\n%s", variable, err, said)
		}
	}
}
