"""A collector for OTLP over HTTP: a server of this process that keeps what it accepts."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Labels = frozenset[tuple[str, str]]


@dataclass
class Collector:
    """Refuses the requests whose numbers, from 0, are in ``refused``."""

    refused: frozenset[int] = frozenset()
    url: str = ""
    number: int = 0
    heads: list[Message] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)

    def take(self, path: str, head: Message, body: bytes) -> int:
        """The status of an answer."""
        number, self.number = self.number, self.number + 1
        if number in self.refused:
            return 400
        self.heads.append(head)
        self.bodies.append(body)
        if path.endswith("/v1/metrics"):
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))
        else:
            assert path.endswith("/v1/traces")
            self.traces.append(ExportTraceServiceRequest.FromString(body))
        return 200

    def series(self, name: str) -> Iterator[Metric]:
        """Every metric of this name, in the order of arrival."""
        for request in self.metrics:
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    yield from (metric for metric in scope.metrics if metric.name == name)

    def numbers(self, name: str) -> Iterator[tuple[Labels, float]]:
        """Every point of a counter or gauge."""
        for metric in self.series(name):
            for point in (*metric.sum.data_points, *metric.gauge.data_points):
                yield labels(point.attributes), point.as_int or point.as_double

    def histograms(self, name: str) -> Iterator[tuple[Labels, ExponentialHistogramDataPoint]]:
        """Every point of a histogram."""
        for metric in self.series(name):
            for point in metric.exponential_histogram.data_points:
                yield labels(point.attributes), point

    def spans(self) -> list[Span]:
        """Every span."""
        scopes = [
            scope for request in self.traces for found in request.resource_spans for scope in found.scope_spans
        ]
        assert {scope.scope.name for scope in scopes} <= {"nakama_bots"}
        return [span for scope in scopes for span in scope.spans]


def labels(attributes: object) -> Labels:
    """The attributes as texts."""
    found: list[KeyValue] = list(attributes)  # type: ignore[call-overload]
    return frozenset((one.key, one.value.string_value or str(one.value.int_value)) for one in found)


@contextmanager
def collector(*refused: int) -> Iterator[Collector]:
    """A collector that runs; it refuses the requests of these numbers."""
    kept = Collector(frozenset(refused))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.send_response(kept.take(self.path, self.headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
