"use strict";
const byId = id => document.getElementById(id);
const number = (value, digits = 0) => value == null ? "-" :
  value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
const ms = value => value == null ? "-" : number(value, value < 10 ? 2 : value < 100 ? 1 : 0) + " ms";
const percent = value => value == null ? "-" : number(value * 100) + " %";
const plain = value => number(value, value != null && value % 1 && Math.abs(value) < 100 ? 1 : 0);

const CHARTS = [
  ["Round trips", ms, [["p50", "p50"], ["p95", "p95"], ["p99", "p99"]]],
  ["Round trips and failures a second", plain, [["trips", "round trips"], ["failures", "failures"]]],
  ["Sockets", plain, [["sockets", "open"], ["users", "users"], ["pending", "cids in flight"]]],
  ["Match data a second", plain, [["data_out", "out"], ["data_in", "in"], ["ticks_missed", "ticks missed"]]],
  ["Lateness", ms, [["tick_lateness", "ticks p95", 1e3], ["hub_lag", "hub lag", 1e3], ["receive_wait", "receive wait", 1e3]]],
  ["Generator", percent, [["loop_busy", "event loop busy"], ["cpu", "CPU"], ["cpu_scenario", "CPU in the scenario"]]],
  ["Server: sessions", plain, [["server.sessions", "sessions"], ["server.presences", "presences"], ["server.matches", "matches"]]],
  ["Server: request latency", ms, [["server.latency_p50", "p50", 1e3], ["server.latency_p95", "p95", 1e3], ["server.latency_p99", "p99", 1e3]]],
  ["Server: process", percent, [["server.cpu", "CPU"]]],
];
const COLORS = ["var(--a)", "var(--b)", "var(--c)"];
const TILES = [
  ["users", "users", plain], ["sockets", "sockets open", plain], ["pending", "cids in flight", plain],
  ["trips", "round trips / s", plain], ["p50_ms", "round trip p50", ms], ["p95_ms", "round trip p95", ms],
  ["p99_ms", "round trip p99", ms], ["failed", "failures", plain, value => value > 0], ["data_out", "match data out / s", plain], ["data_in", "match data in / s", plain],
  ["tick_late_ms", "match ticks late p95", ms],
  ["match_ms", "time to match p50", ms],
];
const FIGURES = [["cpu", "CPU", percent], ["loop_busy", "loop busy", percent], ["hub_lag", "hub lag", v => ms(v * 1e3)],
  ["receive_wait", "receive wait", v => ms(v * 1e3)], ["receive_backlog", "backlog B", plain],
  ["tick_lateness", "ticks late", v => ms(v * 1e3)], ["memory", "MB", value => number(value / 1e6)]];

const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text != null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const svg = (name, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text != null) made.textContent = text;
  return made;
};
const rows = (table, heads, body) => {
  const head = element("thead"), line = element("tr"), inside = element("tbody");
  heads.forEach(text => line.append(element("th", text)));
  head.append(line);
  for (const cells of body) {
    const row = element("tr");
    for (const cell of cells) row.append(cell instanceof Node ? cell : element("td", cell));
    inside.append(row);
  }
  table.replaceChildren(head, inside);
};
const nice = most => {
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map(step => step * unit).find(step => step >= most);
};
const clock = seconds => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

class Chart {
  constructor([title, show, lines]) {
    [this.show, this.lines] = [show, lines];
    this.card = element("div", null, { class: "card chart" });
    this.legend = element("div", null, { class: "legend" });
    this.svg = svg("svg", { role: "img", "aria-label": title });
    this.card.append(element("h2", title), this.legend, this.svg);
    this.svg.addEventListener("pointermove", event => { this.at = event.offsetX; this.draw(); });
    this.svg.addEventListener("pointerleave", () => { this.at = null; this.draw(); });
  }
  update(data) {
    this.seconds = data.seconds;
    this.found = this.lines.map(([key, label, factor = 1]) =>
      ({ label, values: (data.series[key] || []).map(value => value == null ? null : value * factor) }))
      .map((line, index) => ({ ...line, color: COLORS[index] }))
      .filter(line => line.values.some(value => value != null));
    this.card.hidden = !this.found.length;
    this.draw();
  }
  draw() {
    if (!this.found?.length) return;
    const width = this.svg.clientWidth || 400, height = 150, left = 64, right = 8, top = 8, bottom = 20;
    const last = this.seconds.at(-1), first = Math.min(this.seconds[0], last - 20);
    const most = nice(Math.max(this.show === plain ? 2 : 1e-3, ...this.found.flatMap(line => line.values.filter(value => value != null))));
    const x = second => left + (second - first) / (last - first) * (width - left - right);
    const y = value => top + (1 - value / most) * (height - top - bottom);
    const drawn = [];
    for (const share of [0, 0.5, 1]) {
      drawn.push(svg("line", { x1: left, x2: width - right, y1: y(most * share), y2: y(most * share), stroke: "var(--line)" }));
      drawn.push(svg("text", { x: left - 6, y: y(most * share) + 4, "text-anchor": "end" }, this.show(most * share)));
    }
    for (const share of [0, 0.5, 1]) {
      const second = first + (last - first) * share;
      const anchor = ["start", "middle", "end"][share * 2];
      if (second >= 0) drawn.push(svg("text", { x: x(second), y: height - 4, "text-anchor": anchor }, clock(second)));
    }
    let index = this.seconds.length - 1;
    if (this.at != null) {
      const second = first + (this.at - left) / (width - left - right) * (last - first);
      index = this.seconds.reduce((best, one, at) => Math.abs(one - second) < Math.abs(this.seconds[best] - second) ? at : best, 0);
      drawn.push(svg("line", { x1: x(this.seconds[index]), x2: x(this.seconds[index]), y1: top, y2: height - bottom, stroke: "var(--soft)" }));
    }
    for (const line of this.found) {
      let path = "", before = null;
      line.values.forEach((value, at) => {
        if (value == null) return;
        const far = before == null || this.seconds[at] - before > 15;
        path += `${far ? "M" : "L"}${x(this.seconds[at]).toFixed(1)} ${y(value).toFixed(1)}`;
        before = this.seconds[at];
      });
      drawn.push(svg("path", { d: path, fill: "none", stroke: line.color, "stroke-width": 2, "stroke-linejoin": "round" }));
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...drawn);
    this.legend.replaceChildren(...this.found.map(line => {
      const entry = element("span"), key = element("i", null, { style: `background:${line.color}` });
      const upTo = line.values.slice(0, index + 1);
      const value = this.at != null ? line.values[index] : upTo.findLast(one => one != null);
      entry.append(key, `${line.label} `, element("b", this.show(value)));
      return entry;
    }));
    if (this.at != null) this.legend.append(element("span", `at ${clock(this.seconds[index])}`));
  }
}

const charts = CHARTS.map(parts => new Chart(parts));
byId("charts").append(...charts.map(chart => chart.card));
const tiles = TILES.map(([key, label, show, isBad]) => {
  const card = element("div", null, { class: "card tile", id: `tile-${key}` }), value = element("b", "-");
  card.append(element("span", label), value);
  byId("tiles").append(card);
  return now => {
    value.textContent = show(now[key]);
    card.classList.toggle("bad", !!isBad && isBad(now[key]));
    // What this server or scenario does not have is not there.
    card.hidden = now[key] == null && key !== "p95_ms";
  };
});

const bad = (text, isBad) => element("td", text, isBad ? { class: "bad" } : {});
const cell = (text, kind) => element("td", text, { class: kind });
const linkTo = (run, file, text, kind = "") =>
  element("a", text, { href: `nakama/runs/${encodeURIComponent(run.name)}/${file}`, class: kind });
const verdictOf = verdict => element("span", verdict.verdict, { class: `verdict ${verdict.verdict}` });
const time = iso => new Date(iso).toLocaleTimeString("en-GB");

const showEnded = data => {
  const [run] = data.runs;
  byId("ended").hidden = data.phase !== "ended";
  byId("ending").hidden = data.phase !== "ending";
  if (run && byId("ended").dataset.of !== run.verdict.started) {
    byId("ended").dataset.of = run.verdict.started;
    const { verdict, totals } = run;
    byId("verdict").replaceChildren(verdictOf(verdict),
      ` ${verdict.scenario}, exit code ${verdict.exit_code}${verdict.gate ? `, gate ${verdict.gate}` : ""}`);
    byId("why").replaceChildren(...verdict.why.map(line => element("li", line)));
    const shown = !totals ? [] : [["users", plain(totals.users)], ["time", clock(totals.seconds)],
      ["calls", number(totals.calls)], ["failures", number(totals.failures), totals.failures > 0],
      ["matches played", number(totals.matches)],
      ...totals.slowest ? [[`slowest p95: ${totals.slowest.name}`, ms(totals.slowest.p95_ms)]] : []];
    byId("totals").replaceChildren(...shown.map(([label, text, isBad]) => {
      const pair = element("div", null, isBad ? { class: "bad" } : {});
      pair.append(element("dt", label), element("dd", text));
      return pair;
    }));
    byId("links").replaceChildren(...!run.name ? [] : [
      ...run.files.includes("report.html") ? [linkTo(run, "report.html", "report.html", "strong")] : [],
      linkTo(run, "", `all ${run.files.length} files`), element("span", run.path)]);
  }
  byId("earlier").hidden = !data.runs.length;
  rows(byId("runs"), ["started", "scenario", "verdict", "users", "time", "calls", "failures", "files"], data.runs.map(run => {
    const verdict = element("td"), links = element("td"), { totals } = run;
    verdict.append(verdictOf(run.verdict));
    if (run.name) links.append(linkTo(run, "report.html", "report"), " ", linkTo(run, "", "files"));
    return [time(run.verdict.started), run.verdict.scenario, verdict, plain(totals?.users),
      totals ? clock(totals.seconds) : "-", number(totals?.calls), bad(number(totals?.failures), totals?.failures > 0), links];
  }));
};

const show = data => {
  showEnded(data);
  byId("tiles").hidden = !data.now;
  byId("failed").hidden = !data.errors.length;
  rows(byId("errors"), ["failure", "call", "count", "first at", "example"], data.errors.map(one => [
    one.label, cell(`${one.kind} ${one.name}`, "text"), bad(number(one.count), true), clock(one.first_seen_s),
    cell(one.example, "text")]));
  byId("state").textContent = data.elapsed > 0 && data.seconds.length ? `${data.state} - ${clock(data.elapsed)}` : data.state;
  byId("target").textContent = data.target.url || "no target";
  if (data.target.is_emulator) {
    byId("target").className = "pill bad";
    byId("target").textContent += " - EMULATOR";
  }
  const judged = data.health.processes.length;
  byId("health").className = "pill " + (data.health.valid ? judged ? "good" : "" : "bad");
  byId("health").textContent = "generator " + (data.health.valid ? judged ? "ok" : "idle" : "TOO SLOW");
  byId("reasons").hidden = data.health.valid;
  byId("reasons").querySelector("ul").replaceChildren(...data.health.reasons.map(reason => element("li", reason)));
  if (data.now) tiles.forEach(update => update({ ...data.now, match_ms: data.time_to_match_ms[0] }));
  charts.forEach(chart => chart.update(data));
  rows(byId("messages"), ["kind", "name", "count", "failures", "/ s", "p50", "p95", "p99"], data.messages.map(one => [
    one.kind, one.name, number(one.count), bad(number(one.failures), one.failures > 0), number(one.rate, 1),
    ms(one.p50_ms), ms(one.p95_ms), ms(one.p99_ms)]));
  const most = Math.max(1, ...Object.values(data.funnel));
  rows(byId("funnel"), ["step", "share", "count"], Object.entries(data.funnel).map(([label, count]) => {
    const cell = element("td", null, { class: "track" });
    if (count) cell.append(element("div", null, { class: "bar", style: `width:${count / most * 100}%` }));
    return [label, cell, number(count)];
  }));
  const [p50, p95, p99] = data.time_to_match_ms;
  byId("match").textContent = p50 == null ? "No match yet." : `Time to match: p50 ${ms(p50)}, p95 ${ms(p95)}, p99 ${ms(p99)}.`;
  rows(byId("processes"), ["process", ...FIGURES.map(([, label]) => label)], data.health.processes.map(one => [
    bad(one.source.replace(/_([0-9a-f]{6})[0-9a-f]{26}$/, "_$1"), !one.valid),
    ...FIGURES.map(([key, , show]) => {
      const figure = one.figures[key], limit = data.health.limits[key];
      return figure ? bad(`${show(figure.mean)} / ${show(figure.max)}`, limit && !one.valid && figure.over_s >= data.health.limits.seconds) : "-";
    })]));
  byId("ledger").hidden = data.ledger.includes("sent 0 ");
  byId("ledger").textContent = `Of the sockets that have ended: ${data.ledger}`;
};

const ask = async () => {
  try {
    const answer = await fetch("nakama/data");
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
  } catch {
    byId("state").textContent = "Locust does not answer";
  }
  setTimeout(ask, document.hidden ? 5000 : 1000);
};
byId("theme").addEventListener("click", () => {
  localStorage.theme = document.documentElement.dataset.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
});
addEventListener("resize", () => charts.forEach(chart => chart.draw()));
ask();
