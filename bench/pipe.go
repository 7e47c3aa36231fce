package main

// startPipe starts a server that reads from a pipe and writes to another.
func startPipe(python string) ([]rival, error) {
	child, err := startChild(python, nil, "raw_server.py", "pipe")
	if err != nil {
		return nil, err
	}
	r := newRaw(child.stdin, child.stdout)
	return []rival{{name: "raw bytes, pipe", noopName: "raw bytes, pipe", noop: r.noop, prepare: r.prepare, process: child}}, nil
}
