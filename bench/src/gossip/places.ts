// Where services stand. On Linux, as root, each in a network namespace of its own, joined to the others by a bridge, so
// that a partition is what it is in a data centre: silence. Elsewhere all on the loopback, where nothing is cut.

import { execFileSync } from "node:child_process";

/** Where one service stands. */
export interface Place {
  /** Put before its command. */
  readonly prefix: readonly string[];
  /** By which the others reach it. */
  readonly peersHost: string;
  /** By which whoever asks it does. */
  readonly host: string;
}

/** Places, joined by a network that can be cut. */
export interface Places {
  readonly places: readonly Place[];
  /** Cuts some off from the others; whoever asks reaches all of them as before. */
  cut(some: readonly number[]): void;
  heal(): void;
  /** Leaves nothing behind. */
  remove(): void;
}

/** Addresses that are for benchmarks of networks and nothing else. Source: RFC 2544. */
const PEERS_NET = "198.18.0";
const ASKING_NET = "198.19";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Makes places in namespaces; undefined where the machine does not allow it. */
export function createNamespaces(count: number): Places | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  // A name of an interface has 15 characters at most.
  const name = `tg${process.pid}`;
  const bridges = [`${name}a`, `${name}b`];
  const spaces = Array.from({ length: count }, (_, place) => `${name}n${place}`);
  const remove = () => {
    process.off("exit", remove);
    for (const signal of SIGNALS) process.off(signal, end);
    for (const space of spaces) attempt("netns", "del", space);
    for (const bridge of bridges) attempt("link", "del", bridge);
  };
  // Who interrupts it is left no networks.
  const end = () => process.exit(1);
  process.on("exit", remove);
  for (const signal of SIGNALS) process.on(signal, end);
  const join = (place: number, bridge: string) => {
    ip("link", "set", `${name}p${place}`, "master", bridge);
  };
  try {
    for (const bridge of bridges) {
      ip("link", "add", "name", bridge, "type", "bridge");
      ip("link", "set", bridge, "up");
    }
    spaces.forEach((space, place) => {
      ip("netns", "add", space);
      ip("-n", space, "link", "set", "lo", "up");
      connect(space, `${name}p${place}`, "peers", `${PEERS_NET}.${place + 1}/24`);
      join(place, bridges[0]!);
      connect(space, `${name}q${place}`, "asking", `${ASKING_NET}.${place}.2/30`);
      ip("addr", "add", `${ASKING_NET}.${place}.1/30`, "dev", `${name}q${place}`);
    });
  } catch {
    remove();
    return undefined;
  }
  return {
    places: spaces.map((space, place) => ({
      prefix: ["ip", "netns", "exec", space],
      peersHost: `${PEERS_NET}.${place + 1}`,
      host: `${ASKING_NET}.${place}.2`,
    })),
    cut(some) {
      for (const place of some) join(place, bridges[1]!);
    },
    heal() {
      for (const place of spaces.keys()) join(place, bridges[0]!);
    },
    remove,
  };
}

/** Lays a cable: one end here, the other in a namespace, with an address. */
function connect(space: string, here: string, there: string, address: string): void {
  ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", space);
  ip("link", "set", here, "up");
  ip("-n", space, "addr", "add", address, "dev", there);
  ip("-n", space, "link", "set", there, "up");
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: "ignore" });
}

function attempt(...args: readonly string[]): void {
  try {
    ip(...args);
  } catch {
    // It was not made, or is gone.
  }
}

/** Places on the loopback. */
export function loopbackPlaces(count: number): readonly Place[] {
  const place = { prefix: [], peersHost: "127.0.0.1", host: "127.0.0.1" };
  return Array.from({ length: count }, () => place);
}
