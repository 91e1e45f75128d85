"""How our own commands and detectors call our own service, with a token: to it alone."""

import urllib.request
from http.client import HTTPResponse


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_about: object) -> None:
        """None: the redirect is an error."""


def call(request: urllib.request.Request, seconds: float) -> HTTPResponse:
    """The answer, through no proxy (`http_proxy` would read the token) and from nowhere that an answer points to.

    Raises:
        HTTPError: any status but 2xx; a redirect, too.
        URLError: nobody listens there.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    answer: HTTPResponse = opener.open(request, timeout=seconds)
    return answer
