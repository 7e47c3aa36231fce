package main

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gophersnake/gophersnake/bench/outlierspb"
)

// startGRPC starts a server for gRPC and connects to it over TCP and over a unix socket.
func startGRPC(python string) ([]rival, error) {
	name := socketName()
	child, err := startChild(python, nil, "grpc_server.py", name)
	if err != nil {
		return nil, err
	}
	port, err := child.line()
	if err != nil {
		return nil, err
	}
	p := &process{child: child}
	tcp, err1 := p.dialGRPC("passthrough:///127.0.0.1:" + port)
	unix, err2 := p.dialGRPC("unix-abstract:" + name)
	if err := errors.Join(err1, err2); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return append(grpcRivals("TCP", tcp, p), grpcRivals("unix socket", unix, p)...), nil
}

func (p *process) dialGRPC(target string) (pb.OutliersClient, error) {
	unlimited := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt), grpc.MaxCallSendMsgSize(math.MaxInt))
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), unlimited)
	if err != nil {
		return nil, err
	}
	p.open = append(p.open, io.Closer(connection))
	return pb.NewOutliersClient(connection), nil
}

func grpcRivals(over string, client pb.OutliersClient, p *process) []rival {
	ctx := context.Background()
	noop := func() error {
		_, err := client.Noop(ctx, &emptypb.Empty{})
		return err
	}
	metrics := func(data []float64, want []int) func() error {
		request := &pb.Metrics{Metrics: make([]*pb.Metric, len(data))}
		time := timestamppb.Now()
		for i, x := range data {
			request.Metrics[i] = &pb.Metric{Time: time, Name: "metric-" + strconv.Itoa(i%10), Value: x}
		}
		return func() error {
			answer, err := client.DetectMetrics(ctx, request)
			return check(answer.GetIndices(), want, err)
		}
	}
	packed := func(data []float64, want []int) func() error {
		request := &pb.Packed{Values: data}
		return func() error {
			answer, err := client.DetectPacked(ctx, request)
			return check(answer.GetIndices(), want, err)
		}
	}
	raw := func(data []float64, want []int) func() error {
		request := &pb.Raw{Memory: bytesOf(data)}
		return func() error {
			answer, err := client.DetectRaw(ctx, request)
			return check(int64sOf(answer.GetMemory()), want, err)
		}
	}
	return []rival{
		{name: "gRPC, a message per value, " + over, key: "grpc_metrics_vs_bind", prepare: metrics, process: p},
		{name: "gRPC, packed doubles, " + over, key: "grpc_packed_vs_bind", noopKey: "grpc_noop_vs_bind", noopName: "gRPC, " + over, noop: noop, prepare: packed, parallel: over == "unix socket", process: p},
		{name: "gRPC, raw bytes, " + over, prepare: raw, process: p},
	}
}
