// The official JavaScript client against a Nakama server or the emulator:
//   node smoke.mjs --url http://127.0.0.1:7350 [--server-key defaultkey]
// Prints a line for every step; exit code 0, or 1 at the first that fails.
import { randomUUID } from "node:crypto";
import { strict as assert } from "node:assert";
import { parseArgs } from "node:util";
import { createRequire } from "node:module";
import WebSocket from "ws";

// Node 20 has no WebSocket of its own; the client takes the global one.
globalThis.WebSocket = WebSocket;
// The package's ES module is not marked as one for Node; its CommonJS build is.
const { Client } = createRequire(import.meta.url)("@heroiclabs/nakama-js");

const WAIT_MS = 60_000; // two matchmaker intervals of a real server and some more
const RUN = randomUUID().slice(0, 8);
const { values: options } = parseArgs({
  options: { url: { type: "string" }, "server-key": { type: "string", default: "defaultkey" } },
});

const text = (bytes) => new TextDecoder().decode(bytes);

class Player {
  constructor(client, name) {
    this.client = client;
    this.name = `${name}-${RUN}`;
    this.heard = [];
    this.waiting = [];
  }

  async connect() {
    this.session = await this.client.authenticateDevice(`device-${this.name}`, true, this.name);
    assert.equal(this.session.username, this.name);
    this.socket = this.client.createSocket(this.client.useSSL, false);
    for (const event of [
      "onchannelmessage", "onmatchmakermatched", "onmatchdata", "onmatchpresence", "onparty", "onpartydata",
      "onpartyjoinrequest", "onpartypresence", "onnotification", "onstatuspresence",
    ]) {
      this.socket[event] = (body) => this.hear(event, body);
    }
    await this.socket.connect(this.session, true);
  }

  hear(event, body) {
    this.heard.push([event, body]);
    this.waiting.splice(0).forEach((wake) => wake());
  }

  // The first event of that name that `where` accepts; it is not heard any more then.
  async take(event, where = () => true) {
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const index = this.heard.findIndex(([name, body]) => name === event && where(body));
      if (index >= 0) return this.heard.splice(index, 1)[0][1];
      assert.ok(Date.now() < end, `${this.name} heard no ${event}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, end - Date.now());
        this.waiting.push(() => { clearTimeout(timer); resolve(); });
      });
    }
  }
}

const joined = (player) => (event) => (event.joins ?? []).some((one) => one.user_id === player.session.user_id);
const left = (player) => (event) => (event.leaves ?? []).some((one) => one.user_id === player.session.user_id);

const steps = {
  async authenticate(ann, ben) {
    await ann.connect();
    await ben.connect();
    const account = await ann.client.getAccount(ann.session);
    assert.equal(account.user.username, ann.name);
    const session = await ann.client.sessionRefresh(ann.session);
    assert.equal(session.user_id, ann.session.user_id);
  },

  async "write and read storage"(ann) {
    const item = { collection: "smoke", key: "save", value: { level: 3 } };
    const { acks } = await ann.client.writeStorageObjects(ann.session, [item]);
    const wanted = { object_ids: [{ collection: "smoke", key: "save", user_id: ann.session.user_id }] };
    const { objects } = await ann.client.readStorageObjects(ann.session, wanted);
    assert.deepEqual(objects[0].value, { level: 3 });
    assert.equal(objects[0].version, acks[0].version);
  },

  async "make friends"(ann, ben) {
    await ann.client.addFriends(ann.session, [ben.session.user_id]);
    assert.equal((await ben.take("onnotification")).code, -2);
    await ben.client.addFriends(ben.session, [ann.session.user_id]);
    assert.equal((await ann.take("onnotification")).code, -3);
    const { friends } = await ann.client.listFriends(ann.session, 0, 10);
    assert.equal(friends[0].user.username, ben.name);
  },

  async "fail with a server's error"(ann) {
    const wrong = ann.client.rpc(ann.session, "no_such_function", {});
    await assert.rejects(wrong, (response) => response.status === 404);
    await assert.rejects(ann.socket.joinMatch(`${randomUUID()}.`), (error) => error.code === 4);
  },

  async "chat in a room"(ann, ben) {
    const channel = await ann.socket.joinChat(`room-${RUN}`, 1, true, false);
    await ben.socket.joinChat(`room-${RUN}`, 1, true, false);
    const ack = await ann.socket.writeChatMessage(channel.id, { text: "hello" });
    const message = await ben.take("onchannelmessage");
    assert.equal(message.message_id, ack.message_id);
    assert.deepEqual(message.content, { text: "hello" });
    await ann.socket.updateChatMessage(channel.id, ack.message_id, { text: "hello again" });
    assert.equal((await ben.take("onchannelmessage")).code, 1);
    const history = await ben.client.listChannelMessages(ben.session, channel.id, 10, true);
    assert.deepEqual(history.messages.map((one) => one.content), [{ text: "hello again" }]);
    await ann.socket.leaveChat(channel.id);
  },

  async "matchmake two players and play a relayed match"(ann, ben) {
    const query = `+properties.run:${RUN}`;
    const tickets = await Promise.all(
      [ann, ben].map((one) => one.socket.addMatchmaker(query, 2, 2, { run: RUN }, { rank: 5 })),
    );
    const matched = await Promise.all([ann, ben].map((one) => one.take("onmatchmakermatched")));
    assert.deepEqual(matched.map((one) => one.ticket), tickets.map((one) => one.ticket));
    assert.deepEqual(matched[0].users.map((one) => one.presence.username).sort(), [ann.name, ben.name]);
    assert.equal(matched[0].users[0].numeric_properties.rank, 5);
    const match = await ann.socket.joinMatch(undefined, matched[0].token);
    await ben.socket.joinMatch(undefined, matched[1].token);
    await ann.take("onmatchpresence", joined(ben));
    await ann.socket.sendMatchState(match.match_id, 7, "from ann");
    const state = await ben.take("onmatchdata");
    assert.deepEqual([state.op_code, text(state.data), state.presence.username], [7, "from ann", ann.name]);
    await ben.socket.sendMatchState(match.match_id, 8, JSON.stringify({ x: 1 }), [state.presence]);
    assert.deepEqual(JSON.parse(text((await ann.take("onmatchdata")).data)), { x: 1 });
    await ben.socket.leaveMatch(match.match_id);
    await ann.take("onmatchpresence", left(ben));
    await ann.socket.leaveMatch(match.match_id);
  },

  async "create, join and leave a party"(ann, ben) {
    const party = await ann.socket.createParty(false, 2);
    await ben.socket.joinParty(party.party_id);
    const request = await ann.take("onpartyjoinrequest");
    assert.equal(request.presences[0].username, ben.name);
    await ann.socket.acceptPartyMember(party.party_id, request.presences[0]);
    assert.equal((await ben.take("onparty")).party_id, party.party_id);
    await ann.take("onpartypresence", joined(ben));
    await ben.socket.sendPartyData(party.party_id, 3, "from ben");
    const data = await ann.take("onpartydata");
    assert.deepEqual([data.op_code, text(data.data)], [3, "from ben"]);
    await ben.socket.leaveParty(party.party_id);
    await ann.take("onpartypresence", left(ben));
    await ann.socket.closeParty(party.party_id);
  },

  async "log out"(ann, ben) {
    [ann, ben].forEach((one) => one.socket.disconnect(false));
    await ann.client.sessionLogout(ann.session, ann.session.token, ann.session.refresh_token);
    await assert.rejects(ann.client.getAccount(ann.session), (response) => response.status === 401);
  },
};

async function main() {
  if (!options.url) throw new Error("--url is missing; accepted: the server's address, as http://127.0.0.1:7350");
  const url = new URL(options.url);
  const secure = url.protocol === "https:";
  const port = url.port || (secure ? "443" : "80");
  const client = new Client(options["server-key"], url.hostname, port, secure, 10_000, false);
  const players = [new Player(client, "ann"), new Player(client, "ben")];
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step(...players);
    } catch (error) {
      const said = error instanceof Error ? error.stack : JSON.stringify(error);
      throw new Error(`FAILED ${name}: ${said}`, { cause: error });
    }
    console.log(`ok ${name}`);
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
