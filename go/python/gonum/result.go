package gonum

import (
	"fmt"

	"github.com/gophersnake/gophersnake/go/python"
	"gonum.org/v1/gonum/mat"
)

// Dense returns an array of two dimensions as a matrix: a copy, which shares no memory with Python.
//
// The elements must be floats, as [python.As] says for float64. As gonum has no matrix with rows but without columns, or the other way
// round, an array of shape (0, 3) is an error; one of shape (0, 0) is an empty matrix.
func Dense(o *python.Object) (*mat.Dense, error) {
	a, err := floats(o, "*mat.Dense", 2)
	if err != nil {
		return nil, err
	}
	rows, columns := a.Shape[0], a.Shape[1]
	if rows == 0 && columns == 0 {
		return &mat.Dense{}, nil
	}
	if rows == 0 || columns == 0 {
		return nil, fmt.Errorf("gonum: a *mat.Dense cannot have the shape %v of the array: want rows and columns, or neither", a.Shape)
	}
	return mat.NewDense(rows, columns, a.Data), nil
}

// Vec returns an array of one dimension as a vector: a copy, which shares no memory with Python. The elements must be floats,
// as [python.As] says for float64.
func Vec(o *python.Object) (*mat.VecDense, error) {
	a, err := floats(o, "*mat.VecDense", 1)
	if err != nil {
		return nil, err
	}
	if len(a.Data) == 0 {
		return &mat.VecDense{}, nil
	}
	return mat.NewVecDense(len(a.Data), a.Data), nil
}

// floats copies an array of a number of dimensions.
func floats(o *python.Object, want string, dimensions int) (*python.Array[float64], error) {
	a, err := python.As[python.Array[float64]](o)
	if err != nil {
		return nil, fmt.Errorf("gonum: %w", err)
	}
	if len(a.Shape) != dimensions {
		return nil, fmt.Errorf("gonum: want %s from an array with %d dimensions, got shape %v", want, dimensions, a.Shape)
	}
	return &a, nil
}
