// The figures of a report, in the words of the table, which the terminal and the page share.

import type { ConfigurationReport, Report, Verdict } from "tidegate/simulation";

/** A line of the table: a figure of each configuration. */
export interface Row {
  readonly label: string;
  readonly values: readonly string[];
  /** What it means; for the page. */
  readonly meaning: string;
}

type Figure = readonly [
  label: string,
  meaning: string,
  say: (configuration: ConfigurationReport) => string,
];

const FIGURES: readonly Figure[] = [
  ["Coordination", "how the nodes share the limits", ({ coordination }) => coordination],
  ["Requests", "asked of all nodes", ({ requests }) => sayCount(requests)],
  [
    "Admitted ÷ ideal",
    "units admitted, by those that one limiter admits which sees every request",
    ({ admittedOverIdeal }) => (admittedOverIdeal === null ? "–" : admittedOverIdeal.toFixed(3)),
  ],
  [
    "Worst second over ideal",
    "the second in which most was admitted beyond what the ideal admitted in it",
    ({ worstSecond }) => `${sayChange(worstSecond.over)} at ${worstSecond.second} s`,
  ],
  [
    "Denied too early",
    "units that the ideal admitted of a key and this did not, of all units",
    ({ deniedEarlyUnits, units }) => sayShare(deniedEarlyUnits, units),
  ],
  [
    "Store calls per request",
    "script calls that the nodes sent",
    ({ storeCalls, requests }) => sayRatio(storeCalls, requests),
  ],
  [
    "Key updates per request",
    "keys that those calls asked about",
    ({ keyUpdates, requests }) => sayRatio(keyUpdates, requests),
  ],
];

const LATENCIES: readonly Figure[] = [
  [
    "Decision, p50",
    "half of the decisions took no longer",
    ({ latencyMs }) => sayMs(latencyMs.p50),
  ],
  ["Decision, p99", "99 of 100 took no longer", ({ latencyMs }) => sayMs(latencyMs.p99)],
  ["Decision, p99.9", "999 of 1,000 took no longer", ({ latencyMs }) => sayMs(latencyMs.p999)],
  ["Decision, longest", "none took longer", ({ latencyMs }) => sayMs(latencyMs.max)],
];

/** Returns the rows of a report, without those that say nothing. */
export function createRows({ configurations, nodes, durationMs }: Report): Row[] {
  const row = ([label, meaning, say]: Figure): Row => {
    return { label, meaning, values: configurations.map(say) };
  };
  const gossip = configurations.some(({ messages }) => messages.sent > 0);
  const perNode = (count: number) => count / nodes / (durationMs / 1_000);
  const messages: readonly Figure[] = [
    [
      "Messages per node per second",
      "sent between nodes while there was traffic",
      (one) => sayNumber(perNode(one.messages.sent)),
    ],
    [
      "Bytes per node per second",
      "of those messages",
      (one) => sayNumber(perNode(one.messages.sentBytes)),
    ],
  ];
  const shownMessages = gossip ? messages.map(row) : [];
  const sources = new Set(configurations.flatMap(({ sources: found }) => Object.keys(found)));
  const bySource = [...sources].sort().map((source): Figure => {
    return [
      `Decided by ${source}`,
      `decisions with source "${source}"`,
      ({ sources: found }) => {
        const all = Object.values(found).reduce((sum, count) => sum + count, 0);
        return sayShare(found[source as keyof typeof found] ?? 0, all);
      },
    ];
  });
  const streams = configurations[0]!.traffic.map(({ name }, index): Figure => {
    return [
      `Admitted ÷ ideal, ${name}`,
      "the same of one stream of requests",
      ({ traffic }) => sayRatio(traffic[index]!.admittedUnits, traffic[index]!.idealUnits),
    ];
  });
  const rare: Figure[] = [
    [
      "Lost in crashes",
      "requests whose node crashed, or that found none",
      (one) => sayCount(one.lostRequests),
    ],
    [
      "Never answered",
      "within five seconds after the end",
      (one) => sayCount(one.unansweredRequests),
    ],
  ];
  const shownRare = rare.map(row).filter(({ values }) => values.some((value) => value !== "0"));
  const shownStreams = streams.length > 1 ? streams.map(row) : [];
  return [
    ...FIGURES.map(row),
    ...shownMessages,
    ...LATENCIES.map(row),
    ...bySource.map(row),
    ...shownStreams,
    ...shownRare,
    ...verdictFigures(configurations).map(row),
  ];
}

const CHECKS: readonly (readonly [Verdict["check"], meaning: string])[] = [
  ["bound", "what was admitted is within what the coordination promises"],
  ["convergence", "after a partition it is soon what the ideal admits"],
  ["fairness", "nodes that are asked for the same are admitted the same"],
  ["memory", "what nobody asks for is let go of"],
  ["answers", "every request has an answer"],
];

/** The checks that were made of any configuration. */
function verdictFigures(configurations: readonly ConfigurationReport[]): Figure[] {
  return CHECKS.flatMap(([check, meaning]): Figure[] => {
    const find = ({ verdicts }: ConfigurationReport) => {
      return verdicts.find((verdict) => verdict.check === check);
    };
    if (configurations.every((one) => find(one) === undefined)) return [];
    return [[`Check: ${check}`, meaning, (one) => sayVerdict(find(one))]];
  });
}

function sayVerdict(verdict: Verdict | undefined): string {
  if (verdict === undefined) return "–";
  if (verdict.held) return "held";
  return `FAILED${verdict.atMs === undefined ? "" : ` at ${verdict.atMs / 1_000} s`}`;
}

/** Says each check that failed, by its configuration. */
export function sayFailures({ configurations }: Report): string[] {
  return configurations.flatMap(({ name, verdicts }) => {
    const failed = verdicts.filter(({ held }) => !held);
    return failed.map(({ check, detail }) => `${name}, ${check}: ${detail}`);
  });
}

function sayNumber(number: number): string {
  return Number(number.toPrecision(3)).toLocaleString("en-US");
}

function sayCount(count: number): string {
  return count.toLocaleString("en-US");
}

function sayShare(part: number, whole: number): string {
  if (part === 0 || whole === 0) return "0 %";
  const percent = (100 * part) / whole;
  return percent < 0.01 ? "< 0.01 %" : `${Number(percent.toPrecision(3))} %`;
}

function sayRatio(part: number, whole: number): string {
  if (whole === 0) return "–";
  return part === 0 ? "0" : (part / whole).toFixed(3);
}

function sayChange(over: number): string {
  return `${over > 0 ? "+" : ""}${sayNumber(100 * over)} %`;
}

function sayMs(milliseconds: number): string {
  return `${Number(milliseconds.toPrecision(3))} ms`;
}
