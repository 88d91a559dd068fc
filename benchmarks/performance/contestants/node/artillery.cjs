// Runs Artillery with a script for the job: each of its virtual users is a player.
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const job = JSON.parse(process.env.BENCHMARK_JOB);
const phases = [];
const arrive = (players) => {
  for (let left = players; left > 0; left -= job.spawn_rate) {
    phases.push({ duration: 1, arrivalCount: Math.min(left, job.spawn_rate) });
  }
};
if (job.base) {
  arrive(job.base);
  // It cannot wait for the first players to be measured.
  phases.push({ pause: job.warm_up + 5 });
}
arrive(job.players - job.base);
const login = {
  url: "/v2/account/authenticate/device?create=true",
  json: { id: "{{ deviceId }}" },
  headers: { authorization: `Basic ${Buffer.from(`${job.server_key}:`).toString("base64")}` },
  capture: { json: "$.token", as: "token" },
};
const flows = {
  E: [
    { function: "enter" },
    { loop: [{ post: { ...login, beforeRequest: "newAccount", afterResponse: "counted" } }], whileTrue: "always" },
  ],
};
const script = {
  config: {
    target: job.url,
    phases,
    processor: path.join(__dirname, "artillery_player.cjs"),
    http: { timeout: 30 },
  },
  scenarios: [{ flow: flows[job.work] ?? [{ post: { ...login, beforeRequest: "account" } }, { function: "play" }] }],
};
const file = path.join(process.argv[2], "script.json");
fs.writeFileSync(file, JSON.stringify(script));
spawn(process.execPath, [path.join(__dirname, "node_modules/artillery/bin/run"), "run", "--quiet", file], {
  env: { ...process.env, ARTILLERY_DISABLE_TELEMETRY: "true", WORKERS: "1" },
  stdio: "inherit",
}).on("exit", (code) => process.exit(code ?? 1));
