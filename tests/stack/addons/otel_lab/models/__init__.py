"""Models of the test addon."""

from . import otel_lab as otel_lab
