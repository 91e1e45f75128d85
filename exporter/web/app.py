"""The pages: /metrics for Prometheus, /healthz and /readyz for whoever restarts us, / for people.

The app asks two functions, `render` and `state`, and knows nothing of loops or stores; a scrape never calls Odoo.
"""

import gzip
from collections.abc import Callable

from flask import Flask, Response, jsonify, render_template_string, request

from exporter.errors import StoreError
from exporter.web.negotiation import OPENMETRICS, TEXT, takes_gzip, wants_openmetrics
from exporter.web.state import State, is_ready

Render = Callable[[bool], bytes]
"""render(openmetrics) -> the whole exposition."""

LANDING = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>odoo-otel</title>
<style>
body { font-family: sans-serif; margin: 2em; } td, th { text-align: left; padding: .2em 1em .2em 0; }
.bad { color: #b00; }
</style></head>
<body><h1>odoo-otel {{ version }}</h1>
<p><a href="/metrics">Metrics</a> &middot; <a href="/healthz">Process</a> &middot; <a href="/readyz">Ready</a></p>
{% if store %}<p class="bad">The store cannot be read: {{ store }}</p>{% endif %}
{% for name, alive in loops.items() if not alive %}<p class="bad">The loop {{ name }} has ended.</p>{% endfor %}
<h2>Sources</h2>
<table><tr><th>Database</th><th>Source</th><th>State</th><th>Last success</th></tr>
{% for each in sources -%}
<tr{% if not each.ok %} class="bad"{% endif %}><td>{{ each.tenant }}</td><td>{{ each.source }}</td>
<td>{{ "ok" if each.ok else each.error or "failed" }}</td><td>{{ each.last_success or "never" }}</td></tr>
{% else %}<tr><td colspan="4">No source was polled yet.</td></tr>
{% endfor %}</table>
<h2>Sending</h2>
<table><tr><th>Signal</th><th>State</th><th>Reason</th><th>Waiting</th></tr>
{% for each in signals -%}
<tr><td>{{ each.signal }}</td><td>{{ each.condition }}</td><td>{{ each.reason }}</td><td>{{ each.waiting }}</td></tr>
{% endfor %}</table>
</body></html>
"""
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


def create_app(render: Render, state: Callable[[], State]) -> Flask:
    """The WSGI application over the two functions; both may be called from several threads at once."""
    app = Flask(__name__, static_folder=None)

    @app.get("/metrics")
    def metrics() -> Response:
        return _exposition(render)

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        now = state()
        ready = is_ready(now)
        return jsonify(ready=ready, store=now["store"] or "ok", loops=now["loops"]), 200 if ready else 503

    @app.get("/")
    def landing() -> str:
        return render_template_string(LANDING, **state())

    app.register_error_handler(StoreError, _no_store)
    app.after_request(_harden)
    return app


def _exposition(render: Render) -> Response:
    openmetrics = wants_openmetrics(request.accept_mimetypes)
    body = render(openmetrics)
    response = Response(body, content_type=OPENMETRICS if openmetrics else TEXT)
    response.headers["Vary"] = "Accept, Accept-Encoding"
    if takes_gzip(request.accept_encodings):
        response.set_data(gzip.compress(body, 1, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _no_store(error: StoreError) -> Response:
    """No numbers are better than wrong ones: the scrape fails and `up` is 0."""
    return Response(f"The store cannot be read: {type(error).__name__}\n", status=503, mimetype="text/plain")


def _harden(response: Response) -> Response:
    response.headers.update(SAFE)
    return response
