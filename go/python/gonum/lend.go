package gonum

import (
	"fmt"
	"reflect"

	"github.com/gophersnake/gophersnake/go/python"
	"gonum.org/v1/gonum/mat"
)

// Lent is a matrix or a vector as an argument of a call. Make one with [Lend] or [LendMut] for each call.
type Lent struct {
	matrix   mat.Matrix
	writable bool
}

// Lend lends a matrix or a vector to a call, as a read-only array over the same memory.
//
// It takes what keeps all of its elements in rows ([mat.RawMatrixer]: [mat.Dense] and its slices), vectors ([mat.RawVectorer]:
// [mat.VecDense], also a column of a matrix), and the transpose of these. A nil matrix is None. All other matrices
// (symmetric, triangular, banded, diagonal, factorised) keep only a part of their elements, so that there is no memory to
// lend: the call returns an error. Lend a full copy then, mat.DenseCopyOf(m).
func Lend(m mat.Matrix) Lent { return Lent{matrix: m} }

// LendMut lends a matrix or a vector as a writable array: what Python writes is in the matrix when the call has returned.
// Apart from that it is [Lend].
func LendMut(m mat.Matrix) Lent { return Lent{matrix: m, writable: true} }

// ToPython returns the memory of the matrix with its shape and its strides, for the call.
func (l Lent) ToPython() (any, error) {
	if v := reflect.ValueOf(l.matrix); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, nil
	}
	a, err := layoutOf(l.matrix)
	if err != nil {
		return nil, err
	}
	lent := python.Lend(a.data)
	if l.writable {
		lent = python.LendMut(a.data)
	}
	return lent.Strided(a.shape, a.strides), nil
}

// layout is how a matrix lies in memory. The strides count elements.
type layout struct {
	data           []float64
	shape, strides []int
}

func layoutOf(m mat.Matrix) (layout, error) {
	switch m := m.(type) {
	case mat.RawMatrixer:
		raw := m.RawMatrix()
		return layout{raw.Data, []int{raw.Rows, raw.Cols}, []int{raw.Stride, 1}}, nil
	case mat.RawVectorer:
		raw := m.RawVector()
		return layout{raw.Data, []int{raw.N}, []int{raw.Inc}}, nil
	case mat.Untransposer:
		a, err := layoutOf(m.Untranspose())
		if len(a.shape) == 1 { // the transpose of a column is a row
			a.shape, a.strides = []int{a.shape[0], 1}, []int{a.strides[0], 1}
		}
		if err == nil {
			a.shape[0], a.shape[1] = a.shape[1], a.shape[0]
			a.strides[0], a.strides[1] = a.strides[1], a.strides[0]
		}
		return a, err
	}
	return layout{}, fmt.Errorf("a %T does not keep all of its elements in memory: lend a copy, mat.DenseCopyOf(m)", m)
}
