"""A server of log streams (build.bazel.remote.logstream.v1, ByteStream): who has a stream's write name may append to it,
who has its name may read it while it grows. Run by the Python that BuildGrid is installed for; prints its port."""
import concurrent.futures
import sys
import threading
import time

import grpc
from buildgrid._protos.build.bazel.remote.logstream.v1 import remote_logstream_pb2 as log_pb
from buildgrid._protos.build.bazel.remote.logstream.v1 import remote_logstream_pb2_grpc as log_grpc
from buildgrid._protos.google.bytestream import bytestream_pb2 as bytes_pb
from buildgrid._protos.google.bytestream import bytestream_pb2_grpc as bytes_grpc


class Stream:
    def __init__(self):
        self.data, self.ended, self.moved = b"", False, threading.Condition()


class Logs(log_grpc.LogStreamServiceServicer, bytes_grpc.ByteStreamServicer):
    def __init__(self):
        self.streams = {}

    def CreateLogStream(self, request, context):
        name = f"{request.parent.strip('/')}/logstreams/{len(self.streams)}"
        self.streams[name] = Stream()
        return log_pb.LogStream(name=name, write_resource_name=name + "/write")

    def QueryWriteStatus(self, request, context):
        stream = self.streams[request.resource_name.removesuffix("/write")]
        return bytes_pb.QueryWriteStatusResponse(committed_size=len(stream.data), complete=stream.ended)

    def Write(self, requests, context):
        stream = None
        for request in requests:
            stream = stream or self.streams[request.resource_name.removesuffix("/write")]
            with stream.moved:
                stream.data += request.data
                stream.ended = stream.ended or request.finish_write
                stream.moved.notify_all()
            if request.finish_write:
                break
        return bytes_pb.WriteResponse(committed_size=len(stream.data))

    def Read(self, request, context):
        if request.resource_name not in self.streams:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such log")
        stream, offset = self.streams[request.resource_name], request.read_offset
        print(f"read {time.time()} {request.resource_name} from {offset}", file=sys.stderr, flush=True)
        while context.is_active():
            with stream.moved:
                stream.moved.wait_for(lambda: stream.ended or len(stream.data) > offset, 1)
                piece, ended = stream.data[offset:], stream.ended
            if piece:
                yield bytes_pb.ReadResponse(data=piece)
            offset += len(piece)
            if ended and not piece:
                return


logs = Logs()
server = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
log_grpc.add_LogStreamServiceServicer_to_server(logs, server)
bytes_grpc.add_ByteStreamServicer_to_server(logs, server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
server.wait_for_termination()
