"""What a PyMongo client tells of its commands and of the topology it sees."""

from __future__ import annotations

from pymongo import monitoring


class Commands(monitoring.CommandListener):
    def __init__(self) -> None:
        self.begun: dict[int, str] = {}
        self.done: dict[int, str] = {}

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.begun[event.request_id] = event.command_name

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.done[event.request_id] = event.command_name

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass

    def count(self, command: str) -> int:
        """How many of this name were begun."""
        return list(self.begun.values()).count(command)


class Topology(monitoring.TopologyListener):
    def __init__(self) -> None:
        self.seen: set[str] = set()

    def opened(self, event: monitoring.TopologyOpenedEvent) -> None:
        pass

    def description_changed(self, event: monitoring.TopologyDescriptionChangedEvent) -> None:
        self.seen.add(event.new_description.topology_type_name)

    def closed(self, event: monitoring.TopologyClosedEvent) -> None:
        pass
