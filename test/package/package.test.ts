// What npm publishes works elsewhere: both packages are packed, installed in an empty directory, and used from there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startRedis, withoutRedis } from "../support/redis-server.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGES = ["tidegate", "server"];
const fixtures = join(root, "test", "package", "consumer");
const elsewhere = mkdtempSync(join(tmpdir(), "tidegate-package-"));
const tarballs = new Map<string, string>();

/** The environment without what npm and the test runner set for this repository. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle)_|npm_config_(local_prefix|prefix)$|INIT_CWD$|NODE_)/.test(name) &&
      !name.startsWith("TIDEGATE_"),
  ),
);

function installedRun(file: string, args: readonly string[], extra: Record<string, string> = {}) {
  return run(file, args, { cwd: elsewhere, env: { ...env, ...extra } });
}

before(async () => {
  for (const name of PACKAGES) {
    const directory = join(root, "packages", name);
    const known = new Set(readdirSync(elsewhere));
    await run("npm", ["pack", "--pack-destination", elsewhere], { cwd: directory, env });
    const made = readdirSync(elsewhere).find((file) => file.endsWith(".tgz") && !known.has(file));
    assert.ok(made, `npm pack made a tarball of packages/${name}`);
    tarballs.set(name, join(elsewhere, made));
  }
  const manifest = { name: "consumer", version: "1.0.0", private: true, type: "module" };
  writeFileSync(join(elsewhere, "package.json"), JSON.stringify(manifest));
  const versions = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).devDependencies;
  const beside = ["express", "ioredis", "@types/express", "@types/node"];
  const packages = [...tarballs.values(), ...beside.map((name) => `${name}@${versions[name]}`)];
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  await installedRun("npm", ["install", ...quiet, ...packages]);
  cpSync(fixtures, elsewhere, { recursive: true });
});
after(() => rmSync(elsewhere, { recursive: true, force: true }));

async function filesIn(tarball: string): Promise<string[]> {
  const { stdout } = await run("tar", ["-tzf", tarball]);
  return stdout
    .trim()
    .split("\n")
    .map((file) => file.replace(/^package\//, ""));
}

for (const name of PACKAGES) {
  test(`packages/${name}: the tarball holds licence, readme, build and sources, and no tests`, async () => {
    const files = await filesIn(tarballs.get(name)!);
    for (const file of ["LICENSE", "README.md", "package.json", "dist/index.js", "src/index.ts"]) {
      assert.ok(files.includes(file), file);
    }
    assert.deepEqual(
      files.filter((file) =>
        /(^|\/)(test|tests|node_modules)\/|\.test\.|tsconfig|\.tgz$/.test(file),
      ),
      [],
    );
    const maps = files.filter((file) => file.endsWith(".js.map"));
    for (const map of maps) {
      const source = map.replace(/^dist\//, "src/").replace(/\.js\.map$/, ".ts");
      assert.ok(files.includes(source), `${map} points at ${source}`);
    }
    assert.ok(maps.length > 0);
  });

  test(`packages/${name}: publint and are-the-types-wrong find nothing`, async () => {
    const tarball = tarballs.get(name)!;
    const publint = join(root, "node_modules", ".bin", "publint");
    const attw = join(root, "node_modules", ".bin", "attw");
    await run(publint, ["run", tarball, "--strict"], { env });
    const isData = /\.proto$/;
    const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
    const doors = Object.keys(manifest.exports).filter((door) => isData.test(door));
    const excluded = doors.length === 0 ? [] : ["--exclude-entrypoints", ...doors];
    await run(attw, [tarball, "--profile", "esm-only", "--no-color", "--no-emoji", ...excluded], {
      env,
    });
  });
}

test("every door imports with plain Node and works", async (t) => {
  const redis = withoutRedis === false ? await startRedis() : undefined;
  t.after(() => redis?.stop());
  const extra = redis === undefined ? {} : { REDIS_URL: redis.url };
  const { stdout } = await installedRun(process.execPath, ["use-doors.mjs"], extra);
  const used = ["tidegate", "tidegate/express", "tidegate/simulation", "tidegate-server", "proto"];
  assert.deepEqual(
    stdout.trim().split("\n"),
    redis === undefined ? used : [...used, "tidegate/redis"],
  );
});

for (const [resolution, module] of [
  ["nodenext", "nodenext"],
  ["bundler", "esnext"],
] as const) {
  test(`a consumer type-checks with moduleResolution ${resolution}`, async () => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const options = ["--noEmit", "--strict", "--target", "es2024", "--types", "node"];
    const args = [...options, "--module", module, "--moduleResolution", resolution];
    const check = (file: string) => installedRun(process.execPath, [tsc, ...args, file]);
    await check("use-types.ts");
    await assert.rejects(check("misuse-types.ts"), (error: Error & { stdout: string }) => {
      const codes = error.stdout.match(/(?<=^misuse-types\.ts\(\d+,\d+\): error )TS\d+/gm);
      assert.deepEqual(codes, ["TS2322", "TS2741"], error.stdout);
      return true;
    });
  });
}

test("the tidegate command runs from an installed package", async () => {
  const npx = (...args: string[]) => installedRun("npx", ["--no-install", "tidegate", ...args]);
  const { version } = JSON.parse(readFileSync(join(root, "packages/server/package.json"), "utf8"));
  assert.ok((await npx("--version")).stdout.trim().endsWith(version));
  await npx("config", "check", "node_modules/tidegate-server/tidegate.example.yaml");
  assert.match((await npx("simulate", "--list")).stdout, /^ {2}redis-killed /m);
  assert.match((await npx("simulate", "attacker")).stdout, /Admitted ÷ ideal, attacker +1\.000/);
  const wrong = "wrong.yaml";
  writeFileSync(join(elsewhere, wrong), "policies:\n  api:\n    limits: []\n");
  await assert.rejects(npx("config", "check", wrong), (error: Error & { code: number }) => {
    assert.notEqual(error.code, 0);
    assert.match(String(error), new RegExp(basename(wrong)));
    return true;
  });
});

test("the tidegate command runs where its package is merely unpacked, with what it depends on beside it", async () => {
  const unpacked = join(elsewhere, "unpacked");
  mkdirSync(unpacked);
  await run("tar", ["-xzf", tarballs.get("server")!, "-C", unpacked]);
  const command = join(unpacked, "package", "bin", "tidegate.js");
  const example = join(unpacked, "package", "tidegate.example.yaml");
  const { stdout } = await installedRun(process.execPath, [command, "config", "check", example]);
  assert.match(stdout, /tidegate\.example\.yaml/);
});
