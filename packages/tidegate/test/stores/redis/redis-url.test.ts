// Addresses of Redis, as people write them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRedisUrl, redactRedisUrl } from "tidegate/redis";

const plain = {
  kind: "single",
  tls: false,
  username: undefined,
  password: undefined,
  nodes: [{ host: "localhost", port: 6379 }],
  database: 0,
  masterName: undefined,
};

test("reads one server, a Cluster and Sentinels", () => {
  const table: [url: string, differs: object][] = [
    ["redis://localhost", {}],
    ["redis://localhost:6380/2", { nodes: [{ host: "localhost", port: 6380 }], database: 2 }],
    ["redis://localhost/", {}],
    ["redis://[::1]:7000", { nodes: [{ host: "::1", port: 7000 }] }],
    ["rediss://localhost", { tls: true }],
    ["redis://:s3cret@localhost", { password: "s3cret" }],
    ["redis://me:p%40ss%3A%25@localhost", { username: "me", password: "p@ss:%" }],
    ["redis://me:p@ss@localhost", { username: "me", password: "p@ss" }],
    ["redis://me@localhost", { username: "me" }],
    [
      "redis+cluster://a:7000,b:7001",
      {
        kind: "cluster",
        nodes: [
          { host: "a", port: 7000 },
          { host: "b", port: 7001 },
        ],
      },
    ],
    [
      "rediss+sentinel://:x@a,b:26380/main/3",
      {
        kind: "sentinel",
        tls: true,
        password: "x",
        nodes: [
          { host: "a", port: 26379 },
          { host: "b", port: 26380 },
        ],
        masterName: "main",
        database: 3,
      },
    ],
  ];
  for (const [url, differs] of table) {
    assert.deepEqual(parseRedisUrl(url), { ...plain, ...differs }, url);
  }
});

test("refuses what is none, and never shows a password", () => {
  const bad = [
    "",
    "localhost:6379",
    "http://localhost",
    "redis://",
    "redis://:s3cret@",
    "redis://:s3cret",
    "REDIS://:s3cret@host",
    "redis:/:s3cret@host",
    "redis2://:s3cret@host",
    " redis://:s3cret@host:x",
    "redis://:s3cret\n@host",
    "redis://:s3cret@host:port",
    "redis://:s3cret@host:0",
    "redis://:s3cret@host:70000",
    "redis://:s3cret@a,b",
    "redis://:s3cret@host/x",
    "redis://:s3cret@host/1/2",
    "redis://:s3cret@host?db=1",
    "redis://:s3cret%zz@host",
    "redis+cluster://:s3cret@a/1",
    "redis+sentinel://:s3cret@a",
    undefined as never,
  ];
  for (const url of bad) {
    assert.throws(
      () => parseRedisUrl(url),
      (error: Error & { code?: string; field?: string }) => {
        assert.equal(error.code, "INVALID_OPTION", url);
        assert.equal(error.field, "url");
        assert.match(error.message, /^url must be /);
        assert.doesNotMatch(error.message, /s3cret/);
        return true;
      },
    );
  }
});

test("redacts user, password and parameters, and nothing else", () => {
  const table = [
    ["memory", "memory"],
    ["redis://127.0.0.1:6379", "redis://127.0.0.1:6379"],
    ["redis://[::1]:6379/2", "redis://[::1]:6379/2"],
    ["redis+sentinel://a:26379,b:26379/main/1", "redis+sentinel://a:26379,b:26379/main/1"],
    ["redis://:secret@host:6379", "redis://***@host:6379"],
    ["redis://user:secret@host:6379/0", "redis://***@host:6379/0"],
    ["rediss+cluster://user:secret@a:1,b:2", "rediss+cluster://***@a:1,b:2"],
    ["redis://user@host", "redis://***@host"],
    ["redis://user:se@cr:e/t@host", "redis://***@host"],
    ["redis://user:sec?ret#x@host", "redis://***@host"],
    ["REDIS://user:secret@host", "REDIS://***@host"],
    ["redis:/user:secret@host", "redis:/***@host"],
    ["redis:user:secret@host", "redis:***@host"],
    ["user:secret@host", "user:***@host"],
    ["redis://host:6379?password=secret", "redis://host:6379?***"],
    ["redis://host:6379#secret", "redis://host:6379#***"],
    ["redis://host:secret", "redis://host:***"],
    ["redis://:secret", "redis://:***"],
    ["redis://:s3\ncret@host", "redis://***@host"],
  ];
  for (const [url, expected] of table) assert.equal(redactRedisUrl(url!), expected);
});
