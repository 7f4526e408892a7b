// Writes a report as one page of HTML that needs nothing else: no script, no font, no picture from anywhere.

import type { Report } from "tidegate/simulation";
import { escapeHtml } from "./escape-html.ts";
import { sayFault } from "./fault-marks.ts";
import { drawChart, highestRate } from "./report-chart.ts";
import { createRows } from "./report-rows.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6878; --paper: #ffffff; --panel: #f6f7f9; --rule: #dde1e7;
  --admitted: #1d5fd1; --ideal: #1c2430; --asked: #b6bec9; --over: #d6336c; --under: #e8a317;
  --fault: #e4572e; --held: #1a7f4b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf1; --soft: #9aa6b6; --paper: #12161c; --panel: #1a2029;
  --rule: #2e3744; --admitted: #6ea8ff; --ideal: #e7ebf1; --asked: #566273; --over: #ff6b9d; --under: #ffc14d;
  --fault: #ff8a65; --held: #56c98d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1160px; padding: 32px 24px 64px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 32px 0 8px; }
p { margin: 0 0 12px; }
.soft { color: var(--soft); }
.foot { margin-top: 24px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child { position: sticky; left: 0; background: var(--paper); text-align: left; padding-left: 0;
  font-weight: 400; }
thead th { font-weight: 600; vertical-align: bottom; white-space: normal; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 12px;
  overflow-x: auto; }
svg { display: block; width: 100%; height: auto; }
figure svg { min-width: 720px; }
@media (max-width: 640px) { body { padding: 24px 16px 48px; } th:first-child { min-width: 140px;
  white-space: normal; } }
svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--rule); fill: none; }
.asked { stroke: var(--asked); fill: none; }
.ideal { stroke: var(--ideal); fill: none; stroke-width: 1.5; stroke-dasharray: 5 3; }
.admitted { stroke: var(--admitted); fill: none; stroke-width: 2; }
.over { fill: var(--over); opacity: 0.28; }
.under { fill: var(--under); opacity: 0.35; }
.fault { fill: var(--fault); opacity: 0.13; }
svg .fault-name { fill: var(--fault); }
svg .beyond { paint-order: stroke; stroke: var(--panel); stroke-width: 4px; }
.verdicts { padding: 0; list-style: none; }
.verdicts li { display: flex; }
.verdicts .word { flex: none; width: 60px; font-weight: 600; }
.held { color: var(--held); }
.failed { color: var(--over); }
.hover { fill: transparent; }
.hover:hover { fill: var(--soft); opacity: 0.15; }
.key { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 24px 0 0; padding: 0; list-style: none; }
.key svg { display: inline-block; width: 26px; height: 12px; vertical-align: -1px; margin-right: 6px; }
`;

const LINE = (name: string) => `<path class="${name}" d="M0 6H26"/>`;
const AREA = (name: string) => `<rect class="${name}" width="26" height="12"/>`;
const KEY = [
  [LINE("admitted"), "admitted"],
  [LINE("ideal"), "allowed, by one limiter that sees every request"],
  [LINE("asked"), "asked for"],
  [AREA("over"), "admitted beyond what is allowed"],
  [AREA("under"), "admitted less than that"],
  [AREA("fault"), "a fault"],
] as const;

/** Returns the page. */
export function writePage(report: Report): string {
  const { scenario, seed, durationMs, nodes, faults, configurations } = report;
  const most = highestRate(report);
  const title = escapeHtml(scenario);
  const shownFaults = faults.map((fault) => {
    const { fromMs, untilMs } = fault;
    const until = untilMs > fromMs ? ` to ${untilMs / 1_000} s` : "";
    return `${escapeHtml(sayFault(fault))} (${fromMs / 1_000} s${until})`;
  });
  const key = KEY.filter(([, words]) => words !== "a fault" || faults.length > 0).map(
    ([sample, words]) => {
      return `<li><svg viewBox="0 0 26 12" aria-hidden="true">${sample}</svg>${words}</li>`;
    },
  );
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title} · tidegate simulate</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
<p class="soft">Simulated by tidegate: ${nodes} node${nodes === 1 ? "" : "s"}, ${durationMs / 1_000} s, seed ${seed}.
${shownFaults.length === 0 ? "Nothing goes wrong." : `Faults: ${shownFaults.join("; ")}.`}</p>
<div class="scroll">${writeTable(report)}</div>
<ul class="key">${key.join("")}</ul>
${configurations
  .map((configuration, index) => {
    const chart = drawChart(report, configuration, index, most);
    return `<h2>${escapeHtml(configuration.name)}</h2>\n<figure>${chart}</figure>`;
  })
  .join("\n")}
<h2>What was checked</h2>
<ul class="verdicts">
${writeVerdicts(report)}
</ul>
<p class="soft foot">Units a second, by intervals of ${configurations[0]!.timeline.intervalMs} ms.
All configurations are asked the same.
The same scenario and seed give this page again.</p>
</body>
</html>
`;
}

function writeVerdicts({ configurations }: Report): string {
  const lines = configurations.flatMap(({ name, verdicts }) => {
    return verdicts.map(({ check, held, detail }) => {
      const word = held ? "held" : "failed";
      const said = `${name}, ${check}: ${detail}`;
      return `<li><span class="word ${word}">${word}</span> <span>${escapeHtml(said)}</span></li>`;
    });
  });
  return lines.join("\n");
}

function writeTable(report: Report): string {
  const names = report.configurations.map(({ name }) => `<th scope="col">${escapeHtml(name)}</th>`);
  const rows = createRows(report).map(({ label, meaning, values }) => {
    const cells = values.map((value) => `<td>${escapeHtml(value)}</td>`);
    const head = `<th scope="row" title="${escapeHtml(meaning)}">${escapeHtml(label)}</th>`;
    return `<tr>${head}${cells.join("")}</tr>`;
  });
  return `<table>
<thead><tr><th></th>${names.join("")}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table>`;
}
