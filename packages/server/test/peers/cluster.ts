// Service processes that gossip over gRPC on the loopback: started, killed, frozen and asked as an operator would.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import { freePort } from "../../../../test/support/free-port.ts";
import type { ShownGossip, ShownPeer } from "../../src/peers/service-gossip.ts";
import { type Running, start } from "../cli/support.ts";
import { inDirectory } from "../config/support.ts";
import { createHttpClient, type HttpAnswer, type HttpClient } from "../service-support.ts";

export const SECRET = "the secret of this cluster";

/** A line of the log. */
export type Line = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly msg: string;
};

/** A service of a cluster. */
export class ClusterNode {
  readonly address: string;
  readonly http: HttpClient;
  readonly #admin: HttpClient;
  readonly #arguments: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  #running: Running;

  constructor(
    ports: readonly number[],
    file: string,
    environment: Readonly<Record<string, string>>,
  ) {
    const [http, grpc, admin, peers] = ports.map(String);
    this.address = `127.0.0.1:${peers}`;
    this.http = createHttpClient(ports[0]!);
    this.#admin = createHttpClient(ports[2]!);
    this.#arguments = ["serve", "--config", file];
    this.#environment = {
      TIDEGATE_HTTP_PORT: http!,
      TIDEGATE_GRPC_PORT: grpc!,
      TIDEGATE_ADMIN_PORT: admin!,
      TIDEGATE_PEERS_PORT: peers!,
      TIDEGATE_PEERS_SECRET: SECRET,
      ...environment,
    };
    this.#running = this.#start();
  }

  /** Starts it again, on its ports, with an empty memory and log. */
  restart(): void {
    this.#running = this.#start();
  }

  async kill(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#running.child.kill(signal);
    await this.#running.ended;
  }

  freeze(): void {
    this.#running.child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#running.child.kill("SIGCONT");
  }

  log(message: string): Line[] {
    const lines = this.#running
      .stderr()
      .split("\n")
      .filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line) as Line).filter(({ msg }) => msg === message);
  }

  /** What /readyz answers. */
  async ready(): Promise<HttpAnswer & { readonly gossip: ShownGossip }> {
    const answer = await this.http("GET", "/readyz");
    return { ...answer, gossip: (answer.json as { gossip: ShownGossip }).gossip };
  }

  /** How another node looks from here. */
  async peer(other: ClusterNode): Promise<ShownPeer | undefined> {
    const { gossip } = await this.ready();
    return gossip.peers.find(({ address }) => address === other.address);
  }

  /** Waits until it is ready and hears of so many nodes, itself included. */
  async hears(reachable: number): Promise<void> {
    await eventually(async () => {
      const { status, gossip } = await this.ready();
      assert.deepEqual([status, gossip.reachable], [200, reachable]);
    });
  }

  /** Takes `cost`; answers whether it was admitted. */
  async check(policy: string, cost = 1): Promise<boolean> {
    const { status, json } = await this.http("POST", "/v1/check", { policy, key: "k", cost });
    assert.equal(status, 200);
    return (json as { allowed: boolean }).allowed;
  }

  /** Units that are left of a limit, as far as this node knows. */
  async used(policy: string): Promise<number> {
    const { json } = await this.http("GET", `/v1/status?policy=${policy}&key=k`);
    const { limit, remaining } = json as { limit: number; remaining: number };
    return limit - remaining;
  }

  async metric(series: string): Promise<number | undefined> {
    const { text } = await this.#admin("GET", "/metrics");
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  #start(): Running {
    return start(this.#arguments, { environment: this.#environment });
  }
}

/**
 * Runs `work` with a cluster of three that is ready.
 * @param text the file of all of them, without `peers.members`.
 */
export async function withCluster(
  context: Pick<TestContext, "after">,
  text: string,
  work: (nodes: readonly ClusterNode[], add: AddNode) => Promise<void>,
): Promise<void> {
  const ports = new Set<number>();
  while (ports.size < 16) ports.add(await freePort());
  const all = [...ports];
  const portsOf = (place: number) => all.slice(4 * place, 4 * place + 4);
  const members = [0, 1, 2].map((place) => `127.0.0.1:${portsOf(place)[3]}`).join(",");
  await inDirectory({ "tidegate.yaml": text }, async (directory) => {
    const nodes: ClusterNode[] = [];
    const add: AddNode = (environment = {}) => {
      const file = `${directory}/tidegate.yaml`;
      const node = new ClusterNode(portsOf(nodes.length), file, {
        TIDEGATE_PEERS_MEMBERS: members,
        ...environment,
      });
      nodes.push(node);
      return node;
    };
    context.after(() => Promise.all(nodes.map((node) => node.kill("SIGKILL"))));
    const three = [add(), add(), add()];
    for (const node of three) await node.hears(3);
    await work(three, add);
  });
}

/** Starts a fourth node. */
export type AddNode = (environment?: Readonly<Record<string, string>>) => ClusterNode;
