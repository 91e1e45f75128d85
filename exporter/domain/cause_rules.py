"""What HTTP statuses, classes of exceptions and SQLSTATEs say about a cause: tables, read by causes.py.

A Rule may listen: a class that is raised for anything (UserError around a refused connection) stands only where the
words of the message say nothing else. Sources: RFC 9110, appendix A of PostgreSQL's manual, RFC 3463 (mail), errno(3),
odoo/exceptions.py, the failure types of Odoo's mail and SMS.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from exporter.domain.runs import Cause

Hearing = Literal["nothing", "plain", "anything"]
PASSES: frozenset[Cause] = frozenset({"timeout", "rate_limit", "outage"})  # by itself: trying again makes sense
_ALL: frozenset[Cause] = frozenset({"auth", "schema", "timeout", "rate_limit", "outage", "data", "business_rule"})
_TECHNICAL = _ALL - {"business_rule", "data"}


class Rule(NamedTuple):
    """A cause, and what the words may put in its place.

    Attributes:
        hearing: whether words count: never, only plain ones, or also hints (sayings.py).
        unless: the causes that words may name instead.
        again: it says itself that it will be tried again.
    """

    cause: Cause
    hearing: Hearing = "nothing"
    unless: frozenset[Cause] = _ALL
    again: bool = False


_AUTH, _TIMEOUT, _OUTAGE, _LIMIT = Rule("auth"), Rule("timeout"), Rule("outage"), Rule("rate_limit")
_SCHEMA, _DATA, _BUSINESS, _NOTHING = Rule("schema"), Rule("data"), Rule("business_rule"), Rule("unknown")
_ANYTHING = Rule("unknown", "anything")  # raised for anything: only the words say why
_LIMITED: frozenset[Cause] = frozenset({"rate_limit"})

# A status that says it all. GitHub, Google and Salesforce answer 403 to too many requests, S3 answers 503.
STATUSES: Mapping[int, Rule] = {
    401: Rule("auth", "plain", _LIMITED),
    402: _BUSINESS,
    403: Rule("auth", "plain", _LIMITED | {"outage"}),
    407: _AUTH,
    408: _TIMEOUT,
    413: _SCHEMA,
    419: _AUTH,
    425: _TIMEOUT,
    429: _LIMIT,
    451: _BUSINESS,
    502: _OUTAGE,
    503: Rule("outage", "plain", _LIMITED),
    504: _TIMEOUT,
    507: _OUTAGE,
    511: _AUTH,
    **dict.fromkeys((520, 521, 523, 527, 530), _OUTAGE),
    **dict.fromkeys((522, 524), _TIMEOUT),
    **dict.fromkeys((525, 526), _AUTH),
}
# What is left to say when neither the class nor the words did. 500 is not here: it may be anything.
LAST_STATUSES: Mapping[int, Cause] = {
    **dict.fromkeys((400, 404, 405, 406, 409, 410, 411, 414, 415, 417, 422, 426, 428, 431, 501, 505), "schema"),
    423: "timeout",
}


def _names(table: Mapping[Rule, str]) -> Iterator[tuple[str, Rule]]:
    return ((name, rule) for rule, names in table.items() for name in names.split())


_ODOO = {
    _AUTH: "AccessDenied SessionExpiredException Unauthorized Forbidden",
    Rule("auth", "plain", frozenset({"timeout", "outage"})): "AccessError",
    Rule("business_rule", "plain", _TECHNICAL): "UserError ValidationError RedirectWarning",
    _BUSINESS: "MissingError InsufficientCreditError",
    _TIMEOUT: "LockError ConcurrencyError",
    _OUTAGE: "PoolError IAPServerError",
    _DATA: "ImportValidationError",
    Rule("schema", "plain", frozenset({"auth"})): "BadRequest NotFound MethodNotAllowed UnsupportedMediaType",
    Rule("unknown", "anything", again=True): "RetryableJobError",
    _ANYTHING: "JobError FailedJobError AccountEdiProxyError MailDeliveryException Exception RPCError Fault error_perm",
    Rule("outage", "plain"): "JobFoundDead",
    _SCHEMA: "NoSuchJobError ChannelNotFound QWebException AssetError",
}
_LETTERS = {  # failure types of mail, SMS and letters
    Rule("outage", "plain"): "mail_smtp sms_server",
    _DATA: "mail_email_invalid mail_email_missing mail_from_invalid mail_from_missing mail_bounce sms_number_missing "
    "sms_number_format sms_invalid_destination sms_not_delivered sn_fields sn_format twilio_from_missing "
    "twilio_from_to",
    _BUSINESS: "mail_bl mail_optout mail_dup sms_credit sms_country_not_supported sms_registration_needed "
    "sms_blacklist sms_duplicate sms_optout sms_not_allowed sn_credit sn_trial sn_price",
    _AUTH: "sms_acc twilio_authentication",
    _TIMEOUT: "sms_expired",
    _SCHEMA: "twilio_callback",
    _NOTHING: "mail_spam",
    _ANYTHING: "sn_error sms_rejected",
}
_HTTP = {  # requests, urllib3, http.client, ssl
    _TIMEOUT: "Timeout ConnectTimeout ReadTimeout ConnectTimeoutError ReadTimeoutError",
    Rule("outage", "plain", frozenset({"timeout", "schema", "auth"})): "ConnectionError NewConnectionError "
    "NameResolutionError ProtocolError MaxRetryError ProxyError ChunkedEncodingError IncompleteRead RemoteDisconnected "
    "ClosedPoolError",
    Rule("auth", "plain", frozenset({"outage", "schema", "timeout"})): "SSLError SSLCertVerificationError "
    "CertificateError",
    _OUTAGE: "SSLEOFError SSLZeroReturnError",
    _SCHEMA: "MissingSchema InvalidSchema InvalidURL InvalidHeader LocationParseError TooManyRedirects DecodeError "
    "ContentDecodingError BadStatusLine StreamConsumedError InvalidJSONError",
    _ANYTHING: "HTTPError RequestException RetryError ResponseError",
}
_PYTHON = {
    _SCHEMA: "AttributeError IndexError KeyError LookupError NameError UnboundLocalError ImportError "
    "ModuleNotFoundError NotImplementedError RecursionError SyntaxError IndentationError AssertionError "
    "JSONDecodeError XMLSyntaxError ParseError ExpatError DocumentInvalid XMLSchemaParseError TemplateError "
    "UndefinedError StopIteration SchemaError",
    Rule("schema", "anything", frozenset({"data"})): "TypeError",
    Rule("schema", "anything"): "ValueError",
    _DATA: "UnicodeError UnicodeDecodeError UnicodeEncodeError ZeroDivisionError OverflowError ArithmeticError "
    "FloatingPointError InvalidOperation BadZipFile FileNotFoundError IsADirectoryError NotADirectoryError "
    "FileExistsError UnidentifiedImageError PdfReadError",
    _AUTH: "PermissionError",
    _TIMEOUT: "TimeoutError TimeoutExpired CancelledError BlockingIOError InterruptedError SoftTimeLimitExceeded",
    _OUTAGE: "ConnectionRefusedError ConnectionResetError ConnectionAbortedError BrokenPipeError gaierror herror "
    "EOFError MemoryError",
    _ANYTHING: "Error OSError IOError RuntimeError error",
}
_SMTP = {
    _AUTH: "SMTPAuthenticationError",
    Rule("outage", "plain", _LIMITED | {"auth"}): "SMTPConnectError SMTPHeloError SMTPServerDisconnected",
    _SCHEMA: "SMTPNotSupportedError",
    _ANYTHING: "SMTPException SMTPResponseException SMTPRecipientsRefused SMTPSenderRefused SMTPDataError",
}
_POSTGRES = {  # psycopg's names; the same as SQLSTATES
    _DATA: "DataError IntegrityError DataException StringDataRightTruncation NumericValueOutOfRange "
    "NullValueNotAllowed InvalidDatetimeFormat DatetimeFieldOverflow IntervalFieldOverflow DivisionByZero "
    "InvalidTextRepresentation InvalidBinaryRepresentation InvalidParameterValue InvalidJsonText "
    "CharacterNotInRepertoire UntranslatableCharacter InvalidXmlDocument InvalidXmlContent SubstringError "
    "SequenceGeneratorLimitExceeded CardinalityViolation ProgramLimitExceeded",
    _SCHEMA: "ProgrammingError NotSupportedError FeatureNotSupported UndefinedColumn UndefinedTable UndefinedFunction "
    "UndefinedObject UndefinedParameter DatatypeMismatch AmbiguousColumn AmbiguousFunction AmbiguousAlias "
    "AmbiguousParameter GroupingError WindowingError WrongObjectType CannotCoerce IndeterminateDatatype InvalidName "
    "InvalidColumnReference InvalidForeignKey NameTooLong ReservedName DuplicateColumn DuplicateTable DuplicateObject "
    "DuplicateSchema DuplicateFunction DuplicateAlias DuplicateDatabase GeneratedAlways CollationMismatch "
    "InvalidCatalogName InvalidSchemaName InvalidSqlStatementName InvalidCursorName NoActiveSqlTransaction "
    "ActiveSqlTransaction StatementTooComplex TooManyColumns TooManyArguments ObjectNotInPrerequisiteState "
    "CantChangeRuntimeParam",
    _AUTH: "InsufficientPrivilege InvalidPassword InvalidAuthorizationSpecification",
    _TIMEOUT: "QueryCanceled QueryCanceledError LockNotAvailable ObjectInUse SerializationFailure DeadlockDetected "
    "TransactionRollback TransactionRollbackError StatementCompletionUnknown IdleInTransactionSessionTimeout "
    "IdleSessionTimeout",
    _OUTAGE: "ConnectionException ConnectionFailure ConnectionDoesNotExist SqlclientUnableToEstablishSqlconnection "
    "SqlserverRejectedEstablishmentOfSqlconnection InsufficientResources DiskFull OutOfMemory TooManyConnections "
    "ConfigurationLimitExceeded AdminShutdown CrashShutdown CannotConnectNow DatabaseDropped OperatorIntervention "
    "IoError UndefinedFile InternalError InternalError_ DataCorrupted IndexCorrupted ReadOnlySqlTransaction",
    Rule("outage", "anything", frozenset({"auth", "timeout", "schema"})): "OperationalError",
    _ANYTHING: "InterfaceError DatabaseError",
    Rule("business_rule", "plain", _TECHNICAL): "RaiseException",
    _NOTHING: "InFailedSqlTransaction",  # follows another failure, which is the one to know
}
_NODE = {  # n8n's classes, the socket codes of Node, the codes of axios
    _OUTAGE: "ECONNREFUSED ECONNRESET EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENOTFOUND EAI_AGAIN EAI_FAIL EPIPE "
    "EADDRNOTAVAIL ENOSPC ENOMEM EMFILE ERR_NETWORK UND_ERR_SOCKET WorkflowCrashedError NodeCrashedError "
    "SystemShutdownExecutionCancelledError",
    _TIMEOUT: "ETIMEDOUT ESOCKETTIMEDOUT ECONNABORTED EBUSY UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT "
    "TimeoutExecutionCancelledError DbConnectionTimeoutError",
    _AUTH: "EACCES EPERM NodeSslError UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT "
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY SELF_SIGNED_CERT_IN_CHAIN DEPTH_ZERO_SELF_SIGNED_CERT CERT_HAS_EXPIRED "
    "CERT_NOT_YET_VALID CERT_UNTRUSTED CERT_REVOKED ERR_TLS_CERT_ALTNAME_INVALID",
    _DATA: "ENOENT EISDIR ENOTDIR EEXIST",
    _SCHEMA: "ERR_INVALID_URL ERR_FR_TOO_MANY_REDIRECTS ERR_BAD_OPTION ERR_BAD_OPTION_VALUE ERR_INVALID_PROTOCOL "
    "ERR_UNSUPPORTED_PROTOCOL WebhookPathTakenError NodeVersionNotFoundError ReferenceError RangeError",
    Rule("schema", "anything"): "ExpressionError",
    Rule("outage", "plain"): "EPROTO",
    _NOTHING: "ManualExecutionCancelledError ExecutionCancelledError",
    _ANYTHING: "NodeApiError NodeOperationError WorkflowOperationError AxiosError ERR_BAD_REQUEST ERR_BAD_RESPONSE",
}
CLASSES: Mapping[str, Rule] = {
    name: rule for table in (_ODOO, _LETTERS, _HTTP, _PYTHON, _SMTP, _POSTGRES, _NODE) for name, rule in _names(table)
}
# Whole names where the last part would say something else: what validates a form is no rule of a business.
DOTTED: Mapping[str, Rule] = dict.fromkeys(
    (
        "jsonschema.exceptions.ValidationError",
        "marshmallow.exceptions.ValidationError",
        "pydantic_core._pydantic_core.ValidationError",
        "zeep.exceptions.ValidationError",
    ),
    _SCHEMA,
)
# Parts of the names nobody listed, in this order.
PARTS: tuple[tuple[str, Rule], ...] = (
    ("timeout", _TIMEOUT),
    ("ratelimit", _LIMIT),
    ("toomanyrequests", _LIMIT),
    ("throttl", _LIMIT),
    ("auth", _AUTH),
    ("accessdenied", _AUTH),
    ("permission", _AUTH),
    ("credential", _AUTH),
    ("hpe_", _SCHEMA),
    ("json", _SCHEMA),
    ("xml", _SCHEMA),
    ("parse", _SCHEMA),
    ("decode", _SCHEMA),
    ("violation", _DATA),
    ("notfound", Rule("schema", "anything")),
    ("unreachable", _OUTAGE),
    ("server_down", _OUTAGE),
    ("offline", _OUTAGE),
    ("unavailable", Rule("outage", "anything")),
    ("disconnected", _OUTAGE),
    ("connection", Rule("outage", "anything")),
    ("network", Rule("outage", "anything")),
)
# PostgreSQL's codes, whole ones before their class of two; HEX000 of a driver that has no names.
SQLSTATES: Mapping[str, Rule] = {
    **dict.fromkeys(("42501", "28"), _AUTH),
    **dict.fromkeys(("57014", "55P03", "55006", "25P03", "57P05", "40"), _TIMEOUT),
    **dict.fromkeys(("08", "53", "57", "58", "XX", "25006"), _OUTAGE),
    **dict.fromkeys(("21", "22", "23", "54000"), _DATA),
    **dict.fromkeys(("0A", "25", "26", "34", "3D", "3F", "42", "54", "55"), _SCHEMA),
    "P0001": Rule("business_rule", "plain", _TECHNICAL),
    "25P02": _NOTHING,
}
# The second number of a mail server's code x.y.z (RFC 3463), when the words said nothing.
MAIL_SUBJECTS: Mapping[str, Cause] = {
    "1": "data",
    "2": "data",
    "3": "outage",
    "4": "outage",
    "5": "schema",
    "6": "data",
    "7": "auth",
}
