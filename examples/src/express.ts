// An Express application with limits of several kinds: every path by the client's address, /login by account too, /mail
// in turn, and few of /export at once.
// Run: node --conditions=@tidegate/source examples/src/express.ts [port]

import express from "express";
import { concurrency, createLimiter, fixedWindow, leakyBucket, tokenBucket } from "tidegate";
import { rateLimit } from "tidegate/express";

// Counts in this process' memory. For several processes: store: redisStore({ url }) of "tidegate/redis".
const limiter = createLimiter({
  policies: {
    api: {
      limits: [
        tokenBucket({ capacity: 10, refill: "2/s", name: "burst" }),
        fixedWindow({ limit: 1_000, window: "1h", name: "hourly" }),
      ],
    },
    // Where that Redis does not answer in time, requests pass, but for these: they are answered with 503.
    login: { limits: [fixedWindow({ limit: 3, window: "1m" })], onStoreFailure: "deny" },
    mail: { limits: [leakyBucket({ rate: "1/s", queue: 2 })] },
    exports: { limits: [concurrency({ limit: 2, lease: "10s" })] },
  },
});

const app = express();
// Behind one reverse proxy: app.set("trust proxy", 1);

app.use(
  rateLimit({
    limiter,
    policy: "api",
    cost: (req) => (req.path === "/report" ? 5 : 1),
    skip: (req) => req.path === "/healthz",
  }),
);

app.get("/", (req, res) => {
  res.json({ hello: "world", remaining: req.rateLimit?.remaining });
});

app.get("/report", (_req, res) => {
  res.json({ report: "five units dear" });
});

app.get("/healthz", (_req, res) => {
  res.send("ok");
});

app.post(
  "/login",
  express.json(),
  rateLimit({
    limiter,
    policy: "login",
    key: (req) => `account:${String(req.body?.account).slice(0, 100)}`,
  }),
  (req, res) => {
    res.json({ welcome: req.body?.account ?? "stranger" });
  },
);

// Waits for its turn; where two wait already, the third is denied.
app.post("/mail", rateLimit({ limiter, policy: "mail" }), (req, res) => {
  res.json({ sentAfterMs: req.rateLimit?.delayMs });
});

// Holds a permit until the last byte is sent, or the client has gone.
app.get("/export", rateLimit({ limiter, policy: "exports" }), (_req, res) => {
  let rows = 0;
  const timer = setInterval(() => {
    rows += 1;
    res.write(`row ${rows}\n`);
    if (rows === 15) res.end();
  }, 1_000);
  res.once("close", () => clearInterval(timer));
});

const port = Number(process.argv[2] ?? 3_000);
const server = app.listen(port, "127.0.0.1", (error) => {
  if (error) throw error;
  const address = server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  process.stdout.write(
    `Listening. Try, several times in a row:\n` +
      `  curl -i http://127.0.0.1:${actual}/\n` +
      `  curl -i http://127.0.0.1:${actual}/report\n` +
      `  curl -i -d '{"account":"ada"}' -H 'content-type: application/json' http://127.0.0.1:${actual}/login\n` +
      `and several at once:\n` +
      `  curl -i -X POST http://127.0.0.1:${actual}/mail & curl -i -X POST http://127.0.0.1:${actual}/mail\n` +
      `  curl -iN http://127.0.0.1:${actual}/export\n`,
  );
});
