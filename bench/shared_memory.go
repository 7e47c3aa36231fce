package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sharedMemory is memory that a server in another process sees too: the array is in its first half, the answer in the second.
// Who is to look at it next is told over pipes.
type sharedMemory struct {
	*child
	memory []byte
	size   [sizeOfSize]byte
}

// startSharedMemory starts a server that shares memory with this process. The memory has no name: it is gone when both are.
func startSharedMemory(python string) ([]rival, error) {
	const size = 2 * largest * int(unsafe.Sizeof(float64(0)))
	descriptor, err := unix.MemfdCreate("gophersnake-bench", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making shared memory: %w", err)
	}
	file := os.NewFile(uintptr(descriptor), "shared memory")
	defer file.Close() //nolint:errcheck // the mapping stays
	if err := file.Truncate(int64(size)); err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(descriptor, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping shared memory: %w", err)
	}
	child, err := startChild(python, file, "raw_server.py", "shared")
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(memory))
	}
	s := &sharedMemory{child: child, memory: memory}
	spinning := &spinning{s, unsafe.Slice((*uint64)(unsafe.Pointer(&memory[size-4*sizeOfSize])), 4), 0}
	const pipe, spin = "shared memory and a pipe", "shared memory, both sides spin"
	return []rival{
		{name: pipe, noopName: pipe, noop: s.noop, prepare: s.prepare, process: s},
		{name: spin, noopName: spin, noop: spinning.noop, prepare: spinning.prepare, begin: spinning.begin, process: s},
	}, nil
}

// call has the server look at so many bytes, and returns the answer, which is valid until the next call.
func (s *sharedMemory) call(bytes int) ([]int64, error) {
	binary.LittleEndian.PutUint64(s.size[:], uint64(bytes)) //nolint:gosec // not negative
	if _, err := s.stdin.Write(s.size[:]); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(s.stdout, s.size[:]); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return s.answer(binary.LittleEndian.Uint64(s.size[:])), nil
}

func (s *sharedMemory) answer(count uint64) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(&s.memory[len(s.memory)/2])), count)
}

func (s *sharedMemory) noop() error {
	answer, err := s.call(0)
	return check(answer, nil, err)
}

// prepare puts the array where the server sees it: what fills it there in the first place is not ours to count. All arrays of the
// benchmark begin alike, so that the calls with several of them do not disturb each other.
func (s *sharedMemory) prepare(data []float64, want []int) func() error {
	size := copy(s.memory, bytesOf(data))
	return func() error {
		answer, err := s.call(size)
		return check(answer, want, err)
	}
}

func (s *sharedMemory) close() error { return errors.Join(s.child.close(), unix.Munmap(s.memory)) }

// spinning is the same without the pipe: while it is called, both sides look at the memory all the time, and each takes all of a
// processor. It is the least that another process can cost.
type spinning struct {
	*sharedMemory
	words  []uint64 // the number of the request, its size, the number of the answer, its size
	number uint64
}

// begin has the server spin for so many calls.
func (s *spinning) begin(calls int) error {
	binary.LittleEndian.PutUint64(s.size[:], 1<<63+uint64(calls)) //nolint:gosec // not negative
	_, err := s.stdin.Write(s.size[:])
	return err
}

func (s *spinning) call(bytes int) []int64 {
	s.words[1] = uint64(bytes) //nolint:gosec // not negative
	s.number++
	atomic.StoreUint64(&s.words[0], s.number)
	for atomic.LoadUint64(&s.words[2]) != s.number {
	}
	return s.answer(s.words[3])
}

func (s *spinning) noop() error { return check(s.call(0), nil, nil) }

func (s *spinning) prepare(data []float64, want []int) func() error {
	size := copy(s.memory, bytesOf(data))
	return func() error { return check(s.call(size), want, nil) }
}
