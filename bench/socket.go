package main

import (
	"errors"
	"io"
	"net"
)

// startSocket starts a server that speaks raw bytes over a unix socket.
func startSocket(python string) ([]rival, error) {
	name := socketName()
	child, err := startChild(python, nil, "raw_server.py", "socket", name)
	if err != nil {
		return nil, err
	}
	if _, err := child.line(); err != nil {
		return nil, err
	}
	connection, err := net.Dial("unix", "@"+name)
	if err != nil {
		return nil, errors.Join(err, child.close())
	}
	r := newRaw(connection, connection)
	return []rival{{"raw bytes, unix socket", r.noop, r.prepare, &process{child, []io.Closer{connection}}}}, nil
}
