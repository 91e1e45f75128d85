"""`POST /v1/events`: the one way back in."""

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from exporter.errors import Refused
from exporter.intake.receiving import LARGEST, Receiving

RETRY_AFTER = "5"  # seconds


def create_app(receiving: Receiving) -> Flask:
    """The WSGI application; called from several threads at once."""
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

    app.register_error_handler(Refused, _refuse)
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
