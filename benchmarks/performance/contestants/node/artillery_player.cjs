// The functions of the script: a player over ws, whose round trips are entered into Artillery's histograms.
const WebSocket = require("ws");
const stage = require("./stage.cjs");

const { job, counts } = stage;
let players = 0;

class Peer {
  constructor(token, events) {
    this.events = events;
    this.waiting = new Map();
    this.cid = 0;
    this.meeting = stage.meeting();
    this.socket = new WebSocket(`${job.url.replace("http", "ws")}/ws?token=${token}`);
    this.socket.on("message", (data) => this.heard(JSON.parse(data)));
    this.socket.on("error", stage.giveUp);
  }

  opened() {
    return new Promise((resolve) => { this.socket.once("open", resolve); });
  }

  heard(message) {
    const answered = this.waiting.get(message.cid);
    if (answered) {
      this.waiting.delete(message.cid);
      answered(message);
    } else if (message.match_data) {
      counts.received += 1;
    } else if (message.match_presence_event) {
      this.meeting.seen(message.match_presence_event.joins ?? []);
    }
  }

  write(message) {
    this.socket.send(JSON.stringify(message));
  }

  async request(key, body) {
    const cid = String(++this.cid);
    const started = performance.now();
    const answer = await new Promise((resolve) => {
      this.waiting.set(cid, resolve);
      this.write({ cid, [key]: body });
    });
    this.events.emit("histogram", key, performance.now() - started);
    return answer;
  }

  async match(number) {
    const { match } = await this.request("match_create", { name: stage.matchName(number) });
    this.meeting.seen([...(match.presences ?? []), match.self]);
    await this.meeting.met;
    await stage.enter();
    stage.ticks(number, (tick) => {
      const data = Buffer.from(stage.state(number, tick)).toString("base64");
      this.write({ match_data_send: { match_id: match.match_id, op_code: "1", data } });
      this.events.emit("counter", "sent", 1);
      counts.sent += 1;
    });
    await stage.pause(3_600_000);
  }
}

async function play(context, events) {
  const { number, token } = context.vars;
  const peer = new Peer(token, events);
  await peer.opened();
  if (job.rate && job.work !== "A") return peer.match(number);
  await stage.enter();
  await stage.roundTrips(number, () => peer.request("ping", {}));
  return stage.pause(3_600_000);
}

async function enter() {
  await stage.enter();
}

async function account(request, context) {
  context.vars.number = players++;
  context.vars.deviceId = stage.deviceId(context.vars.number);
}

async function newAccount(request, context) {
  counts.sent += 1;
  context.vars.deviceId = stage.newDeviceId();
}

async function counted() {
  counts.received += 1;
}

const always = (context, next) => next(true);

module.exports = { play, enter, account, newAccount, counted, always };
