"""Log records, resources and scopes as OTLP bytes, by opentelemetry-proto's messages filled in place."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from exporter.domain.runs import Attributes, Scalar
from exporter.domain.tenants import Tenant
from exporter.domain.times import micros
from exporter.domain.told import Labels, LogRecord, Severity
from exporter.telemetry.otlp.requests import context
from exporter.telemetry.otlp.spans import NANOS, SAMPLED

VERSION = "0.1.0"  # of the instrumentation scope; a test holds it against pyproject.toml
SCOPE_PREFIX = "odoo_otel."
_INSTANCES = UUID("4d63009a-8d0f-11ee-aad7-4c796ed8e320")  # semconv's namespace for service.instance.id
_SEVERITIES: Mapping[Severity, tuple[logs_pb2.SeverityNumber.ValueType, str]] = {
    "info": (logs_pb2.SEVERITY_NUMBER_INFO, "INFO"),
    "warn": (logs_pb2.SEVERITY_NUMBER_WARN, "WARN"),
    "error": (logs_pb2.SEVERITY_NUMBER_ERROR, "ERROR"),
}
_Attributed = logs_pb2.LogRecord | Resource | NumberDataPoint | HistogramDataPoint


def resource(tenant: Tenant, host_id: str, service_name: str = "odoo") -> bytes:
    """The encoded Resource of a tenant: constant as long as its configuration is, no attribute of a run, ever.

    `host_id` must not be empty: Jaeger comments on every child span of resources without one (facts 4.2).
    """
    message = Resource()
    known = (
        ("service.name", service_name),
        ("service.namespace", tenant.name),
        ("service.instance.id", str(uuid5(_INSTANCES, tenant.uuid))),
        ("deployment.environment.name", tenant.environment),
        ("host.id", host_id),
        ("host.name", urlsplit(tenant.url).hostname or host_id),
        ("odoo.database.name", tenant.database),
    )
    fill(message, known)
    return message.SerializeToString()


def own_resource(version: str, host_id: str) -> bytes:
    """The encoded Resource of this program, for what it says of itself."""
    message = Resource()
    known = (
        ("service.name", "odoo-otel"),
        ("service.version", version),
        ("service.instance.id", str(uuid5(_INSTANCES, host_id))),
        ("host.name", host_id),
    )
    fill(message, known)
    return message.SerializeToString()


def scope(source: str) -> bytes:
    """The encoded InstrumentationScope of a Source (`odoo/jobs`)."""
    return InstrumentationScope(name=SCOPE_PREFIX + source, version=VERSION).SerializeToString()


@lru_cache(maxsize=1024)
@lru_cache(maxsize=1024)
def place(resource: bytes, source: str) -> bytes:
    """The context of what a Source says about a tenant, of whom this is the encoded resource."""
    return context(resource, scope(source))


def encode_log(log: LogRecord) -> bytes:
    """One OTLP LogRecord: an event with a name (facts/opentelemetry.md 4.1). Text that is no Unicode gets `?`."""
    message = logs_pb2.LogRecord(event_name=log.event_name, trace_id=log.trace_id, span_id=log.span_id)
    message.severity_number, message.severity_text = _SEVERITIES[log.severity]
    message.time_unix_nano = max(micros(log.at), 0) * NANOS  # unsigned: nothing happened before 1970
    message.observed_time_unix_nano = max(micros(log.observed_at), 0) * NANOS
    message.flags = SAMPLED if log.trace_id else 0
    message.body.string_value = clean(log.body)
    fill(message, log.attributes)
    return message.SerializeToString()


def fill(message: _Attributed, attributes: Attributes | Labels) -> None:
    """Add attributes to a message, in their order."""
    add = message.attributes.add
    for key, value in attributes:
        pair = add()
        pair.key = key
        try:
            _set(pair.value, value)
        except ValueError:  # lone surrogates, integers beyond 64 bits
            pair.value.string_value = clean(str(value))


def _set(target: AnyValue, value: Scalar) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    else:
        target.double_value = value


def clean(text: str) -> str:
    """The text with `?` for what UTF-8 cannot say (lone surrogates, which JSON can)."""
    return text.encode(errors="replace").decode()
