// `tidegate serve` in a process of its own, asked by `tidegate check`, and stopped by signals.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import { inDirectory } from "../config/support.ts";
import { execute, type Running, runHere, start } from "./support.ts";

const ANY_PORTS = {
  TIDEGATE_HTTP_PORT: "0",
  TIDEGATE_GRPC_PORT: "0",
  TIDEGATE_ADMIN_PORT: "0",
};

interface Served extends Running {
  /** Where HTTP is. */
  readonly url: string;
  readonly banner: string;
}

/** Starts the service on free ports and waits for its banner. */
async function serve(t: TestContext, environment: Record<string, string> = {}): Promise<Served> {
  const running = start(["serve"], { environment: { ...ANY_PORTS, ...environment } });
  t.after(async () => {
    running.child.kill("SIGKILL");
    await running.ended;
  });
  const banner = await eventually(() => {
    const text = running.stdout();
    assert.match(text, /Ctrl-C stops it\.\n\n$/, `${text}\n${running.stderr()}`);
    return text;
  });
  const url = /HTTP +(http:\S+)/.exec(banner)![1]!;
  return { ...running, url, banner };
}

test("the examples are served, five logins are allowed, the sixth is denied", async (t) => {
  const { url, banner } = await serve(t);
  assert.match(banner, /Tidegate \d+\.\d+\.\d+ is listening\./);
  assert.match(banner, /no file: these are examples/);
  const ask = (...args: string[]) => runHere(["check", "login", "user:1", "--url", url, ...args]);
  for (let left = 4; left >= 0; left -= 1) {
    const { code, stdout, stderr } = await ask();
    assert.deepEqual([code, stderr], [0, ""]);
    const near = left <= 1 ? ", near the limit" : "";
    const all = "all of it in [\\d.]+ [ms]+";
    assert.match(
      stdout,
      new RegExp(`^allowed, ${left} of 5 remaining${near}, ${all} \\(login\\)\\n$`),
    );
  }
  const denied = await ask();
  assert.equal(denied.code, 1);
  assert.match(denied.stdout, /^denied, retry in [\d.]+ s \(login: 0 of 5 remaining\)\n$/);
  const peeked = await ask("--peek");
  assert.deepEqual([peeked.code, peeked.stdout.startsWith("would be denied")], [1, true]);
  const json = await ask("--json", "--cost", "0");
  assert.equal(json.code, 0);
  const { allowed, policy, key, limit } = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.deepEqual(
    { allowed, policy, key, limit },
    { allowed: true, policy: "login", key: "user:1", limit: 5 },
  );
  const never = await ask("--cost", "6");
  assert.equal(never.code, 1);
  assert.equal(never.stdout, "denied however long it waits: 6 is above the limit of 5 (login)\n");
  const unknown = await runHere(["check", "lgin", "user:1", "--url", `${url}/`]);
  assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
  assert.match(unknown.stderr, /^tidegate: unknown policy "lgin".*did you mean "login"\?\n$/);
});

test("three jobs at once: the fourth is denied until one is released", async (t) => {
  const { url } = await serve(t);
  const ask = (...args: string[]) => runHere(["check", "jobs", "user:1", "--url", url, ...args]);
  const ids: string[] = [];
  for (let left = 2; left >= 0; left -= 1) {
    const { code, stdout, stderr } = await ask("--acquire");
    assert.deepEqual([code, stderr], [0, ""]);
    const match = /^acquired 1 as (\S+), held for 30 s, (\d) of 3 remaining/.exec(stdout);
    assert.equal(match?.[2], String(left), stdout);
    ids.push(match![1]!);
  }
  const fourth = await ask("--acquire");
  assert.equal(fourth.code, 1);
  assert.match(fourth.stdout, /^denied, retry in [\d.]+ s \(jobs: 0 of 3 remaining\)\n$/);
  const extended = await ask("--extend", ids[1]!);
  assert.deepEqual([extended.code, extended.stdout], [0, `extended ${ids[1]}\n`]);
  assert.equal((await ask("--release", ids[0]!)).code, 0);
  assert.equal((await ask("--acquire")).code, 0);
  const again = await ask("--release", ids[0]!);
  assert.deepEqual(
    [again.code, again.stdout],
    [1, `not released: ${ids[0]} is not held any more\n`],
  );
  const checked = await ask();
  assert.equal(checked.code, 2);
  assert.match(checked.stderr, /^tidegate: policy must be one without a concurrency limit/);
});

test("an estimate is reserved, settled for less, and several are decided as one", async (t) => {
  const { url } = await serve(t);
  const ask = (...args: string[]) => runHere(["check", ...args, "--url", url, "--json"]);
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout } = await ask(...args);
    return { ...(JSON.parse(stdout) as object), code };
  };
  const api = ["api", "user:1"];
  const reserved = await json(...api, "--reserve", "--cost", "60", "--id", "mine", "--ttl", "10s");
  assert.deepEqual(
    [reserved.code, reserved.id, reserved.cost, reserved.ttlMs],
    [0, "mine", 60, 10_000],
  );
  const repeated = await json(...api, "--reserve", "--cost", "60", "--id", "mine", "--ttl", "10s");
  assert.equal(repeated.allowed, true, "the same id is charged once");
  const settled = await json(...api, "--settle", "mine", "--actual", "10");
  assert.deepEqual([settled.code, settled.settled], [0, true]);
  assert.ok((settled.remaining as number) >= 90, JSON.stringify(settled));
  const unknown = await json(...api, "--settle", "other", "--actual", "10");
  assert.deepEqual([unknown.code, unknown.settled], [1, false]);
  const five = ["--every", "login=user:1", "--every", "api=user:1", "--cost", "5"];
  assert.equal((await json(...five)).allowed, true);
  const denied = await json(...five);
  assert.deepEqual([denied.code, denied.policy], [1, "login"]);
  const before = await json(...api, "--peek");
  const refunded = await json(...api, "--refund", "--cost", "5");
  assert.equal(refunded.code, 0);
  assert.ok((refunded.remaining as number) >= (before.remaining as number) + 5);
});

test("peeking takes nothing, and the command exits in a process as it does here", async (t) => {
  const { url } = await serve(t);
  const args = ["check", "login", "a key/ü&x=1", "--url", url];
  const first = await execute([...args, "--peek", "--cost", "5"]);
  assert.deepEqual(first, {
    code: 0,
    stdout: "would be allowed, 5 of 5 remaining (login)\n",
    stderr: "",
  });
  const second = await execute([...args, "--cost", "5"]);
  assert.equal(second.code, 0);
  assert.match(second.stdout, /^allowed, 0 of 5 remaining/);
  assert.equal((await execute(args)).code, 1);
});

test("the line to paste asks the service that wrote it", async (t) => {
  const { banner } = await serve(t);
  const line = /curl -sw '\\n' (\S+) -H '([^:]+): ([^']+)' -d '([^']+)'/.exec(banner);
  assert.ok(line, banner);
  const [, url, header, value, body] = line;
  const response = await fetch(url!, {
    method: "POST",
    headers: { [header!]: value! },
    body: body!,
  });
  assert.equal(response.status, 200);
  const decision = (await response.json()) as { allowed: boolean; policy: string };
  assert.deepEqual([decision.allowed, decision.policy], [true, "login"]);
});

test("SIGTERM and SIGINT drain and end with 0; the log is JSON, apart from the banner", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const { child, ended, banner } = await serve(t);
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    assert.deepEqual([code, stdout], [0, banner]);
    const messages = stderr
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
    assert.deepEqual(messages.slice(-2), ["draining", "stopped"]);
  }
});

test("a second signal ends at once with 1, whatever is in flight", async (t) => {
  const { child, ended, url, stderr } = await serve(t, { TIDEGATE_DRAIN_TIMEOUT: "1h" });
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(
    "POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
  );
  // The answer to a request on another connection shows that the one above has arrived.
  await fetch(`${url}/healthz`);
  child.kill("SIGTERM");
  await eventually(() => assert.match(stderr(), /"draining"/));
  assert.equal(child.exitCode, null, "it waits for the request in flight");
  child.kill("SIGINT");
  assert.equal((await ended).code, 1);
});

test("a port in use is said with its variable, and ends with 1", async (t) => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const cases = [
    ["TIDEGATE_HTTP_PORT", "HTTP", "ports.http"],
    ["TIDEGATE_GRPC_PORT", "gRPC", "ports.grpc"],
    ["TIDEGATE_ADMIN_PORT", "metrics", "ports.admin"],
  ] as const;
  for (const [variable, name, key] of cases) {
    const environment = { ...ANY_PORTS, [variable]: String(port), TIDEGATE_LOG_LEVEL: "silent" };
    const { code, stdout, stderr } = await execute(["serve"], { environment });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.ok(
      stderr.endsWith(
        `tidegate: cannot listen on port ${port} of 127.0.0.1 for ${name}: something else listens there already.\n` +
          `Stop that, or choose another port with ${variable} or ${key} (0 is any free one).\n`,
      ),
      stderr,
    );
  }
});

test("a host that is not this machine's is said as such", async () => {
  const environment = { ...ANY_PORTS, TIDEGATE_HOST: "192.0.2.1", TIDEGATE_LOG_LEVEL: "silent" };
  const { code, stderr } = await execute(["serve"], { environment });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /of 192\.0\.2\.1 for .*\nSet TIDEGATE_HOST or host to an address of this machine\.\n$/,
  );
});

test("a wrong file ends with 2 and starts nothing", async () => {
  await inDirectory({ "tidegate.yaml": "policies: { api: 1 }\n" }, async (directory) => {
    const { code, stdout, stderr } = await execute(["serve"], {
      directory,
      environment: ANY_PORTS,
    });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^tidegate\.yaml:1:18: policies\.api must be a map/);
  });
});

test("a Redis that is away keeps nothing from starting, and its password is nowhere", async (t) => {
  const store = "redis://user:hunter2@127.0.0.1:1";
  const { banner, child, ended } = await serve(t, { TIDEGATE_STORE: store });
  assert.match(banner, /Store +redis:\/\/\*\*\*@127\.0\.0\.1:1, which does not answer yet/);
  child.kill("SIGTERM");
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stdout + stderr, /hunter2/);
});
