"""From a plan to the source of a scenario."""
