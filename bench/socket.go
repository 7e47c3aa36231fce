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
	p := &process{child, []io.Closer{connection}}
	r := newRaw(connection, connection)
	return []rival{{name: "raw bytes, unix socket", key: "socket_vs_bind", noopName: "raw bytes, unix socket", noop: r.noop, prepare: r.prepare, process: p}}, nil
}
