"""The exporter started on the real Odoo as users start it: by four variables alone, and as docker-compose.yml does."""

from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import samples
from tests.stack.lab import Lab, company
from tests.stack.servers.exporter import Detectors, Exporter
from tests.stack.servers.process import wait_until
from tests.stack.test_rules import SHIPPED, resolved

READER = "mon"


def numbers(exporter: Exporter, name: str) -> dict[str, float]:
    """The samples of a metric, by source where it has one."""
    found = samples(exporter.metrics()).items()
    return {dict(labels).get("source", ""): number for (named, labels), number in found if named == name}


def reads(exporter: Exporter) -> bool:
    """Whether Odoo was polled, whole and well."""
    return numbers(exporter, "odoo_up") == {"": 1} and set(numbers(exporter, "odoo_source_success").values()) == {1}


def ran(lab: Lab) -> None:
    """Something that there is to tell of."""
    lab.run_cron("ok")
    lab.finished_cron("ok")


def told(collector: FakeCollector) -> bool:
    """Whether it was told."""
    return "cron LAB ok" in {span.name for span in collector.spans()}


def environments(collector: FakeCollector) -> set[str]:
    """Which environments the spans are of, by their resources."""
    bodies = [request.body for request in collector.requests if request.signal == "traces"]
    parts = [part for body in bodies for part in ExportTraceServiceRequest.FromString(body).resource_spans]
    given = [one for part in parts for one in part.resource.attributes]
    return {one.value.string_value for one in given if one.key == "deployment.environment.name"}


def test_four_variables_suffice(lab: Lab, folder: Path) -> None:
    """ODOO_URL, ODOO_DB, ODOO_USER, ODOO_API_KEY and no file: Odoo is up, read, and told over OTLP (features 1, 36)."""
    ran(lab)
    odoo = {"URL": lab.odoo.url, "DB": lab.odoo.db, "USER": READER, "API_KEY": company().keys[READER]}
    with FakeCollector() as collector:
        exporter = Exporter(folder / "exporter", [], collector.url, **{f"ODOO_{of}": said for of, said in odoo.items()})
        exporter.words = ("run",)
        # Where it listens and keeps its store, because this machine may have another one.
        places = {"LISTEN": exporter.target, "INTAKE_PORT": "0", "STATE": str(exporter.state)}
        exporter.env = {**exporter.env, **{f"ODOO_OTEL_{of}": said for of, said in places.items()}}
        with exporter:
            wait_until(lambda: reads(exporter), "Odoo read")
            wait_until(lambda: told(collector), "a run told")
            assert exporter.reader().tenants() == [lab.odoo.db]
        assert [line for line in exporter.lines() if line["level"] in {"error", "critical"}] == []


def mounted(service: dict[str, Any], place: str) -> Path:
    """The file of this repository that stands at a place of a container."""
    (found,) = (volume["source"] for volume in service["volumes"] if volume["target"] == place)
    return Path(found)


def here(text: str, places: dict[str, str]) -> str:
    """A text with the places of a container replaced, each of which it must have."""
    for there, ours in places.items():
        assert there in text, there
        text = text.replace(there, ours)
    return text


def test_the_exporter_of_compose_reads_odoo(lab: Lab, folder: Path) -> None:
    """Its command, file and environment, only places and addresses changed: Odoo is read, told, and judged (42, 76)."""
    ran(lab)
    chosen = {"ODOO_DB": lab.odoo.db, "ODOO_USER": READER, "ODOO_OTEL_ENVIRONMENT": "staging"}
    (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in chosen.items()))
    services = resolved(folder, "--env-file", folder / "env")["services"]
    ours, theirs = services["odoo-otel"], services["detectors"]
    key, file = folder / "odoo_api_key", mounted(ours, config := "/etc/odoo-otel/odoo-otel.yaml")
    key.write_text(company().keys[READER] + "\n")
    assert file == SHIPPED / "compose/odoo-otel.yaml"
    assert theirs["command"][:2] == ["detect", "--state"]
    with FakeCollector() as collector:
        exporter = Exporter(folder / "exporter", [])
        detectors = Detectors(folder / "detectors", exporter)
        state = {"/var/lib/odoo-otel": str(exporter.state)}
        listens = f"listen_port: {exporter.port}\nintake_port: {detectors.intake}\n"
        exporter.config.write_text(here(file.read_text(), state | {"/run/secrets/odoo_api_key": str(key)}) + listens)
        exporter.words = tuple(exporter.config if word == config else word for word in ours["command"])
        addresses = {"ODOO_URL": lab.odoo.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        assert addresses.keys() | chosen.keys() == ours["environment"].keys()
        exporter.env = ours["environment"] | addresses
        intake = {"http://127.0.0.1:9465": f"http://127.0.0.1:{detectors.intake}"}
        detectors.words = tuple(here(" ".join(theirs["command"]), state | intake).split())
        with exporter, detectors:
            wait_until(lambda: reads(exporter), "Odoo read")
            wait_until(lambda: told(collector), "a run told")
            wait_until(lambda: numbers(exporter, "odoo_detectors_last_run_timestamp_seconds"), "a heartbeat", within=60)
        assert environments(collector) == {"staging"}
