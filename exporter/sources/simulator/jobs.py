"""Queue jobs of a day: who creates them, and what the runner does with the few jobs a channel may run at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from random import Random
from uuid import UUID

from exporter.domain.times import SECOND
from exporter.sources.simulator.cast import CAST, Function
from exporter.sources.simulator.facts import HOUR, MINUTE, Fact, dice, micro, usual
from exporter.sources.simulator.incidents import Scene, Span
from exporter.sources.simulator.job_rows import COMMIT, Row, failed_message, versions
from exporter.sources.simulator.rhythm import after_work, arrivals, day_of

_JOBS_A_DAY = 5_000
_MAX_RETRIES = 5
_REQUEUED, _CANCELLED = 0.6, 0.75  # of failed jobs: put back in the queue; cancelled; the rest stays failed
_SIGMA, _CAP = 0.5, 6.0
_BURST = 60  # somebody imports a file just when the channel stops


@dataclass(slots=True)
class Job:
    """One job on its way: the versions of its row so far and what it still waits for."""

    id: int
    function: Function
    created: int
    rng: Random
    uuid: str = ""
    graph: str | None = None
    parents: tuple["Job", ...] = ()
    children: list["Job"] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    retry: int = 0
    episode: int = 0
    done_at: int | None = None


@dataclass(slots=True)
class _Queue:
    """The runner: jobs by the time they are ready, and when each place of a channel is free again."""

    scene: Scene
    waiting: list[tuple[int, int, Job]] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=lambda: {name: [0] * n for name, n in CAST.channels.items()})
    order: Iterator[int] = field(default_factory=count)

    def wants(self, ready: int, job: Job) -> None:
        heappush(self.waiting, (ready, next(self.order), job))

    def turn(self, ready: int, channel: str) -> int:
        """When a job that is ready may start: a place is free, and the channel is not stuck."""
        at = max(ready, heappop(self.places[channel]))
        stuck = next((s for s in self.scene.troubles(f"channel/{channel}") if s.holds(at)), None)
        return at if stuck is None or stuck.ended is None else stuck.ended

    def run(self) -> None:
        while self.waiting:
            ready, _, job = heappop(self.waiting)
            self._attempt(ready, job)

    def _attempt(self, ready: int, job: Job) -> None:
        rng, channel = job.rng, job.function.channel
        enqueued = self.turn(ready, channel) + micro(rng.uniform(0.02, 0.4))
        started = enqueued + micro(rng.uniform(0.05, 0.6))
        ended = started + micro(usual(rng, job.function.median, _SIGMA, _CAP))
        heappush(self.places[channel], ended)
        job.rows.append(Row(state="enqueued", shown=enqueued, retry=job.retry, enqueued=enqueued))
        job.rows.append(Row(state="started", shown=started, retry=job.retry, enqueued=enqueued, started=started))
        job.retry += 1
        fate = rng.random()
        if fate < job.function.fails or (job.retry >= _MAX_RETRIES and fate < job.function.retries):
            self._failed(job, (enqueued, started, ended))
        elif fate < job.function.fails + job.function.retries:
            self._retried(job, ended)
        else:
            self._done(job, (enqueued, started, ended))

    def _retried(self, job: Job, ended: int) -> None:
        eta = ended + 10 * MINUTE
        job.rows.append(Row(state="pending", shown=ended + COMMIT, retry=job.retry, eta=eta))
        self.wants(eta, job)

    def _done(self, job: Job, times: tuple[int, int, int]) -> None:
        enqueued, started, ended = times
        job.done_at = ended
        shown = ended + COMMIT
        job.rows.append(Row(state="done", shown=shown, retry=job.retry, enqueued=enqueued, started=started, done=ended))
        for child in job.children:
            dates = [parent.done_at for parent in child.parents if parent.done_at is not None]
            if len(dates) == len(child.parents):
                ready = max(dates) + COMMIT + micro(0.05)  # a second transaction of the last parent's request
                child.rows.append(Row(state="pending", shown=ready))
                self.wants(ready, child)

    def _failed(self, job: Job, times: tuple[int, int, int]) -> None:
        enqueued, started, ended = times
        shown = ended + COMMIT
        job.failures.append(shown)
        job.rows.append(
            Row(state="failed", shown=shown, retry=job.retry, enqueued=enqueued, started=started, error=job.function)
        )
        fate = job.rng.random() if not job.episode else 1.0
        later = after_work(self.scene.zone, shown, job.rng.uniform(600, 4 * 3600))
        if fate < _REQUEUED:
            job.retry, job.episode = 0, 1
            job.rows.append(Row(state="pending", shown=later))
            self.wants(later, job)
        elif fate < _CANCELLED:
            job.rows.append(
                Row(
                    state="cancelled", shown=later, retry=job.retry, enqueued=enqueued, started=started, cancelled=later
                )
            )


def facts(scene: Scene, number: int, day: int) -> list[Fact]:
    """Everything that ever becomes visible of the jobs created on a local day; `number` counts the company's days."""
    jobs = _created(scene, number, day)
    queue = _Queue(scene)
    for job in jobs:
        if not job.parents:
            queue.waiting.append((job.created, next(queue.order), job))
    heapify(queue.waiting)
    queue.run()
    return [fact for job in jobs for fact in (*versions(job), *_messages(job))]


def _messages(job: Job) -> Iterator[Fact]:
    for number, shown in enumerate(job.failures):
        yield failed_message(job.id * 2 + number, job.id, shown)


def _created(scene: Scene, number: int, day: int) -> list[Job]:
    wanted = [
        (at, place, function) for place, function in enumerate(CAST.functions) for at in _moments(scene, function, day)
    ]
    jobs: list[Job] = []
    for at, _, function in sorted(wanted, key=lambda one: one[:2]):
        jobs += _job(scene.seed, number * _JOBS_A_DAY + len(jobs) + 1, function, at)
    return jobs


def _moments(scene: Scene, function: Function, day: int) -> list[int]:
    rng = dice(scene.seed, "jobs", function.title, day)
    found = arrivals(rng, scene.zone, day, function.per_day)
    piles = [s for s in scene.troubles(f"channel/{function.channel}") if day_of(scene.zone, s.began) == day]
    return found + [at for span in piles for at in _burst(rng, span, function)]


def _burst(rng: Random, span: Span, function: Function) -> list[int]:
    """Jobs that come while the channel is stuck, beside the usual ones."""
    ended = span.ended or span.began + HOUR
    return [rng.randrange(span.began, ended) for _ in range(0 if function.parents else _BURST // 2)]


def _job(seed: int, first: int, function: Function, at: int) -> Sequence[Job]:
    """One job, or a small graph: the parents first, the one that waits for them last."""
    rng = dice(seed, "job", first)
    if not function.parents:
        return [_one((first, function, at), rng)]
    graph = str(UUID(int=rng.getrandbits(128), version=4))
    single = next(f for f in CAST.functions if f.channel == function.channel and not f.parents)
    parents = [_one((first + n, single, at), dice(seed, "job", first, n), graph) for n in range(function.parents)]
    last = _one((first + len(parents), function, at), rng, graph, tuple(parents))
    for parent in parents:
        parent.children.append(last)
    return [*parents, last]


def _one(what: tuple[int, Function, int], rng: Random, graph: str | None = None, parents: tuple[Job, ...] = ()) -> Job:
    number, function, at = what
    uuid = str(UUID(int=rng.getrandbits(128), version=4))
    job = Job(id=number, function=function, created=at, rng=rng, uuid=uuid, graph=graph, parents=parents)
    shown = at - at % SECOND + SECOND + number % 7 * micro(0.1)  # visible at its creator's commit
    job.created = shown
    job.rows.append(Row(state="wait_dependencies" if parents else "pending", shown=shown))
    return job
