package python

// In a file without cgo: those with it are left out where there is none.
import _ "github.com/gophersnake/gophersnake/go/internal/platform"
