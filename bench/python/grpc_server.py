"""The server for gRPC: grpc_server.py SOCKET, where SOCKET is the name of an abstract unix socket.

It also listens on a free TCP port of the loopback device, which it prints when it is ready.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import lifetime
import numpy as np
import outliers_pb2 as pb
import outliers_pb2_grpc
import workload
from google.protobuf import empty_pb2


class Outliers(outliers_pb2_grpc.OutliersServicer):
    """Detects, in the three forms that arrays come in, and does nothing."""

    def Noop(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return request

    def DetectMetrics(self, request: pb.Metrics, context: grpc.ServicerContext) -> pb.Indices:
        data = np.fromiter((metric.value for metric in request.metrics), dtype=np.float64, count=len(request.metrics))
        return pb.Indices(indices=workload.detect(data))

    def DetectPacked(self, request: pb.Packed, context: grpc.ServicerContext) -> pb.Indices:
        data = np.fromiter(request.values, dtype=np.float64, count=len(request.values))
        return pb.Indices(indices=workload.detect(data))

    def DetectRaw(self, request: pb.Raw, context: grpc.ServicerContext) -> pb.Raw:
        return pb.Raw(memory=workload.detect(np.frombuffer(request.memory)).tobytes())


def main() -> None:
    # Without these, 4 MiB are too much for a message.
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(), options=options)
    outliers_pb2_grpc.add_OutliersServicer_to_server(Outliers(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.add_insecure_port(f"unix-abstract:{sys.argv[1]}")
    server.start()
    print(port, flush=True)
    lifetime.end_with_parent()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
