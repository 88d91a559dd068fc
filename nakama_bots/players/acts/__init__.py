"""What a player can do: match, matchmaking, chat, party and the rest."""
