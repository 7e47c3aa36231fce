// Modules carries its Python sources in its binary.
//
// With -dev DIR it takes them from a folder instead, and a changed file is used by the next call.
package main

import (
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/gophersnake/gophersnake/go/python"
)

//go:embed all:python
var files embed.FS

func main() {
	folder := flag.String("dev", "", "take the Python sources from this `folder`, and follow its changes")
	flag.Parse()
	modules, err := fs.Sub(files, "python") // so that python/words.py is the module words
	if err != nil {
		log.Fatal(err)
	}
	config := python.Config{Modules: modules}
	if *folder != "" {
		config = python.Config{Modules: os.DirFS(*folder), Reload: true}
	}
	in, err := python.Start(config)
	if err != nil {
		log.Fatal(err)
	}
	count, err := python.Bind[func() (int, error)](in, "words:count")
	if err != nil {
		log.Fatal(err)
	}
	n, err := count()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "words")
}
