//go:build !gophersnake_embed

package python

// embeddedCore is empty without the build tag gophersnake_embed.
var embeddedCore []byte
