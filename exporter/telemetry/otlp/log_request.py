"""Log records that somebody sends us over OTLP: their text, and what says where they come from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

DATABASE = "odoo.database"  # a resource attribute: whose lines they are, where the line itself does not say it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The text of one log record, and its resource's `odoo.database` ("" if it has none)."""

    text: str
    database: str


def decode_logs(raw: bytes, *, as_json: bool) -> Iterator[Sent]:
    """Every record of an ExportLogsServiceRequest whose body is text.

    Raises:
        ValueError: not such a request.
    """
    request = ExportLogsServiceRequest()
    try:
        if as_json:
            Parse(raw, request, ignore_unknown_fields=True, max_recursion_depth=32)
        else:
            request.ParseFromString(raw)
    except (DecodeError, ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is no ExportLogsServiceRequest ({type(error).__name__})") from error
    for resource in request.resource_logs:
        names = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield Sent(text=record.body.string_value, database=names.get(DATABASE, ""))


def encode_lines(texts: Iterable[str], database: str) -> bytes:
    """A request that holds one record a text, all of one database."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key=DATABASE).value.string_value = database
    records = resource.scope_logs.add().log_records
    for text in texts:
        records.add().body.string_value = text
    return request.SerializeToString()


def answer(rejected: int, why: str, *, as_json: bool) -> bytes:
    """The answer to a request of which some records were not taken."""
    partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=why) if rejected else None
    response = ExportLogsServiceResponse(partial_success=partial)
    if not as_json:
        return response.SerializeToString()
    if not rejected:
        return b"{}"
    said = why.replace("\\", " ").replace('"', "'")
    return f'{{"partialSuccess":{{"rejectedLogRecords":"{rejected}","errorMessage":"{said}"}}}}'.encode()


def rejected_logs(answer: bytes) -> int:
    """How many records an answer says were not taken.

    Raises:
        ValueError: not such an answer.
    """
    response = ExportLogsServiceResponse()
    try:
        response.ParseFromString(answer)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError("it is no ExportLogsServiceResponse") from error
    return int(response.partial_success.rejected_log_records)
