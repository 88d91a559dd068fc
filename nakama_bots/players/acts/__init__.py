"""The actions of a player: match, matchmaking, chat, party and more."""
