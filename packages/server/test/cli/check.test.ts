// `tidegate check` where what answers is not a Tidegate, or nothing does.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type TestContext, test } from "node:test";
import { freePort } from "../../../../test/support/free-port.ts";
import { runHere } from "./support.ts";

async function answering(t: TestContext, status: number, body: string): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { connection: "close" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

test("nothing answers: says how to start it", async (t) => {
  const url = await answering(t, 200, "");
  const port = new URL(url).port;
  const free = await freePort();
  const unused = await runHere(["check", "api", "a", "--url", `http://127.0.0.1:${free}`]);
  assert.deepEqual(unused, {
    code: 2,
    stdout: "",
    stderr:
      `tidegate: nothing answers at http://127.0.0.1:${free}.\n` +
      "Start the service with `tidegate serve`, or say where it is with --url.\n",
  });
  const tls = await runHere(["check", "api", "a", "--url", `https://127.0.0.1:${port}`]);
  assert.equal(tls.code, 2);
  assert.match(
    tls.stderr,
    /^tidegate: nothing answers at https:\/\/127\.0\.0\.1:\d+ \(ERR_SSL_\w+\)\.\n/,
  );
});

test("a port that web clients refuse is said as such", async () => {
  const { code, stderr } = await runHere(["check", "api", "a", "--url", "http://127.0.0.1:10080"]);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^tidegate: http:\/\/127\.0\.0\.1:10080 cannot be asked: its port is one that web/,
  );
});

const strangers: readonly (readonly [number, string])[] = [
  [200, "<html></html>"],
  [200, "{}"],
  [200, "null"],
  [200, '{"allowed":"yes","limit":1,"remaining":1,"resetAfterMs":0}'],
  [404, "not found"],
  [500, '{"detail":5}'],
];

for (const [status, body] of strangers) {
  test(`another service's answer is no decision: ${status} ${body}`, async (t) => {
    const url = await answering(t, status, body);
    const { code, stdout, stderr } = await runHere(["check", "api", "a", "--url", url]);
    assert.deepEqual([code, stdout], [2, ""]);
    const expected = `${url} answered ${status} and not as Tidegate does: is it another service's address?`;
    assert.equal(stderr, `tidegate: ${expected}\n`);
  });
}

test("a problem document's detail is printed", async (t) => {
  const url = await answering(
    t,
    503,
    '{"title":"x","status":503,"detail":"The store could not decide; try again."}',
  );
  const { code, stderr } = await runHere(["check", "api", "a", "--url", url]);
  assert.deepEqual([code, stderr], [2, "tidegate: The store could not decide; try again.\n"]);
});

test("a limit that is not the policy's only one is named", async (t) => {
  const decision = {
    allowed: true,
    policy: "api",
    limitName: "minute",
    limit: 1_000,
    remaining: 999,
  };
  const url = await answering(
    t,
    200,
    JSON.stringify({ ...decision, retryAfterMs: 0, resetAfterMs: 59_000 }),
  );
  const { code, stdout } = await runHere(["check", "api", "a", "--url", url]);
  assert.deepEqual(
    [code, stdout],
    [0, "allowed, 999 of 1,000 remaining, all of it in 59 s (api, minute)\n"],
  );
});

test("an address with a password is refused, and the password not shown", async () => {
  for (const user of ["user:hunter2@", ":hunter2@", "hunter2@"]) {
    const asked = await runHere(["check", "api", "a", "--url", `http://${user}127.0.0.1:1`]);
    assert.deepEqual(asked, {
      code: 2,
      stdout: "",
      stderr:
        "tidegate: --url must be an address without user or password, such as http://127.0.0.1:8080, " +
        'got "http://***@127.0.0.1:1"\n',
    });
  }
});
