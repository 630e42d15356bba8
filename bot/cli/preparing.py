"""What ``serve`` needs to know and to have done before it starts anything: ``python -m bot.cli.preparing CONFIG``.

In a process of its own, because the whole program is loaded for it, and would stay in memory as long as serve runs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from bot.cli import in_clear_words, set_up_logging
from bot.cli.queueing import configured_url
from bot.cli.serve import Prepared
from bot.stores.keyring import bind
from bot.wiring import CONFIG_VARIABLE, Wiring, config_path


def prepare(config: str) -> Prepared:
    """Migrate the store and hold the artifact key against it. Raises HeadgateError."""
    wiring = Wiring(config_path(config))
    store = wiring.store()
    store.migrate()
    bind(store, *wiring.keyring().keys())
    store.close()
    settings = wiring.settings
    return Prepared(
        env={CONFIG_VARIABLE: str(wiring.path)},
        data=str(wiring.data),
        redis=configured_url(wiring),
        webhooks=settings.listen.webhooks,
        pages=settings.listen.pages,
        grace=settings.limits.shutdown_grace,
    )


if __name__ == "__main__":
    set_up_logging(verbose=False)
    with in_clear_words():
        print(json.dumps(asdict(prepare(sys.argv[1]))))
