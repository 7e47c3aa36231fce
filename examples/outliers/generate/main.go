// Generate writes a CSV of any length for outliers to read: a slow wave with noise and, here and there, a
// value far off it. The same flags write the same bytes.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	n := flags.Int64("n", 1000, "`rows` to write")
	seed := flags.Uint64("seed", 1, "`number` that the random values follow from")
	outliers := flags.Float64("outliers", 0.01, "`fraction` of the rows that are outliers, 0 to 1")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "generate: want flags only, found %q\n", flags.Arg(0))
		return 2
	case *n < 0:
		fmt.Fprintf(stderr, "generate: -n: want 0 or more rows, found %d\n", *n)
		return 2
	case !(*outliers >= 0 && *outliers <= 1):
		fmt.Fprintf(stderr, "generate: -outliers: want a fraction from 0 to 1, found %g\n", *outliers)
		return 2
	}
	if err := write(stdout, *n, *seed, *outliers); err != nil {
		fmt.Fprintf(stderr, "generate: %v\n", err)
		return 1
	}
	return 0
}

// write writes a header and n rows, holding one row at a time.
func write(w io.Writer, n int64, seed uint64, outliers float64) error {
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString("t,value\n") // bufio keeps the first error for Flush
	random := rand.New(rand.NewPCG(seed, 0))
	var line []byte
	for t := range n {
		value := 100 + 5*math.Sin(float64(t)*2*math.Pi/1000) + random.NormFloat64()
		if random.Float64() < outliers {
			// 25 to 50 above or below: beyond five standard deviations of the rest.
			far := 25 + 25*random.Float64()
			if random.IntN(2) == 0 {
				far = -far
			}
			value += far
		}
		line = strconv.AppendInt(line[:0], t, 10)
		line = append(line, ',')
		line = strconv.AppendFloat(line, value, 'f', 3, 64)
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}
