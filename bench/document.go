package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// place is where a document has a table of the report: between two comments, the first of which names it.
var place = regexp.MustCompile(`(?s)(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)`)

// fill puts the tables of the report that lies in a folder into a document, in place of those that it has.
func fill(document, folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "bench.json"))
	if err != nil {
		return fmt.Errorf("no figures to fill %s with (make bench): %w", document, err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	if text, err = os.ReadFile(document); err != nil {
		return err
	}
	tables := map[string]string{"machine": r.Machine.String()}
	for _, t := range r.tables() {
		tables[t.name] = t.body()
	}
	filled := place.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := place.FindSubmatch(found)
		table, ok := tables[string(parts[2])]
		if !ok {
			err = fmt.Errorf("%s has a place for a table that is not there: %s", document, parts[2])
			return found
		}
		return fmt.Appendf(nil, "%s%s%s", parts[1], table, parts[3])
	})
	if err != nil {
		return err
	}
	return os.WriteFile(document, filled, 0o644) //nolint:gosec // not secret
}
