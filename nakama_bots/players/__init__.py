"""A player, and what it can do: match, matchmaking, chat. Knows nothing of Locust."""
