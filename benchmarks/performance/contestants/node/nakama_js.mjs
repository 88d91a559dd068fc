// Nakama's JavaScript client; ws is the WebSocket, which Node 20 has not.
import { createRequire } from "node:module";
import WebSocket from "ws";
import stage from "./stage.cjs";

globalThis.WebSocket = WebSocket;
// The package's ES module is not marked as one for Node; its CommonJS build is.
const { Client } = createRequire(import.meta.url)("@heroiclabs/nakama-js");

const { job, counts } = stage;
const address = new URL(job.url);
const client = new Client(job.server_key, address.hostname, address.port, address.protocol === "https:");
const kept = [];

async function match(number, socket) {
  const { met, seen } = stage.meeting();
  socket.onmatchpresence = (event) => seen(event.joins ?? []);
  socket.onmatchdata = () => { counts.received += 1; };
  const joined = await socket.createMatch(stage.matchName(number));
  seen([...(joined.presences ?? []), joined.self]);
  await met;
  await stage.enter();
  stage.ticks(number, (tick) => {
    socket.sendMatchState(joined.match_id, 1, stage.state(number, tick));
    counts.sent += 1;
  });
}

async function play(number) {
  if (job.work === "E") {
    await stage.enter();
    for (;;) {
      counts.sent += 1;
      await client.authenticateDevice(stage.newDeviceId(), true);
      counts.received += 1;
    }
  }
  const session = await client.authenticateDevice(stage.deviceId(number), true);
  const socket = client.createSocket(client.useSSL, false);
  kept.push(socket);
  await socket.connect(session, false);
  if (job.rate && job.work !== "A") return match(number, socket);
  await stage.enter();
  return stage.roundTrips(number, () => socket.send({ ping: {} }));
}

for (let number = 0; number < job.players; number += 1) {
  if (job.base && number === job.base) await stage.further;
  if (number && number % job.spawn_rate === 0) await stage.pause(1000);
  play(number).catch(stage.giveUp);
}
