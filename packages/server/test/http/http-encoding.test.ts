import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestService } from "../service-support.ts";

test("a body that is compressed, or of another charset, is a 415", async (context) => {
  const { http } = await startTestService(context);
  const others = [
    { "content-encoding": "gzip" },
    { "content-type": "application/json; charset=iso-8859-1" },
  ];
  for (const headers of others) {
    const answer = await http("POST", "/v1/check", '{"policy":"api","key":"a"}', { headers });
    assert.equal(answer.status, 415, JSON.stringify(headers));
  }
});

test("a query that cannot be decoded is a 400 that names the field", async (context) => {
  const { http } = await startTestService(context);
  for (const key of ["%ff%fe", "%zz", "%"]) {
    const answer = await http("GET", `/v1/status?policy=api&key=${key}`);
    assert.equal(answer.status, 400, key);
    assert.equal((answer.json as { field: string }).field, "key");
  }
  const answer = await http("GET", "/v1/status?policy=api&key=a%25ff+%C3%BC");
  assert.equal((answer.json as { key: string }).key, "a%ff ü");
});
