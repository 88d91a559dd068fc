"""A player and its actions: match, matchmaking, chat. Does not depend on Locust."""
