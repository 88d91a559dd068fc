"""What goes over the wire, as TypedDicts with the server's own names; one module a family.

Every class is ``total=False``: Nakama leaves out fields that have their default value (false, 0, "", empty
list). Timestamps are RFC 3339 texts.

Two things differ between the wire and what ``Client`` gives, and such classes are generic over them: documents
(metadata, content, wallet, value, payload) are JSON texts on the wire and read by ``Client``, so a user is
``User[JsonText]`` or ``User[Json]``; int64 numbers of records are texts on the wire and ints by ``Client``:
``LeaderboardRecord[JsonText, str]`` or ``LeaderboardRecord[Json, int]``.
"""
