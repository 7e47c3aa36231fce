//go:build libraries

package python

import (
	"os"
	"regexp"
	"testing"
)

// libraryRow is a row of the table in docs/LIBRARIES.md: a library, and what becomes of one of its values.
type libraryRow struct {
	library string
	conversion
}

// checkLibraries converts each value, which is an expression in testdata/oracle_libraries.py.
func checkLibraries(t *testing.T, rows []libraryRow) {
	t.Helper()
	documented := documentedLibraries(t)
	conversions := make([]conversion, len(rows))
	for i, row := range rows {
		if conversions[i] = row.conversion; documented[row.library] == "" {
			t.Errorf("docs/LIBRARIES.md says nothing of %s", row.library)
		}
	}
	libraryTable(t, "oracle_libraries:value", conversions)
}

// documentedLibraries returns the versions in the table by the names of the libraries; "standard" for what comes with Python.
func documentedLibraries(t *testing.T) map[string]string {
	t.Helper()
	document, err := os.ReadFile("../../docs/LIBRARIES.md")
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+) \| (\S+) \| .+ \| .+ \|$`).FindAllStringSubmatch(string(document), -1) {
		if row[1] != "library" {
			versions[row[1]] = row[2]
		}
	}
	return versions
}

// The versions in the table are those that were tried.
func TestLibrariesVersions(t *testing.T) {
	in := interpreter(t)
	for library, version := range documentedLibraries(t) {
		if version == "standard" {
			continue
		}
		if got, err := evaluate[string](in, "importlib.metadata:version", library); err != nil || got != version {
			t.Errorf("%s: the document says %s, tried is %s (%v)", library, version, got, err)
		}
	}
}
