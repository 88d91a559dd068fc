"""Load testing and bot simulation for the Nakama game server. Importing it patches nothing."""

__version__ = "0.1.0"
