"""What the words of a message say about a cause, in English: phrases, read in this order by causes.py.

`PLAIN` cannot be misread, also where Odoo wraps the failure of another system into a UserError. `HINTS` count only
where nothing else speaks. Words are lower case, `_` and `-` are spaces, `camelCase` is two words; ` ... ` says that the
rest comes later. What is in another language is known by its class and status alone.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from exporter.domain.runs import Cause


class Saying(NamedTuple):
    """Phrases that mean a cause: single ones, and ones of which a second part comes later."""

    cause: Cause
    single: tuple[str, ...]
    double: tuple[tuple[str, str], ...]


def _say(cause: Cause, phrases: str) -> Saying:
    parts = [phrase.split(" ... ") for phrase in phrases.split("|")]
    return Saying(
        cause=cause,
        single=tuple(part[0] for part in parts if len(part) == 1),
        double=tuple((part[0], part[1]) for part in parts if len(part) > 1),
    )


PLAIN: tuple[Saying, ...] = (
    _say(
        "rate_limit",
        "rate limit|ratelimit|too many requests|request limit|requests limit|maximum number of requests|"
        "maximum credits exceeded|daily limit|hourly limit|usage limit|sending limit|quota exceeded|"
        "exceeded ... quota|over quota|out of quota|calls per second|too quickly|reduce your request rate|throttl|"
        "greylist|rejected execution",
    ),
    _say(
        "unknown",
        "rejected as spam|detected as spam",
    ),
    _say(
        "timeout",
        "timed out|timeout|time out|took too long|deadline exceeded|time limit|could not serialize|deadlock|"
        "lock wait|could not obtain lock|unable to lock|unable to obtain ... lock|database is locked|"
        "exclusive access|concurrent update|modified by another|locked by another|already being|currently being|"
        "currently processing|another request ... in progress|being accessed by other|etimedout|esockettimedout|"
        "econnaborted",
    ),
    _say(
        "auth",
        "access token|bearer token|refresh token|security token|invalid token|expired token|token not found|"
        "token ... is invalid|token ... is not valid|token ... expired|token ... revoked|token ... is missing|"
        "redeem token|api key|apikey|api token|access key|invalid key|invalid grant|invalid client|invalid auth|"
        "not authed|missing scope|insufficient ... scope|insufficient privilege|insufficient permission|"
        "client secret|credential|authentication|authenticate|authorization failed|unauthori|not authori|"
        "username or password|user name or password|login failed|login incorrect|login was refused|not logged in|"
        "incorrect password|invalid password|wrong password|wrongpass|invalid username|password authentication|"
        "no password supplied|not permitted to log in|incorrect passkey|otp is invalid|private key|public key|"
        "user delegation key|oauth|permission denied|access denied|access is denied|access refused|access rights|"
        "not allowed to access|no permissions|not have permission|signature does not match|signature mismatch|"
        "signature verification|invalid signature|connection string is not allowed|session expired|"
        "session has expired|csrf|needs to login|connect with your|relay access denied|relaying denied|"
        "certificate verify failed|certificate required|certificate has expired|certificate is missing|"
        "self signed certificate|certificateerror|certificate error|setup the certificate|set up a valid|"
        "no certificate|no valid certificate|configure the certificate|the certificate and",
    ),
    _say(
        "schema",
        "wrong version number|bad status line|badstatusline|invalid response to ssl|database ... does not exist|"
        "no such database",
    ),
    _say(
        "outage",
        "connection refused|refused the connection|connection reset|connection aborted|connection broken|"
        "connection lost|lost connection|connection already closed|connection was closed|"
        "connection unexpectedly closed|closed the connection|remote end closed|server disconnected|gone away|"
        "socket hang up|broken pipe|eof occurred|unexpected eof|failed to connect|failed to establish|"
        "failed to contact|failed to reach|could not connect|could not contact|could not reach|"
        "could not establish|unable to connect|unable to contact|unable to reach|cannot connect|cannot contact|"
        "can't connect|can't contact|connection to ... failed|occurred while reaching|during communication with|"
        "error communicating|network error|network connectivity|network is unreachable|no route to host|"
        "name resolution|name or service not known|getaddrinfo|failed to resolve|could not resolve|"
        "could not translate host name|unreachable|host is down|is offline|not responding|no response received|"
        "service unavailable|bad gateway|no available server|no healthy upstream|service is temporarily|"
        "temporarily unavailable|currently unavailable|server error from|upstream connect error|connect error|"
        "too many clients|too many connections|connection slots|connection pool is full|out of memory|"
        "no space left|disk full|disk i/o|shutting down|starting up|loading the dataset|protocol banner|"
        "scheduled maintenance|under maintenance|econnrefused|econnreset|ehostunreach|enetunreach|enotfound|"
        "eai again|connection failed|connection test failed|error connecting to|fetch failed|failed to fetch",
    ),
    _say(
        "schema",
        "unexpected ... response:|invalid response|failed to render|error while creating xml|"
        "not supported by the server|found for line in xml|uri ... not found|invalid json response",
    ),
    _say(
        "unknown",
        "failed to |an error occurred.|unexpected error|something went wrong|we could not generate a response",
    ),
)
HINTS: tuple[Saying, ...] = (
    _say(
        "auth",
        "forbidden|not allowed to|no account token|login required|must be owner|not owned by|account inactive|"
        "account is disabled|permission|insufficient role|authorization|token not",
    ),
    _say(
        "rate_limit",
        "slow down|too often|too frequent|retry after|backoff",
    ),
    _say(
        "timeout",
        "is locked|try again in a|resource busy|please retry|is in progress|already in progress|still in progress|"
        "is busy",
    ),
    _say(
        "outage",
        "unavailable|outage|overloaded|is down",
    ),
    _say(
        "business_rule",
        "declined|insufficient funds|insufficient credit|insufficient balance|out of stock|credit limit|"
        "spending limit|over limit|card has expired|payment required|needs approval|not approved|"
        "custom validation|business rule|policy|period ... is closed|is closed|already paid|already captured|"
        "already cancelled|already canceled|already invoiced|already shipped|already refunded|already been paid|"
        "already been captured|already been cancelled|already been canceled|already been invoiced|"
        "already been shipped|already been refunded|already been delivered|already been processed|"
        "cannot be changed|cannot be modified|cannot be cancelled|cannot be refunded|exceeds the captured|"
        "exceeds the available|exceeds the remaining|minimum order|not refundable|not eligible|unsubscribed|"
        "opted out|blacklisted|blocked by|insufficient stock|insufficient inventory|insufficient quantity|"
        "not enough stock|not enough credit|not enough inventory|transition not allowed|you already have|"
        "does not allow",
    ),
    _say(
        "rate_limit",
        "limit exceeded|limit reached|exceeded the limit",
    ),
    _say(
        "schema",
        "request is invalid|no such column|no such table|no such bucket|no such method|unknown name|unknown field|"
        "unknown column|unknown parameter|unknown property|unknown operation|unknown argument|unknown method|"
        "unrecognized|invalid field|invalid json|invalid xml|json format|valid json|content type|mimetype|"
        "media type|parsing|not well formed|unmarshalling|unexpected element|unexpected keyword|unexpected token|"
        "unexpected character|unexpected end of|cannot read properties|cannot read property|is not a function|"
        "is not defined|could not get parameter|missing element|missing required param|required parameter|"
        "parameter missing|parameter unknown|property ... does not exist|column ... does not exist|"
        "must be of type|field required|missing field|no queue|cannot find module|404 not found|error: not found|"
        "page not found|route not found|endpoint not found|method not found|entity was not found|"
        "resource not found|application not found|configuration is missing|not configured",
    ),
    _say(
        "data",
        "no such|resource missing|user unknown|unknown user|not found in|channel not found|no record|"
        "no value found|multiple currencies|already exists|already a list member|already been taken|"
        "already in use|already registered|must be the same|cannot find|duplicate|not unique|must be unique|blank|"
        "cannot be empty|must not be empty|postal code|zip code|phone number|email address|valid email|"
        "address ... invalid|is invalid|is not valid|not a valid|must be a valid|invalid literal|invalid date|"
        "invalid value|invalid email|invalid phone|invalid number|could not convert|does not match format|"
        "unconverted data|isoformat|out of range|must be between|must be greater|must be positive|must be less|"
        "exceeds ... size|size exceeds|too large|too long|too short|maximum per|wrong value|wrong properties|"
        "incorrect value|mixing|mailbox full|item(s) but|cannot contain nul|padding|base64|corrupt|overflow|"
        "division by zero|must be an email|must be a number|must be a date|must be a sequence|should not be empty|"
        "must not be null| not found|insufficient data|insufficient history",
    ),
    _say(
        "schema",
        "invalid arguments|invalid request|invalid payload|malformed request|parse|missing parameter|is required|"
        "not registered|does not exist|not loaded|not supported|unsupported|no defined data|deprecated",
    ),
)
_SPACES = str.maketrans("_-\u2019", "  '")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words(text: str) -> str:
    """The text as the phrases want it."""
    return " ".join(_CAMEL.sub(" ", text.translate(_SPACES)).lower().split())


def said(text: str, sayings: Iterable[Saying], allowed: frozenset[Cause]) -> Cause | None:
    """The first cause of which a phrase is in the words; `unknown` if they say that nobody knows."""
    for saying in sayings:
        if (saying.cause in allowed or saying.cause == "unknown") and _has(text, saying):
            return saying.cause
    return None


def _has(text: str, saying: Saying) -> bool:
    for phrase in saying.single:  # a plain loop: this is where the time goes
        if phrase in text:
            return True
    return any(text.find(after, text.find(first)) >= 0 for first, after in saying.double if first in text)
