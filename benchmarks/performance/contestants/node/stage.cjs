// What contestants in Node share: the job, the gate, the ticks, and the lines that they print (../stage.py).
const fs = require("node:fs");

const job = JSON.parse(process.env.BENCHMARK_JOB);
const counts = { sent: 0, received: 0, failed: 0 };
const second = 1000;
const linger = 5 * second;
let entered = 0;
let started = 0;
let accounts = 0;
let open;
const opened = new Promise((resolve) => { open = resolve; });

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Written at once: a worker thread's standard output goes through the main thread.
const line = (at, more = {}) => fs.writeSync(1, `${JSON.stringify({ at, ...counts, ...more })}\n`);

function giveUp(error) {
  line("failed", { error: String(error?.stack ?? error) });
  process.exit(1);
}

async function measure() {
  await pause(job.warm_up * second);
  line("begin");
  await pause(job.seconds * second);
  end();
}

function end() {
  line("end");
  // For a driver that was killed: nothing may play on.
  setTimeout(() => process.kill(process.pid, "SIGKILL"), linger);
}

// No player after the first ones exists before those are measured.
let goFurther;
const further = new Promise((resolve) => { goFurther = resolve; });

async function begin() {
  await pause(job.warm_up * second);
  line("begin");
  goFurther();
}

// Called by a player that is prepared: wait until all players are.
async function enter() {
  entered += 1;
  if (job.work === "C") {
    counts.sent = counts.received = entered;
    if (entered === job.base) begin();
    if (entered === job.players) end();
    return pause(3600 * second);
  }
  if (entered === job.players) {
    started = performance.now();
    measure();
    open();
  }
  return opened;
}

// Call `step(tick)` at the rate of the job; the matches, or players, are spread evenly over the interval.
function ticks(number, step) {
  const first = started + ((Math.floor(number / job.group) * job.group) / job.players / job.rate) * second;
  let tick = 0;
  const next = () => {
    step(tick);
    tick += 1;
    setTimeout(next, Math.max(0, first + (tick / job.rate) * second - performance.now()));
  };
  setTimeout(next, Math.max(0, first - performance.now()));
}

// The round trips of a player, paced or in a closed loop.
async function roundTrips(number, ping) {
  const one = async () => {
    counts.sent += 1;
    await ping();
    counts.received += 1;
  };
  if (job.rate) ticks(number, () => { one().catch(giveUp); });
  else for (;;) await one();
}

// `met` resolves when a match has all its players; `seen` takes the presences that arrive.
function meeting() {
  const inside = new Set();
  let full;
  const met = new Promise((resolve) => { full = resolve; });
  const seen = (presences) => {
    for (const one of presences) inside.add(one.session_id);
    if (inside.size === job.group) full();
  };
  return { met, seen };
}

const deviceId = (number) => `${job.prefix}-1-w000-${String(number).padStart(6, "0")}`;
const newDeviceId = () => `${job.prefix}-${job.run}-${String(accounts++).padStart(6, "0")}`;
const matchName = (number) => `${job.run}-${Math.floor(number / job.group)}`;
const state = (number, tick) => String(number).padStart(32, "0") + String(tick).padStart(32, "0");

process.on("unhandledRejection", giveUp);

module.exports = {
  job, counts, further, pause, giveUp, enter, ticks, roundTrips, meeting, deviceId, newDeviceId, matchName, state,
};
