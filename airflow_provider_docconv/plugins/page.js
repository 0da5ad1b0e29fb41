"use strict";

// Everything that comes from the server is shown as text: nothing here writes HTML.

const ROOT = new URL("../../", document.currentScript.src);
const AIRFLOW = new URL("../", ROOT);
const WORDS = {
  delivered: "delivered", skipped: "skipped", rejected: "rejected", failed: "failed", unfinished: "unfinished",
  started: "at the service", sent: "being sent", waiting: "waiting", in_flight: "at the service",
  ended: "to be delivered",
};
const MEANINGS = {
  rejected: "need someone's attention", failed: "picked up by the next try or run", started: "being converted",
  sent: "on their way to the service", waiting: "not sent yet", delivered: "converted and delivered",
  skipped: "unchanged since they were last converted",
};
const TO_DO = ["rejected", "failed"];

/* ---- Airflow's frame ---- */

const frame = (() => {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
})();

function followTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const dark = frame ? frame.document.documentElement.classList.contains("dark") : system.matches;
    document.documentElement.className = dark ? "dark" : "light";
  };
  show();
  system.addEventListener("change", show);
  if (frame) {
    const options = { attributes: true, attributeFilter: ["class"] };
    new MutationObserver(show).observe(frame.document.documentElement, options);
  }
}

// The frame may not open Airflow's own pages, but its script may ask Airflow to.
function toAirflow(path, text) {
  const link = el("a", { href: new URL(path, AIRFLOW) }, text);
  link.addEventListener("click", (event) => {
    if (!frame || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    frame.history.pushState({}, "", link.href);
    frame.dispatchEvent(new PopStateEvent("popstate"));
  });
  return link;
}

// Airflow before 3.3.2 allows no downloads in the frame, so the page around it starts them.
function download(address) {
  const page = frame ? frame.document : document;
  const link = page.createElement("a");
  link.href = address;
  page.body.append(link);
  link.click();
  link.remove();
}

/* ---- helpers ---- */

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const number = (value) => Number(value).toLocaleString("en");
const sum = (counts) => Object.values(counts || {}).reduce((total, value) => total + value, 0);
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

function span(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (hours) return `${number(hours)} h ${String(minutes).padStart(2, "0")} min`;
  return minutes ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${whole} s`;
}

function size(bytes) {
  let value = bytes, power = 0;
  while (value >= 999.5 && power < 6) { value /= 1000; power += 1; }
  return power ? `${value.toFixed(value < 9.95 ? 1 : 0)} ${" kMGTPE"[power]}B` : plural(value, "byte");
}

function when(iso) {
  const date = new Date(iso);
  return el("time", { datetime: iso, title: date.toISOString() },
    date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
}

const listed = (counts) => Object.entries(counts || {}).filter(([, value]) => value)
  .sort((one, other) => other[1] - one[1]).map(([name, value]) => `${number(value)} ${name}`.trim()).join(", ");

async function get(path, parameters = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== "") url.searchParams.append(name, each);
  }
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(answer.status === 401 ? "You are not logged in any longer: reload the page."
      : typeof told.detail === "string" ? told.detail : `The server answered ${answer.status}.`);
  }
  return answer.json();
}

// Calls a function now and again, never twice at once; it returns the seconds until the next time, or null.
function repeatedly(load) {
  let timer = null, turn = 0;
  const run = async () => {
    clearTimeout(timer);
    const own = ++turn;
    let pause = 30;
    if (!document.hidden) {
      try {
        pause = await load(() => own === turn);
      } catch (error) {
        problem(error.message);
      }
    }
    if (own === turn && pause) timer = setTimeout(run, pause * 1000);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) run(); });
  run();
  return run;
}

function problem(text) {
  let box = document.querySelector("main > .problem");
  if (!text) { box?.remove(); return; }
  if (!box) document.querySelector("main").prepend(box = el("p", { class: "problem", role: "alert" }));
  box.textContent = text;
}

const BAR = ["delivered", "skipped", "ended", "started", "in_flight", "sent", "waiting", "unfinished", "failed", "rejected"];

function bar(counts, total) {
  const shown = BAR.filter((state) => counts[state]).map((state) => [state, counts[state]]);
  const parts = shown.map(([state, count]) => {
    const part = el("i", { class: state, title: `${number(count)} ${WORDS[state] || state}` });
    part.style.flexGrow = count;
    return part;
  });
  const label = shown.map(([state, count]) => `${number(count)} ${WORDS[state] || state}`).join(", ");
  return el("div", { class: "bar", role: "img", "aria-label": label || `${total || 0} documents` }, parts);
}

const badge = (state, text) => el("span", { class: `badge ${state}` }, text || WORDS[state] || state);

function pathOf(row) {
  const parts = ["dags", row.dag_id, "runs", row.run_id, "tasks", row.task_id];
  // With the colons and pluses of run ids as they are, as Airflow's own pages write them.
  return parts.map((part) => encodeURIComponent(part).replaceAll("%3A", ":").replaceAll("%2B", "+")).join("/");
}
const reportOf = (row) => `${pathOf(row)}/${row.map_index}`;
const taskOf = (row, task_id = row.task_id) =>
  pathOf({ ...row, task_id }) + (row.map_index < 0 ? "" : `/mapped/${row.map_index}`);

function left(progress) {
  if (!progress) return "";
  const parts = [];
  if (progress.per_minute) parts.push(`${progress.per_minute.toFixed(progress.per_minute < 10 ? 1 : 0)} a minute`);
  if (progress.seconds_left !== null && progress.seconds_left !== undefined) {
    parts.push(`about ${span(progress.seconds_left)} left`);
  }
  return parts.join(", ");
}

function pages(offset, shown, total, more, step, go) {
  const turn = (text, to, on) => {
    const button = el("button", { type: "button", disabled: !on }, text);
    button.addEventListener("click", () => go(to));
    return button;
  };
  if (!total) return "";
  return el("nav", { class: "pages", "aria-label": "Pages" },
    turn("Previous", Math.max(0, offset - step), offset > 0),
    el("span", {}, `${number(offset + 1)} to ${number(offset + shown)} of ${more ? "more than " : ""}${number(total)}`),
    turn("Next", offset + step, offset + shown < total));
}

/* ---- all conversions ---- */

function conversionsPage() {
  const query = new URLSearchParams(location.search);
  const filters = { dag_id: "", conn_id: "", state: "", days: "7" };
  for (const name of Object.keys(filters)) filters[name] = query.get(name) ?? filters[name];
  let offset = Number(query.get("offset")) || 0;
  const failures = new Map();  // What was read of failed documents, by report and its end.
  const readAs = (row) => `${reportOf(row)} ${row.ended}`;

  const dags = el("datalist", { id: "dags" });
  const connections = el("datalist", { id: "connections" });
  const field = (name, label, control) => {
    control.id = name;
    control.value = filters[name];
    control.addEventListener("change", () => {
      filters[name] = control.value.trim();
      offset = 0;
      refresh();
    });
    return el("label", { for: name }, el("span", {}, label), control);
  };
  const choice = (options) => el("select", {}, options.map(([value, text]) => el("option", { value }, text)));
  const form = el("form", { class: "filters" },
    field("dag_id", "Dag", el("input", { list: "dags", placeholder: "all", autocomplete: "off" })),
    field("conn_id", "Connection", el("input", { list: "connections", placeholder: "all", autocomplete: "off" })),
    field("state", "State", choice([["", "all"], ["failed", "failed"], ["running", "running"], ["success", "success"],
      ["skipped", "skipped"]])),
    field("days", "Time", choice([["1", "last 24 hours"], ["7", "last 7 days"], ["30", "last 30 days"],
      ["all", "everything"]])),
    dags, connections);
  form.addEventListener("submit", (event) => event.preventDefault());
  const costs = el("section", { class: "costs" });
  const body = el("tbody");
  const head = ["Conversion", "State", "Documents", "Time", "Calls", "Report"].map((text) => el("th", { scope: "col" }, text));
  const turning = el("div");
  document.querySelector("main").replaceChildren(el("h1", {}, "Conversions"), costs, form,
    el("div", { class: "wide" }, el("table", { id: "conversions" }, el("thead", {}, el("tr", {}, head)), body)), turning);

  const refresh = repeatedly(async (isNewest) => {
    const everything = filters.days === "all";
    const told = await get("conversions.json", {
      dag_id: filters.dag_id, conn_id: filters.conn_id, state: filters.state,
      days: everything ? "" : filters.days, every: everything, offset,
    });
    if (!isNewest()) return null;
    problem("");
    const address = new URL(location.href);
    for (const [name, value] of Object.entries({ ...filters, offset: offset || "" })) {
      if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
    }
    history.replaceState(history.state, "", address);
    dags.replaceChildren(...told.dag_ids.map((dag_id) => el("option", { value: dag_id })));
    body.replaceChildren(...told.conversions.flatMap(conversion));
    if (!told.conversions.length) {
      body.append(el("tr", {}, el("td", { colspan: 6, class: "quiet" }, "No conversions.")));
    }
    turning.replaceChildren(pages(offset, told.conversions.length, told.total, told.more, told.size, (to) => {
      offset = to;
      refresh();
    }));
    showFailures(told.conversions);
    return told.conversions.some((row) => row.state === "running") ? 5 : 30;
  });

  repeatedly(async () => {
    const told = await get("calls.json");
    connections.replaceChildren(...told.connections.map((row) => el("option", { value: row.connection })));
    const cells = (calls) => [el("b", {}, number(sum(calls))), " ", el("small", {}, listed(calls))];
    const rows = told.connections.map((row) => el("tr", {}, el("th", { scope: "row" }, row.connection),
      el("td", {}, cells(row.week)), el("td", {}, cells(row.month))));
    costs.replaceChildren(...(rows.length ? [el("table", {},
      el("caption", {}, "Calls of batches by connection", told.all ? "" : " (of the newest 10,000 batches)"),
      el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, "last 7 days"),
        el("th", { scope: "col" }, "last 30 days"))), el("tbody", {}, rows))] : []));
    return 300;
  });

  function conversion(row) {
    const steps = row.is_batch ? [] : row.tasks.map((task, index) => [index ? " → " : "",
      toAirflow(taskOf(row, task.task_id), task.task_id.split(".").at(-1)), task.state ? ` ${task.state}` : ""]);
    const done = Object.entries(row.counts).filter(([, count]) => count)
      .map(([state, count]) => `${number(count)} ${WORDS[state]}`).join(", ");
    const seconds = row.began ? ((row.ended ? new Date(row.ended) : new Date()) - new Date(row.began)) / 1000 : null;
    const cells = [
      el("td", {},
        el("div", {}, toAirflow(`dags/${encodeURIComponent(row.dag_id)}`, row.dag_id), " · ",
          toAirflow(taskOf(row), row.task_id), row.name ? [" · ", el("b", {}, row.name)] : ""),
        el("small", {}, row.began ? when(row.began) : "not begun",
          row.connections.length ? ` · ${row.connections.join(", ")}` : "")),
      el("td", {}, badge(row.state, row.state === "running" ? row.task_state : row.state)),
      el("td", {}, row.documents ? [bar(row.counts, row.documents), el("small", {}, row.is_batch ? done : steps)]
        : el("span", { class: "quiet" }, row.is_batch ? "–" : steps)),
      el("td", {}, seconds === null ? "" : span(Math.max(0, seconds)), el("small", {}, left(row.progress))),
      el("td", {}, sum(row.calls) ? [number(sum(row.calls)), el("small", {}, listed(row.calls).replace(/^[\d,]+$/, ""))] : "–"),
      el("td", {}, el("a", { href: new URL(`${reportOf(row)}/report`, ROOT) }, "Report")),
    ];
    const found = failures.get(readAs(row));
    const rows = [el("tr", { class: row.state }, cells)];
    if (found) rows.push(el("tr", { class: "failures" }, el("td", { colspan: 6 }, found.cloneNode(true))));
    return rows;
  }

  // For the few newest of the page, so that nobody must look any further to know what to do.
  async function showFailures(rows) {
    const failed = rows.filter((row) => row.is_batch && row.state !== "running"
      && (row.counts.rejected || row.counts.failed)).slice(0, 5);
    let news = false;
    for (const row of failed) {
      const key = readAs(row);
      if (failures.has(key)) continue;
      failures.set(key, null);
      try {
        const report = await get(`${reportOf(row)}/report.json`, { state: TO_DO, limit: 3 });
        if (report.note) failures.set(key, el("p", { class: "quiet" }, report.note));
        if (report.lines?.length) {
          const more = report.found - report.lines.length;
          failures.set(key, el("ul", {}, report.lines.map((line) => el("li", {}, el("b", {}, line.name), " ",
            badge(line.state), " ", line.error || "", line.remedy ? el("em", {}, line.remedy) : "")),
          more > 0 ? el("li", { class: "quiet" }, `${number(more)} more in the report`) : ""));
        }
        news = true;
      } catch { /* The report itself says why. */ }
    }
    if (news) refresh();
  }
}

/* ---- the report of a task ---- */

function reportPage() {
  const here = location.pathname.replace(/report$/, "");
  const query = new URLSearchParams(location.search);
  let states = query.getAll("state"), name = query.get("name") || "", offset = 0;
  const STEP = 100;
  const top = el("header"), tiles = el("ul", { class: "tiles" }), facts = el("dl", { class: "facts" });
  const search = el("input", { type: "search", id: "name", placeholder: "part of a name", autocomplete: "off" });
  search.value = name;
  const all = el("button", { type: "button" }, "All states");
  const body = el("tbody"), turning = el("div"), gone = el("section"), note = el("p", { class: "quiet", id: "note" });
  const head = ["Document", "State", "What happened", "What to do"].map((text) => el("th", { scope: "col" }, text));
  const table = el("div", { class: "wide" }, el("table", { id: "documents" }, el("thead", {}, el("tr", {}, head)), body));
  const form = el("form", { class: "filters" }, el("label", { for: "name" }, el("span", {}, "Document"), search), all);
  const back = el("a", { href: new URL("conversions", ROOT) }, "All conversions");
  document.querySelector("main").replaceChildren(el("nav", {}, back), top, tiles, facts, note, form, table, turning, gone);

  let typing = null;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => { name = search.value.trim(); offset = 0; refresh(); }, 250);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  all.addEventListener("click", () => { states = []; offset = 0; refresh(); });

  const refresh = repeatedly(async (isNewest) => {
    const report = await get(new URL(`${here}report.json`, location.href), { state: states, name, offset, limit: STEP });
    if (!isNewest()) return null;
    problem("");
    const row = report.task, running = row.state === "running";
    document.title = `${row.dag_id}, ${row.task_id}`;
    const counts = report.counts || row.counts;
    top.replaceChildren(...heading(row, counts, report));
    const has = report.lines !== null;
    tiles.replaceChildren(...(has ? Object.entries(counts).map(([state, count]) => tile(state, count)) : []));
    facts.replaceChildren(...details(report));
    note.textContent = report.note || (has || report.results ? "" : running
      ? "The documents are being listed." : "This task has left no list of its documents.");
    form.hidden = table.hidden = !has;
    all.hidden = !states.length;
    body.replaceChildren(...(has ? report.lines.map(documentRow) : []));
    if (has && !report.lines.length) body.append(el("tr", {}, el("td", { colspan: 4, class: "quiet" }, "No documents.")));
    turning.replaceChildren(has ? pages(offset, report.lines.length, report.found, false, STEP, (to) => {
      offset = to;
      refresh();
    }) : "");
    gone.replaceChildren(...goneDocuments(report), ...singleResults(report));
    return running ? 4 : null;
  });

  function heading(row, counts, report) {
    const where = [row.dag_id, row.task_id].join(", ") + (row.map_index < 0 ? "" : ` [${row.map_index}]`);
    const seconds = row.began && row.ended ? (new Date(row.ended) - new Date(row.began)) / 1000 : null;
    return [
      el("h1", {}, row.name || where),
      el("p", { class: "quiet" }, row.name ? `${where} · ` : "", toAirflow(taskOf(row), "task and log"), " · ",
        row.began ? ["started ", when(row.began)] : "not begun", seconds === null ? "" : `, took ${span(seconds)}`),
      el("p", { class: "verdict", id: "verdict" }, badge(row.state, row.state === "running" ? row.task_state : row.state), " ",
        verdict(row, counts, report)),
      // What Airflow was told last is newer than the record while no worker is there to write it.
      bar(row.state === "running" && sum(row.counts) ? row.counts : counts, row.documents),
    ];
  }

  function verdict(row, counts, report) {
    if (!row.is_batch) return row.state === "failed" ? "The task's log says why." : "";
    const attention = counts.rejected || 0;
    const later = (counts.failed || 0) + ["started", "sent", "waiting", "unfinished"]
      .reduce((total, state) => total + (counts[state] || 0), 0);
    if (row.state === "running") {
      const done = ["delivered", "skipped", "rejected", "failed"].reduce((total, state) => total + (counts[state] || 0), 0);
      const parts = [`${number(done)} of ${plural(sum(counts), "document")} done`, left(row.progress)];
      if (row.counts.ended) parts.push(`${number(row.counts.ended)} to be delivered`);
      if (attention) parts.push(`${number(attention)} ${attention === 1 ? "needs" : "need"} attention`);
      return sum(counts) ? parts.filter(Boolean).join(", ") : "";
    }
    if (attention) {
      return `${plural(attention, "document")} ${attention === 1 ? "needs" : "need"} attention`
        + (later ? `; the next try or run picks up ${number(later)} more.` : ".");
    }
    if (later) return `The next try or run picks up ${plural(later, "document")}.`;
    return sum(counts) ? "Nothing is left to do." : "";
  }

  function tile(state, count) {
    const on = states.includes(state);
    const button = el("button", { type: "button", class: `${state}${count ? "" : " none"}`, "aria-pressed": String(on),
      "data-state": state }, el("b", {}, number(count)), " ", el("span", {}, WORDS[state]), el("small", {}, MEANINGS[state]));
    button.addEventListener("click", () => {
      states = on ? states.filter((each) => each !== state) : [...states, state];
      offset = 0;
      refresh();
    });
    return el("li", {}, button);
  }

  function details(report) {
    const summary = report.summary, entries = [];
    const add = (label, ...value) => entries.push(el("div", {}, el("dt", {}, label), el("dd", {}, value)));
    if (report.operation) add("At the service", report.operation.state, ", ", plural(report.operation.polls, "poll"));
    if (!summary) return entries;
    if (summary.bytes_in) add("Size of the sources", size(summary.bytes_in));
    if (summary.bytes_out) add("Size of the results", size(summary.bytes_out));
    for (const [connection, calls] of Object.entries(summary.calls_by_connection)) {
      add(`Calls to ${connection}`, number(sum(calls)), " ", el("small", {}, listed(calls)));
    }
    if (!Object.keys(summary.calls_by_connection).length && sum(summary.calls)) {
      add("Calls", number(sum(summary.calls)), " ", el("small", {}, listed(summary.calls)));
    }
    if (report.lost_replies) add("Lost replies", number(report.lost_replies), " ",
      el("small", {}, "may have been paid for twice: compare with the service's bill"));
    if (sum(summary.left_out)) add("Left out", number(sum(summary.left_out)), " ", el("small", {}, listed(summary.left_out)));
    if (summary.left_at_service) add("Not deleted at the service yet", number(summary.left_at_service));
    if (summary.results_deleted) add("Results deleted", number(summary.results_deleted));
    if (summary.report) add("As JSON Lines", el("code", {}, summary.report));
    return entries;
  }

  function documentRow(line) {
    const small = [`to ${line.target_format}`];
    if (line.size !== null) small.push(size(line.size));
    if (line.attempts > 1) small.push(`sent ${number(line.attempts)} times`);
    if (line.lost_replies) small.push(plural(line.lost_replies, "lost start"));
    if (line.left_at_service) small.push("not deleted at the service yet");
    if (line.refused_before) small.push("already refused in an earlier run");
    if (line.seconds_waited >= 10) small.push(`waited ${span(line.seconds_waited)}`);
    if (line.state !== "delivered" && line.operation_id) small.push(`operation ${line.operation_id}`);
    const took = line.seconds_at_service === null ? "" : `${span(line.seconds_at_service)} at the service`;
    const happened = line.error ? [line.error, el("small", {}, line.error_type || "")]
      : [line.results.map(resultLink), el("small", {}, took), line.more_results ? el("small", {}, `${plural(line.more_results, "more file")}`) : ""];
    return el("tr", { class: line.state },
      el("td", { title: line.folder + line.name }, el("span", { class: "uri" }, el("b", {}, line.name)),
        el("small", { class: "uri" }, line.folder), el("small", {}, small.join(" · "))),
      el("td", {}, badge(line.state)), el("td", {}, happened), el("td", {}, line.remedy || ""));
  }

  function resultLink(result) {
    const address = new URL(`${here}results/${result.key}`, location.href);
    const link = el("a", { href: address, title: result.uri, class: "result" }, result.name);
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      const answer = await fetch(address, { method: "HEAD", credentials: "same-origin" });
      if (answer.ok) { problem(""); download(address); return; }
      const told = await fetch(address, { credentials: "same-origin" }).then((each) => each.json()).catch(() => ({}));
      problem(told.detail || `The server answered ${answer.status}.`);
      document.querySelector("main > .problem").scrollIntoView();
    });
    return el("div", {}, link, result.size === null ? "" : el("small", { class: "beside" }, ` ${size(result.size)}`));
  }

  function goneDocuments(report) {
    if (!report.gone?.length) return [];
    const lines = report.gone.map((line) => el("li", {}, el("span", { class: "uri" }, line.folder, el("b", {}, line.name)),
      line.results.map(resultLink)));
    return [el("h2", {}, "Source gone ", el("small", {}, number(report.summary?.sources_gone || lines.length))),
      el("p", { class: "quiet" }, "These results are of documents that are no longer in their folder."), el("ul", {}, lines)];
  }

  function singleResults(report) {
    if (!report.results) return [];
    const steps = report.task.tasks.map((task) => el("li", {}, toAirflow(taskOf(report.task, task.task_id), task.task_id), " ",
      badge(task.state || "waiting", task.state || "waiting")));
    const results = report.results.length ? [el("h2", {}, "Results"), report.results.map(resultLink)] : [];
    return [el("h2", {}, "Tasks"), el("ul", { class: "steps" }, steps), ...results.flat()];
  }
}

// A task's link opens this page in Airflow with a task in its query, which Airflow keeps from the frame.
function linkedReport() {
  const query = new URLSearchParams(frame ? frame.location.search : "");
  const row = Object.fromEntries(["dag_id", "run_id", "task_id", "map_index"].map((name) => [name, query.get(name)]));
  if (Object.values(row).includes(null)) return null;
  frame.history.replaceState(frame.history.state, "", frame.location.pathname);
  const address = new URL(`${reportOf(row)}/report`, ROOT);
  for (const state of query.getAll("state")) address.searchParams.append("state", state);
  return address;
}

followTheme();
if (document.body.dataset.page === "report") {
  reportPage();
} else {
  const address = linkedReport();
  if (address) location.replace(address); else conversionsPage();
}
