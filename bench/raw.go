package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"unsafe"
)

// raw speaks to raw_server.py over a stream.
type raw struct {
	to     io.Writer
	from   *bufio.Reader
	answer []int64 // and room for the next one
	header [sizeOfSize]byte
}

const sizeOfSize = 8

func newRaw(to io.Writer, from io.Reader) *raw {
	return &raw{to: to, from: bufio.NewReaderSize(from, 1<<16)}
}

// request returns a request as it is sent.
func request(data []float64) []byte {
	memory := bytesOf(data)
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(memory))), memory...)
}

// call sends a request and receives the answer, which is valid until the next call.
func (r *raw) call(request []byte) ([]int64, error) {
	if _, err := r.to.Write(request); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(r.from, r.header[:]); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	count := int(binary.LittleEndian.Uint64(r.header[:])) //nolint:gosec // as many as were sent, at most
	r.answer = slices.Grow(r.answer[:0], count)[:count]
	if _, err := io.ReadFull(r.from, bytesOf(r.answer)); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return r.answer, nil
}

// noop sends an empty request.
func (r *raw) noop() error {
	answer, err := r.call(make([]byte, sizeOfSize))
	return check(answer, nil, err)
}

// prepare returns a call with an array.
func (r *raw) prepare(data []float64, want []int) func() error {
	sent := request(data)
	return func() error {
		answer, err := r.call(sent)
		return check(answer, want, err)
	}
}

// bytesOf returns the memory of a slice.
func bytesOf[T float64 | int64](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

// int64sOf returns the numbers that memory holds.
func int64sOf(memory []byte) []int64 {
	numbers := make([]int64, len(memory)/sizeOfSize)
	copy(bytesOf(numbers), memory)
	return numbers
}
