"""Fixes for Locust's master (2.47), which loses or revives a run that ends while workers join or leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from locust.rpc import Message
from locust.runners import STATE_RUNNING, MasterRunner, WorkerNode, WorkerNodes


class _SteadyNodes(WorkerNodes):
    """The workers; a loop over ``all`` may wait, and workers leave meanwhile."""

    @property
    def all(self) -> list[WorkerNode]:  # type: ignore[override]
        return list(self.values())


class MasterMending:
    """One per master.

    - When its last worker quits, it quits in the greenlet that reads the workers' messages: the remaining
      ones, with the last figures, would not be read.
    - A start in progress when the run is stopped, such as a share-out to a worker that joins, continues: it
      makes the workers run again and considers the run running.
    - When the last worker that runs goes missing, it stops the run in a loop over all workers; one that leaves
      meanwhile is a ``KeyError`` there, after which no heartbeat is watched any more.
    - Without rebalancing it gives users to the first worker that joins late and to no later one, and does not
      redistribute the users of a lost worker.
    """

    def __init__(self, runner: MasterRunner) -> None:
        self._runner = runner
        self._quit: Callable[[], None] = runner.quit
        self._update_state: Callable[[str], None] = runner.update_state
        self._reset_connection: Callable[[], None] = runner.reset_connection
        self._stopping = False
        nodes = _SteadyNodes()
        nodes.update(runner.clients)
        runner.clients = nodes
        runner.quit = self.quit  # type: ignore[method-assign]
        runner.update_state = self.update_state  # type: ignore[method-assign]
        runner.reset_connection = self.reset_connection  # type: ignore[method-assign]
        self._hold_spawn_messages()
        runner.environment.events.test_start.add_listener(self._on_test_start)
        runner.environment.events.test_stopping.add_listener(self._on_test_stopping)
        if runner.environment.parsed_options is not None:
            runner.environment.parsed_options.enable_rebalancing = True

    def quit(self) -> None:
        """Quit as Locust does, but never in a greenlet that this ends before it is done."""
        if gevent.getcurrent() in list(self._runner.greenlet):
            gevent.spawn(self._quit)
        else:
            self._quit()

    def update_state(self, new_state: str) -> None:
        """Update as Locust does, but a stopped run does not run again without a new start."""
        if not (self._stopping and new_state == STATE_RUNNING):
            self._update_state(new_state)

    def reset_connection(self) -> None:
        """Reset as Locust does, which creates a new server."""
        self._reset_connection()
        self._hold_spawn_messages()

    def _hold_spawn_messages(self) -> None:
        server = self._runner.server
        send: Callable[[Message], None] = server.send_to_client

        def send_to_client(message: Message) -> None:
            if not (self._stopping and message.type == "spawn"):
                send(message)

        server.send_to_client = send_to_client

    def _on_test_start(self, **_: Any) -> None:
        self._stopping = False

    def _on_test_stopping(self, **_: Any) -> None:
        self._stopping = True
