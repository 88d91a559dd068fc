"""Friends and groups: neighbours befriend each other and part; groups are founded, filled, run and left.

A neighbour is the player of the same process whose number differs by one; one that has not come yet is left
out. What a run founds, it deletes.
"""

from locust import between, tag, task

from nakama_bots.load import NakamaUser
from nakama_bots.players.acts.social import befriend, found_group, part, user_ids


class FriendsAndGroups(NakamaUser):
    """One round after the other. No socket."""

    needs_socket = False
    by_name_only = True
    wait_time = between(0.2, 1.0)

    @tag("friends", "rest")
    @task(3)
    def friends(self) -> None:
        """Look the neighbours up, invite or accept, list, and sometimes part again."""
        for user_id in self.neighbours():
            state = befriend(self.player, user_id)
            if state == 0:  # friends: make room for the next time
                self.player.client.list_friends_of_friends(self.player.session, limit=10)
                part(self.player, user_id)

    @tag("groups", "rest")
    @task(2)
    def run_a_group(self) -> None:
        """Found one, take the neighbours in, promote and demote them, delete it."""
        client, session = self.player.client, self.player.session
        group_id = found_group(self.player)
        try:
            members = self.neighbours()
            if members:
                client.add_group_users(session, group_id, members)
                client.promote_group_users(session, group_id, members)
                client.demote_group_users(session, group_id, members)
            client.update_group(session, group_id, description="we play on Fridays")
            client.list_group_users(session, group_id, limit=20)
            if members:
                client.kick_group_users(session, group_id, members)
        finally:
            client.delete_group(session, group_id)

    @tag("groups", "rest")
    @task(1)
    def look_for_a_group(self) -> None:
        """What there is, and where one is in."""
        self.player.client.list_groups(self.player.session, limit=20, open=True)
        self.player.client.list_user_groups(self.player.session, self.player.session.user_id, limit=20)

    def neighbours(self) -> list[str]:
        """The ids of those who have come."""
        identity = self.player.identity
        return user_ids(self.player, [identity.neighbour(1), identity.neighbour(2)])
