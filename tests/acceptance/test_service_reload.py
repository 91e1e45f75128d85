"""SIGHUP on the real process: databases and senders come, change and go while the rest runs on."""

from itertools import count
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import requests

from tests.acceptance.test_intake import intake
from tests.fakes import odoo_live as live
from tests.fakes.collector import FakeCollector
from tests.fakes.exporter import Exporter, until
from tests.fakes.odoo_live import LiveOdoo, LiveServer, live_lab

GOOD = "odoo_otel_config_last_reload_successful"
JOBS = "odoo_job_runs_total"
HOOK = {"alertmanager": {"scheme": "bearer", "secrets": "s" * 32}}
ALERT = {"status": "firing", "labels": {"alertname": "Disk"}, "startsAt": "2026-11-22T10:00:00Z", "fingerprint": "f"}


def _job(odoo: LiveOdoo) -> None:
    with odoo.transaction():
        live.done(odoo, live.job(odoo))


def _posted(exporter: Exporter, fingerprint: str) -> int:
    body = {"version": "4", "groupKey": "g", "status": "firing", "alerts": [{**ALERT, "fingerprint": fingerprint}]}
    headers = {"Authorization": f"Bearer {'s' * 32}"}
    return requests.post(f"{intake(exporter)}/hooks/alertmanager", json=body, headers=headers, timeout=10).status_code


def test_a_reload_loses_no_beat(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """Over five reloads in a stream of jobs and webhooks each is taken and told once; a new database is read, too."""
    stop, answers, done = Flag(), list[int](), count(1)

    def work(exporter: Exporter) -> None:
        while not stop.wait(0.05):
            _job(odoo)
            answers.append(_posted(exporter, str(next(done))))

    with (
        LiveServer(live_lab(running=True)) as other,
        FakeCollector() as collector,
        Exporter(tmp_path, [server.entry("acme", hooks=HOOK)], endpoint=collector.url) as exporter,
    ):
        until(lambda: exporter.reads("acme"))
        working = Thread(target=work, args=(exporter,))
        working.start()
        for turn in range(5):
            exporter.databases = [
                server.entry("acme", hooks=HOOK, missing_after=60 + turn),
                other.entry("shop", missing_after=60 + turn),
            ]
            exporter.reload()
        until(lambda: exporter.reads("shop"), what="the new database")
        stop.set()
        working.join()
        until(lambda: exporter.value(JOBS, odoo_database="acme", result="success") >= len(answers), what="every job")
        until(lambda: exporter.settled("acme", "shop"))
        assert set(answers) == {202}
        assert exporter.value(JOBS, odoo_database="acme", result="success") == len(answers)
        assert exporter.value(GOOD) == 1
        assert collector.differing() == []
        attempts = {span.span_id for span in collector.spans() if span.name == "attempt"}
        assert len(attempts) == len(answers)


def test_a_database_that_left_is_read_and_shown_no_more(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """Its series are gone, its senders refused, it is not asked again; when it comes back, what it did meanwhile is."""
    acme = server.entry("acme", hooks=HOOK)
    with LiveServer(live_lab(running=True)) as other:
        shop = other.entry("shop")
        with Exporter(tmp_path, [acme, shop]) as exporter:
            until(lambda: exporter.reads("acme") and exporter.reads("shop"))
            exporter.databases = [shop]
            exporter.reload()
            until(lambda: not any(("odoo_database", "acme") in labels for _, labels in exporter.samples()))
            assert _posted(exporter, "1") == 401
            _job(odoo)
            exporter.databases = [acme, shop]
            exporter.reload()
            until(lambda: exporter.value(JOBS, odoo_database="acme", result="success") == 1, what="the job")
            assert _posted(exporter, "2") == 202


def test_faults_are_said_and_change_nothing(tmp_path: Path, server: LiveServer) -> None:
    """A broken file is refused with its fault in the log and in a gauge, and a mended one is taken (R15: no key)."""
    acme = server.entry("acme")
    with Exporter(tmp_path, [acme]) as exporter:
        until(lambda: exporter.reads("acme"))
        exporter.databases = [{**acme, "poll_secnods": 3}]
        exporter.reload()
        assert any("poll_secnods" in line["message"] for line in exporter.logs())
        assert exporter.value(GOOD) == 0
        assert exporter.reads("acme")
        exporter.databases = [acme]
        exporter.reload()
        assert exporter.value(GOOD) == 1
        assert not any(str(acme["api_key"]) in line for line in exporter.lines)


def test_a_hanging_database_holds_nobody_up(tmp_path: Path, odoo: LiveOdoo, server: LiveServer) -> None:
    """The successor of a poll that hangs waits for its end, the others change at once, SIGTERM still ends it all."""
    with LiveServer(live_lab(running=True)) as hanging:
        acme, slow = server.entry("acme"), hanging.entry("slow")
        with Exporter(tmp_path, [acme, slow]) as exporter:
            until(lambda: exporter.reads("acme") and exporter.reads("slow"))
            hanging.trouble = hanging.hang
            asked = len(hanging.asked)
            until(lambda: len(hanging.asked) > asked, what="a request that hangs")
            exporter.databases = [server.entry("acme", missing_after=61), hanging.entry("slow", missing_after=61)]
            exporter.reload()
            _job(odoo)
            until(lambda: exporter.value(JOBS, odoo_database="acme", result="success") == 1, what="the job")
            exporter.stop()
