// Exported lists the exported names of Go packages that have no documentation comment, fields and methods included,
// and exits with status 1 when there are any. The linters check how a comment is written but not that there is one.
//
//	exported FOLDER...
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	files := token.NewFileSet()
	found := 0
	report := func(at token.Pos, name string) {
		found++
		fmt.Fprintf(os.Stderr, "%s: %s is exported and has no documentation\n", files.Position(at), name)
	}
	for _, root := range os.Args[1:] {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			for _, declaration := range file.Decls {
				check(declaration, report)
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	if found > 0 {
		os.Exit(1)
	}
}

func check(declaration ast.Decl, report func(token.Pos, string)) {
	switch declaration := declaration.(type) {
	case *ast.FuncDecl:
		if declaration.Name.IsExported() && declaration.Doc == nil && ofExported(declaration.Recv) {
			report(declaration.Pos(), declaration.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range declaration.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if !spec.Name.IsExported() {
					continue
				}
				if declaration.Doc == nil && spec.Doc == nil {
					report(spec.Pos(), spec.Name.Name)
				}
				members(spec, report)
			case *ast.ValueSpec:
				// One comment may speak for a whole group of constants or variables.
				if declaration.Doc == nil {
					names(spec.Names, "", spec.Doc, spec.Comment, report)
				}
			}
		}
	}
}

// ofExported says whether a function has no receiver or one of an exported type.
func ofExported(receiver *ast.FieldList) bool {
	if receiver == nil {
		return true
	}
	of := receiver.List[0].Type
	for {
		switch expression := of.(type) {
		case *ast.StarExpr:
			of = expression.X
		case *ast.IndexExpr:
			of = expression.X
		case *ast.IndexListExpr:
			of = expression.X
		case *ast.Ident:
			return expression.IsExported()
		default:
			return false
		}
	}
}

// members checks the fields of a struct and the methods of an interface. Embedded ones have no names to document.
func members(spec *ast.TypeSpec, report func(token.Pos, string)) {
	var list *ast.FieldList
	switch of := spec.Type.(type) {
	case *ast.StructType:
		list = of.Fields
	case *ast.InterfaceType:
		list = of.Methods
	default:
		return
	}
	for _, field := range list.List {
		names(field.Names, spec.Name.Name+".", field.Doc, field.Comment, report)
	}
}

func names(of []*ast.Ident, prefix string, above, beside *ast.CommentGroup, report func(token.Pos, string)) {
	for _, name := range of {
		if name.IsExported() && above == nil && beside == nil {
			report(name.Pos(), prefix+name.Name)
		}
	}
}
