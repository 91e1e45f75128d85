"""`POST /v1/events`: the one way back in."""

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from exporter.errors import Refused
from exporter.intake.complaining import Complaints
from exporter.intake.otlp_logs import LARGEST as LARGEST_LOGS
from exporter.intake.otlp_logs import Lines
from exporter.intake.receiving import LARGEST, Receiving
from exporter.intake.reviewing import Reviewing
from exporter.intake.signatures import is_bearer

RETRY_AFTER = "5"  # seconds


def create_app(
    receiving: Receiving,
    lines: Lines | None = None,
    review: Reviewing | None = None,
    complaints: Complaints | None = None,
) -> Flask:
    """The WSGI application; called from several threads at once.

    Without `lines` no logs are taken, without `review` nothing is tried again, without `complaints` nothing is logged.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST

    @app.post("/v1/events")
    def events() -> tuple[Response, int]:
        done = receiving.receive(
            _body,
            authorization=request.headers.get("Authorization", ""),
            encoding=request.headers.get("Content-Encoding", ""),
        )
        return jsonify(appended=done.appended, repeated=done.repeated), 202

    @app.post("/v1/logs")
    def logs() -> Response:
        if lines is None:
            raise Refused(404, "no_logs", "No logs are taken here.")
        request.max_content_length = LARGEST_LOGS
        kind = request.headers.get("Content-Type", "")
        answer = lines.receive(
            _body(),
            authorization=request.headers.get("Authorization", ""),
            encoding=request.headers.get("Content-Encoding", ""),
            kind=kind,
        )
        return Response(answer, 200, mimetype=kind.partition(";")[0] or "application/x-protobuf")

    @app.post("/v1/refused/<int:number>")
    def retry(number: int) -> tuple[Response, int]:
        if review is None or not is_bearer(request.headers.get("Authorization", ""), review.digests()):
            raise Refused(401, "token")
        return jsonify(ids=[*review.retry(number)]), 202

    def refuse(refused: Refused) -> Response:
        if complaints is not None:
            complaints.refused(str(request.url_rule), refused.reason, complaints.sender(request.environ))
        return _refuse(refused)

    app.register_error_handler(Refused, refuse)
    app.after_request(_harden)
    return app


def _body() -> bytes:
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise Refused(413, "too_large", f"Send at most {LARGEST} bytes at once.") from error


def _refuse(refused: Refused) -> Response:
    """One sentence, but for 401: every one of those is alike."""
    response = Response(f"{refused.sentence}\n" if refused.sentence else "", refused.status, mimetype="text/plain")
    if refused.status == 401:  # noqa: PLR2004
        response.headers["WWW-Authenticate"] = "Bearer"
    if refused.status == 503:  # noqa: PLR2004
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def _harden(response: Response) -> Response:
    response.headers.update({"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})
    return response
