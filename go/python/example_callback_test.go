package python_test

import (
	"fmt"
	"log"
	"math"

	"github.com/gophersnake/gophersnake/go/python"
)

func ExampleModule_Func() {
	in, err := python.Start(python.Config{Path: []string{"testdata"}})
	if err != nil {
		log.Fatal(err)
	}
	distance := func(x []float64) float64 { return math.Hypot(x[0]-3, x[1]-4) }
	if err := in.Module("host").Func("distance", distance, python.Doc("How far it is to (3, 4)."), python.Params("x")); err != nil {
		log.Fatal(err)
	}
	// nearest.py: from host import distance … min(candidates, key=distance)
	nearest, err := python.Bind[func([][2]float64) ([]float64, error)](in, "nearest:nearest")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(nearest([][2]float64{{0, 0}, {3, 5}, {9, 9}}))
	// Output: [3 5] <nil>
}
