import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { TidegateError } from "tidegate";
import {
  createManualStore,
  PATIENT_POLICIES,
  startTestService,
  until,
  withDefaults,
} from "../service-support.ts";

const CENTURY_MS = 36_500 * 86_400_000;
const YEAR_MS = 365 * 86_400_000;

test("CheckLimit allows, takes the cost, and denies as a normal response", async (context) => {
  const { grpc } = await startTestService(context);
  const request = { policy: "api", key: "a", cost: 60 };
  const first = withDefaults(await grpc.call("CheckLimit", request));
  assert.deepEqual(first, {
    allowed: true,
    policy: "api",
    key: "a",
    limit_name: "api",
    limit: 100,
    remaining: 40,
    retry_after_ms: 0,
    reset_after_ms: 60 * YEAR_MS,
    delay_ms: 0,
    soft: false,
    near_limit: false,
    shadow: false,
    source: "local",
  });
  const second = withDefaults(await grpc.call("CheckLimit", { ...request, cost: 41 }));
  assert.equal(second.allowed, false);
  assert.equal(second.remaining, 40);
  assert.ok(Math.abs((second.retry_after_ms as number) - YEAR_MS) < 60_000);
});

test("an absent cost is 1, a cost of 0 is a look, a cost above the limit has no retry time", async (context) => {
  const { grpc } = await startTestService(context);
  const remaining = async (request: object) => {
    return withDefaults(await grpc.call("CheckLimit", request)).remaining;
  };
  assert.equal(await remaining({ policy: "api", key: "a" }), 99);
  assert.equal(await remaining({ policy: "api", key: "a", cost: 0 }), 99);
  assert.equal(await remaining({ policy: "api", key: "a", cost: 9 }), 90);
  const never = withDefaults(await grpc.call("CheckLimit", { policy: "api", key: "a", cost: 101 }));
  assert.equal(never.allowed, false);
  assert.ok(!("retry_after_ms" in never));
  assert.equal(never.remaining, 90);
});

test("the limit that bound is named", async (context) => {
  const { grpc } = await startTestService(context);
  const request = { policy: "login", key: "a", cost: 2 };
  const first = withDefaults(await grpc.call("CheckLimit", request));
  assert.equal(first.limit_name, "short");
  assert.equal(first.limit, 2);
  const second = withDefaults(await grpc.call("CheckLimit", request));
  assert.equal(second.allowed, false);
  assert.ok((second.reset_after_ms as number) <= CENTURY_MS);
});

test("GetStatus answers what CheckLimit would, and takes nothing", async (context) => {
  const { grpc } = await startTestService(context);
  await grpc.call("CheckLimit", { policy: "login", key: "a" });
  for (let look = 0; look < 3; look += 1) {
    const answer = withDefaults(await grpc.call("GetStatus", { policy: "login", key: "a" }));
    assert.equal(answer.allowed, true);
    assert.equal(answer.remaining, 1);
  }
  const tooMuch = withDefaults(
    await grpc.call("GetStatus", { policy: "login", key: "a", cost: 2 }),
  );
  assert.equal(tooMuch.allowed, false);
});

test("CheckLimits decides each request on its own, in order", async (context) => {
  const { grpc } = await startTestService(context);
  const { decisions } = (await grpc.call("CheckLimits", {
    requests: [
      { policy: "login", key: "a", cost: 2 },
      { policy: "login", key: "a" },
      { policy: "api", key: "a", cost: 40 },
      { policy: "login", key: "b" },
    ],
  })) as { decisions: Record<string, unknown>[] };
  const told = decisions.map(withDefaults).map(({ policy, key, allowed, remaining }) => {
    return [policy, key, allowed, remaining];
  });
  assert.deepEqual(told, [
    ["login", "a", true, 0],
    ["login", "a", false, 0],
    ["api", "a", true, 60],
    ["login", "b", true, 1],
  ]);
  assert.deepEqual(await grpc.call("CheckLimits", { requests: [] }), {});
});

test("one wrong request fails the whole batch, is named, and nothing is taken", async (context) => {
  const { grpc } = await startTestService(context);
  const right = { policy: "login", key: "a" };
  const cases: readonly (readonly [object, status, string])[] = [
    [
      { policy: "api", key: "" },
      status.INVALID_ARGUMENT,
      'requests[1].key must be a string of 1 to 1024 characters, got ""',
    ],
    [
      { policy: "api", key: "a", cost: 1_000_000_001 },
      status.INVALID_ARGUMENT,
      "requests[1].cost must be a whole number from 0 to 1000000000, got 1000000001",
    ],
    [
      { policy: "apj", key: "a" },
      status.NOT_FOUND,
      'requests[1].policy: unknown policy "apj" of this limiter; did you mean "api"?',
    ],
  ];
  for (const [wrong, code, details] of cases) {
    const call = grpc.call("CheckLimits", { requests: [right, wrong, right] });
    await assert.rejects(call, { code, details });
  }
  const after = withDefaults(await grpc.call("GetStatus", right));
  assert.equal(after.remaining, 2);
});

test("a batch of more than 1,000 is refused", async (context) => {
  const { grpc } = await startTestService(context);
  const requests = Array.from({ length: 1_001 }, (_, index) => ({
    policy: "api",
    key: `${index}`,
  }));
  await assert.rejects(grpc.call("CheckLimits", { requests }), {
    code: status.INVALID_ARGUMENT,
    details: "requests must be at most 1000, got more",
  });
  const most = await grpc.call("CheckLimits", { requests: requests.slice(1) });
  assert.equal((most.decisions as unknown[]).length, 1_000);
});

test("what is wrong with one request is named", async (context) => {
  const { grpc } = await startTestService(context);
  const cases: readonly (readonly [object, status, RegExp])[] = [
    [{ policy: "api" }, status.INVALID_ARGUMENT, /^key must be a string of 1 to 1024/],
    [{ policy: "api", key: "k".repeat(1_025) }, status.INVALID_ARGUMENT, /^key must be .* 1025/],
    [{ policy: "api", key: "a", cost: 2 ** 32 - 1 }, status.INVALID_ARGUMENT, /^cost must be/],
    [{ policy: "nope", key: "a" }, status.NOT_FOUND, /^unknown policy "nope"/],
    [{ key: "a" }, status.INVALID_ARGUMENT, /^policy must be named/],
    [{ policy: "__proto__", key: "a" }, status.NOT_FOUND, /^unknown policy "__proto__"/],
  ];
  for (const method of ["CheckLimit", "GetStatus"]) {
    for (const [request, code, details] of cases) {
      await assert.rejects(
        grpc.call(method, request),
        (error: { code: status; details: string }) => {
          assert.equal(error.code, code);
          assert.match(error.details, details);
          return true;
        },
      );
    }
  }
});

test("bytes that are not a request are an INVALID_ARGUMENT with a reason", async (context) => {
  const { grpc } = await startTestService(context);
  const cutOff = Buffer.from([0x0a, 9, 1]);
  await assert.rejects(grpc.callBytes("CheckLimit", cutOff), {
    code: status.INVALID_ARGUMENT,
    details: "the message is cut off",
  });
  await assert.rejects(grpc.callBytes("CheckLimits", Buffer.from([0x0a, 4, 0x12, 2, 0xc3, 0x28])), {
    code: status.INVALID_ARGUMENT,
    details: "requests[0]: key must be a string in UTF-8",
  });
});

test("a store that gives no answer is no error, anything else INTERNAL, without a word of why", async (context) => {
  const store = createManualStore();
  const { grpc, log } = await startTestService(context, { policies: PATIENT_POLICIES }, { store });
  const failWith = async (error: unknown) => {
    const call = grpc.call("CheckLimit", { policy: "api", key: "a" });
    call.catch(() => undefined);
    await until(() => store.waiting.length > 0);
    store.waiting.shift()!.fail(error);
    return call;
  };
  const open = await failWith(new TidegateError("STORE_UNAVAILABLE", "secret-host refused"));
  assert.deepEqual([open.allowed, open.source], [true, "fail-open"]);
  await assert.rejects(failWith(new TidegateError("LIMITER_CLOSED", "closed")), {
    code: status.UNAVAILABLE,
    details: "the service is stopping; try another node",
  });
  assert.equal(log.lines.filter(({ level }) => level === "error").length, 0);
  const secret = new Error("secret-host: assertion failed");
  for (let times = 0; times < 3; times += 1) {
    await assert.rejects(failWith(secret), { code: status.INTERNAL, details: "internal error" });
  }
  const errors = log.lines.filter(({ level }) => level === "error");
  assert.deepEqual(
    errors.map(({ fields }) => fields),
    [{ err: secret, leftOut: 0 }],
  );
});

test("a method that does not exist is UNIMPLEMENTED", async (context) => {
  const { grpc } = await startTestService(context);
  await assert.rejects(grpc.callBytes("Nope", Buffer.alloc(0)), { code: status.UNIMPLEMENTED });
});
