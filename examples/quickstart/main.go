// Quickstart calls a NumPy function from Go.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/gophersnake/gophersnake/go/python"
)

func main() {
	in, err := python.Start(python.Config{}) // an active virtual environment, .venv beside bin/, or python3
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	defer in.Shutdown(ctx)
	median, err := python.Bind[func(context.Context, []float64) (float64, error)](in, "numpy:median")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(median(ctx, []float64{5, 1, 2, 9})) // 3.5 <nil>
}
