// The middleware contract: clients are counted by an address that they cannot choose.

import assert from "node:assert/strict";
import { it } from "node:test";
import { byUser, createSetup, get, type RunningServer, type Serve } from "./contract-setup.ts";

export function describeAddresses(serve: Serve): void {
  async function keyOf(server: RunningServer, forwarded?: string): Promise<unknown> {
    const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
    const body = (await (await get(server, headers)).json()) as Record<string, unknown>;
    return body.key ?? body;
  }

  it("counts by the client's address where no key is given", async () => {
    const { limiter } = createSetup();
    const warnings: string[] = [];
    const onWarning = ({ code }: { code: string }) => warnings.push(code);
    const server = await serve({ guards: [{ limiter, policy: "api", onWarning }] });
    assert.equal(await keyOf(server), "127.0.0.1");
    assert.deepEqual(warnings, []);
  });

  it("believes no X-Forwarded-For unless told to, and reports one once", async () => {
    const { limiter } = createSetup();
    const warnings: { code: string; message: string }[] = [];
    const onWarning = (warning: { code: string; message: string }) => warnings.push(warning);
    const server = await serve({ guards: [{ limiter, policy: "api", onWarning }] });
    assert.equal(await keyOf(server, "203.0.113.7"), "127.0.0.1");
    assert.equal(await keyOf(server, "203.0.113.8"), "127.0.0.1");
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["TIDEGATE_FORWARDED_FOR_IGNORED"],
    );
    assert.match(warnings[0]!.message, /"trust proxy".*off/);
  });

  it("counts the address that one trusted proxy saw, by prefix and without ports", async () => {
    const { limiter } = createSetup();
    const warnings: string[] = [];
    const onWarning = ({ code }: { code: string }) => warnings.push(code);
    const server = await serve({ guards: [{ limiter, policy: "api", onWarning }], trustProxy: 1 });
    assert.equal(await keyOf(server, "198.51.100.1, 203.0.113.7"), "203.0.113.7");
    assert.equal(await keyOf(server, "203.0.113.9:4711"), "203.0.113.9");
    assert.equal(await keyOf(server, "2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
    assert.equal(await keyOf(server, "2001:db8:1:2:ffff::5"), "2001:db8:1:2::/64");
    assert.equal(await keyOf(server, "[2001:db8:1:3::4]:443"), "2001:db8:1:3::/64");
    assert.deepEqual(warnings, []);
  });

  it("takes the IPv6 prefix from the options", async () => {
    const { limiter } = createSetup();
    const server = await serve({
      guards: [{ limiter, policy: "api", ipv6Prefix: 56 }],
      trustProxy: 1,
    });
    assert.equal(await keyOf(server, "2001:db8:1:2ff::1"), "2001:db8:1:200::/56");
  });

  it("hands on an error for an address that is none", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "api" }], trustProxy: 1 });
    const error = (await keyOf(server, "unknown")) as Record<string, unknown>;
    assert.deepEqual([error.code, error.field], ["INVALID_REQUEST", "key"]);
    assert.match(String(error.message), /"unknown".*"trust proxy".*key function/);
  });

  it("reports once that anyone is trusted", async () => {
    const { limiter } = createSetup();
    const warnings: { code: string; message: string }[] = [];
    const onWarning = (warning: { code: string; message: string }) => warnings.push(warning);
    const server = await serve({
      guards: [{ limiter, policy: "api", onWarning }],
      trustProxy: true,
    });
    assert.equal(await keyOf(server, "203.0.113.7"), "203.0.113.7");
    assert.equal(await keyOf(server), "127.0.0.1");
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["TIDEGATE_TRUST_PROXY_TRUE"],
    );
    assert.match(warnings[0]!.message, /number of proxies/);
  });

  it("says nothing of proxies where the key is not an address", async () => {
    const { limiter } = createSetup();
    const warnings: string[] = [];
    const onWarning = ({ code }: { code: string }) => warnings.push(code);
    for (const trustProxy of [true, false]) {
      const server = await serve({
        guards: [{ limiter, policy: "both", key: byUser, onWarning }],
        trustProxy,
      });
      assert.equal(await keyOf(server, "203.0.113.7"), "nobody");
    }
    assert.deepEqual(warnings, []);
  });
}
