// Package gonum lends the matrices and vectors of gonum (gonum.org/v1/gonum/mat) to Python and makes them of results.
//
//	result, err := solve.Call(ctx, gonum.Lend(a), gonum.Lend(b)) // NumPy arrays over the memory of a and b
//	x, err := gonum.Dense(result)                                // a *mat.Dense of its own memory
//
// A matrix is an array of two dimensions in Python, a vector one of one dimension. What is a part of another matrix ([mat.Dense.Slice],
// [mat.Dense.ColView]) or the transpose of one (T) is lent as it lies in memory, with its strides, and not copied either.
//
// All promises of package python about lending hold: the memory stays valid for as long as Python reaches it; do not write to
// it from Go while it is lent.
//
// The package stands apart so that programs without gonum do not download it.
package gonum
