//go:build gophersnake_embed

package python

import _ "embed"

// embeddedCore is the core that `make embed` has put beside this file.
//
//go:embed libgophersnake.so
var embeddedCore []byte
