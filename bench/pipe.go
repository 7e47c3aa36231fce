package main

import "io"

// startPipe starts a server that reads from a pipe and writes to another.
func startPipe(python string) ([]rival, error) {
	child, err := startChild(python, nil, "raw_server.py", "pipe")
	if err != nil {
		return nil, err
	}
	r := newRaw(child.stdin, child.stdout)
	return []rival{{"raw bytes, pipe", r.noop, r.prepare, &process{child, []io.Closer{}}}}, nil
}
