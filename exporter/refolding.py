"""`odoo-otel refold`: what is stored of a database is folded anew, by this program and this configuration.

Runs whose Events are all kept, and observations, are what they would be had they been folded today; what detectors
learn from is then today's, too. Totals and what was sent are history: nothing is sent again, no counter moves.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.databases import Watched
from exporter.domain.tenants import Tenant
from exporter.domain.times import EPOCH
from exporter.errors import StoreError
from exporter.fleet import folding, workflows
from exporter.loops.folding import Folding
from exporter.loops.tenants import recall
from exporter.store import replaying
from exporter.store.protocols import FOLD, Ledger
from exporter.store.replaying import Replaced
from exporter.store.sqlite import SqliteStore

# A Run may be told from facts that were seen before it began: when its action was due, what its document was.
MARGIN = timedelta(days=1)


def refold(path: Path, one: Watched, progress: Callable[[int], None]) -> tuple[Replaced, datetime | None]:
    """Fold a database's stored Events anew; what that changed, and since when (None: all there is).

    `progress` is told how many Events were folded.

    Raises:
        StoreError: the service runs on the store, it does not know the database, there is no room for a copy.
    """

    def again(ledger: Ledger, tenant: Tenant) -> Folding:
        return folding(ledger, one, tenant, workflows())

    return replay(path, one.name, again, progress)


def replay(
    path: Path, name: str, again: Callable[[Ledger, Tenant], Folding], progress: Callable[[int], None]
) -> tuple[Replaced, datetime | None]:
    """The same with any way to fold."""
    store = SqliteStore(path)
    try:
        tenant = recall(store, name)
        if tenant is None:
            message = f"{path} holds nothing of {name}: name a database as the configuration does."
            raise StoreError(message)
        with TemporaryDirectory(prefix=".refold-", dir=path.parent) as folder:
            shadow = replaying.shadow(path, Path(folder) / "shadow.sqlite", name)
            try:
                fold = again(shadow, tenant)
                while fold.step():
                    progress(shadow.offset(name, FOLD))
                kept = replaying.kept_since(store.readers, name)
                since = EPOCH if kept is None else kept + MARGIN
                return replaying.replace(store, shadow.readers, name, since), kept and since
            finally:
                shadow.close()
    finally:
        store.close()
