"""Friends and groups: neighbours add and remove each other; groups are created, filled, run and deleted.

A neighbour is a player of the same process whose number differs by one; one that has not started yet is
skipped. A run deletes what it creates.
"""

from nakama_bots import NakamaUser, between, tag, task


class FriendsAndGroups(NakamaUser):
    """Plays one round after the other. No socket."""

    needs_socket = False
    by_name_only = True
    wait_time = between(0.2, 1.0)

    @tag("friends", "rest")
    @task(3)
    def friends(self) -> None:
        """Look up the neighbours, invite or accept, list, and sometimes remove them."""
        for user_id in self.player.neighbours(1, 2):
            state = self.player.befriend(user_id)
            if state == 0:  # friends: make room for the next time
                self.player.api.list_friends_of_friends(limit=10)
                self.player.api.delete_friends(ids=[user_id])

    @tag("groups", "rest")
    @task(2)
    def run_a_group(self) -> None:
        """Create a group, add the neighbours, promote and demote them, and delete it."""
        api = self.player.api
        with self.player.group() as group:
            members = self.player.neighbours(1, 2)
            if members:
                group.add(members)
                api.promote_group_users(group.id, members)
                api.demote_group_users(group.id, members)
            api.update_group(group.id, description="we play on Fridays")
            api.list_group_users(group.id, limit=20)
            if members:
                api.kick_group_users(group.id, members)

    @tag("groups", "rest")
    @task(1)
    def look_for_a_group(self) -> None:
        """List groups, and the player's own."""
        self.player.api.list_groups(limit=20, open=True)
        self.player.api.list_user_groups(self.player.user_id, limit=20)
