"""The listener of the pages."""

import ssl

from exporter.listening import App, Listener

TUNING = {
    "max_request_body_size": 4 * 1024,  # nothing here takes a body
    "outbuf_overflow": 32 * 1024 * 1024,  # a large exposition stays in memory and out of temporary files
}


class WebServer(Listener):
    """Answers with the pages of an app (web.app.create_app)."""

    def __init__(
        self, app: App, host: str = "127.0.0.1", port: int = 9464, *, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(app, (host, port), tuning=TUNING, tls=tls)
