package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// overHTTP speaks JSON to http_server.py, over one connection that stays open.
type overHTTP struct {
	client http.Client
	url    string
	buffer bytes.Buffer
}

// startHTTP starts a server for HTTP with JSON.
func startHTTP(python string) ([]rival, error) {
	child, err := startChild(python, nil, "http_server.py")
	if err != nil {
		return nil, err
	}
	port, err := child.line()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableCompression: true}
	h := &overHTTP{client: http.Client{Transport: transport}, url: "http://127.0.0.1:" + port + "/"}
	p := &process{child, []io.Closer{idle{transport}}}
	// The port takes connections before uvicorn answers.
	return []rival{{name: "HTTP, JSON, TCP", noopName: "HTTP, TCP", noop: h.noop, prepare: h.prepare, process: p}}, nil
}

func (h *overHTTP) post(body []byte) ([]byte, error) {
	answer, err := h.client.Post(h.url, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	h.buffer.Reset()
	_, err = h.buffer.ReadFrom(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("want 200, got %s: %s", answer.Status, h.buffer.String())
	}
	return h.buffer.Bytes(), nil
}

func (h *overHTTP) noop() error {
	answer, err := h.post(nil)
	if err == nil && len(answer) > 0 {
		err = fmt.Errorf("wrong answer: want nothing, got %q", answer)
	}
	return err
}

func (h *overHTTP) prepare(data []float64, want []int) func() error {
	return func() error {
		body, err := json.Marshal(data)
		if err != nil {
			return err
		}
		answer, err := h.post(body)
		if err != nil {
			return err
		}
		var indices []int
		err = json.Unmarshal(answer, &indices)
		return check(indices, want, err)
	}
}

// idle closes the connections that a transport keeps.
type idle struct{ *http.Transport }

func (i idle) Close() error {
	i.CloseIdleConnections()
	return nil
}
