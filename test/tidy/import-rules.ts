// Rules about how files depend on each other: directions, cycles, dead files, undeclared packages.

import { posix } from "node:path";
import { type Import, importsOf } from "./file-rules.ts";

/** Files by path from the repository's directory. */
export type Sources = ReadonlyMap<string, string>;

const LIBRARY = "packages/tidegate/src/";

interface Layer {
  /** Beginnings of paths below the library's src; the first layer that fits is the file's. */
  readonly files: readonly string[];
  /** Beginnings of paths that it may import, beside its own. */
  readonly may: readonly string[];
  /** Packages that it may import; "node:" is Node itself. */
  readonly packages: readonly string[];
}

const DOWN = ["algorithms/", "policy/", "ports/", "decision.ts", "errors.ts"];

/** Imports point down. What a layer is not allowed here, it does without or is passed. */
export const LAYERS: readonly Layer[] = [
  { files: ["errors.ts"], may: [], packages: [] },
  { files: ["algorithms/"], may: [], packages: [] },
  { files: ["decision.ts"], may: ["algorithms/", "policy/policy.ts"], packages: [] },
  { files: ["limiter.ts"], may: ["decision.ts", "policy/policy.ts"], packages: [] },
  { files: ["policy/"], may: ["algorithms/", "errors.ts"], packages: [] },
  { files: ["ports/"], may: ["algorithms/", "policy/", "decision.ts"], packages: [] },
  { files: ["runtime/"], may: ["ports/"], packages: ["node:"] },
  {
    files: ["stores/redis/"],
    may: [...DOWN, "runtime/", "stores/work-print.ts", "peers-redis/"],
    packages: ["node:", "ioredis"],
  },
  {
    files: ["peers-redis/"],
    may: [...DOWN, "runtime/", "stores/redis/"],
    packages: ["node:", "ioredis"],
  },
  { files: ["stores/"], may: [...DOWN, "runtime/"], packages: [] },
  { files: ["leases/"], may: DOWN, packages: [] },
  { files: ["gossip/"], may: DOWN, packages: [] },
  { files: ["coordination/"], may: [...DOWN, "leases/", "gossip/"], packages: [] },
  { files: ["resilience/"], may: DOWN, packages: [] },
  { files: ["calls/"], may: [...DOWN, "limiter.ts", "coordination/", "runtime/"], packages: [] },
  {
    files: ["create-limiter.ts"],
    may: [
      ...[...DOWN, "limiter.ts", "calls/", "stores/", "coordination/", "gossip/", "resilience/"],
      "runtime/",
    ],
    packages: [],
  },
  {
    files: ["middleware/express"],
    may: ["middleware/", "limiter.ts", "decision.ts", "errors.ts", "policy/", "runtime/"],
    packages: ["node:", "express"],
  },
  {
    files: ["middleware/"],
    may: ["limiter.ts", "decision.ts", "errors.ts", "policy/", "runtime/"],
    packages: ["node:"],
  },
  {
    files: ["simulation/"],
    may: [
      ...[...DOWN, "limiter.ts", "create-limiter.ts", "gossip/gossip-options.ts"],
      ...["stores/memory.ts", "runtime/settled.ts"],
    ],
    packages: [],
  },
  {
    files: ["index.ts"],
    may: [
      ...DOWN,
      "limiter.ts",
      "create-limiter.ts",
      "gossip/gossip-options.ts",
      "stores/memory.ts",
      "middleware/rate-limit-headers.ts",
    ],
    packages: [],
  },
];

const startsWithOneOf = (path: string, beginnings: readonly string[]) =>
  beginnings.some((beginning) => path.startsWith(beginning));

function layerOf(path: string): Layer | undefined {
  return LAYERS.find(({ files }) => startsWithOneOf(path, files));
}

/** What a file of the library, the server, `bench`, `examples` or `docs` imports that it must not. */
export function directionProblems(path: string, text: string): string[] {
  const imports = importsOf(text);
  if (path.startsWith(LIBRARY)) return libraryProblems(path, imports);
  if (path.startsWith("packages/server/src/")) return serverProblems(path, imports);
  if (/^(bench|examples|docs)\//.test(path)) {
    return imports
      .map(({ specifier }) => resolve(path, specifier))
      .filter((target) => target?.startsWith("packages/"))
      .map((target) => `imports ${target}; only public doors are open to it`);
  }
  return [];
}

function libraryProblems(path: string, imports: readonly Import[]): string[] {
  const own = path.slice(LIBRARY.length);
  const layer = layerOf(own);
  if (layer === undefined) return ["belongs to no layer of LAYERS in test/tidy/import-rules.ts"];
  return imports.flatMap(({ specifier }) => {
    const target = resolve(path, specifier);
    if (target === undefined) {
      return startsWithOneOf(specifier, layer.packages)
        ? []
        : [`imports ${specifier}, a package its layer may not`];
    }
    if (!target.startsWith(LIBRARY)) return [`imports ${target}, outside the package`];
    const below = target.slice(LIBRARY.length);
    return layerOf(below) === layer || startsWithOneOf(below, layer.may)
      ? []
      : [`imports ${below}, which is not below it`];
  });
}

function serverProblems(path: string, imports: readonly Import[]): string[] {
  const doors = ["tidegate", "tidegate/redis", "tidegate/simulation"];
  return imports.flatMap(({ specifier }) => {
    const target = resolve(path, specifier);
    if (target === undefined) {
      const isForeign = specifier.startsWith("tidegate") && !doors.includes(specifier);
      return isForeign ? [`imports ${specifier}; the library's doors are ${doors.join(", ")}`] : [];
    }
    if (!target.startsWith("packages/server/")) return [`imports ${target}, outside the package`];
    const upward = /\/src\/cli\//.test(target) && !/\/src\/cli\//.test(path);
    return upward ? [`imports ${target}; nothing depends on the command line`] : [];
  });
}

/** The path that a relative import means, or undefined for a package. */
export function resolve(path: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : undefined;
}

/** Chains of imports, types included, that end where they began. */
export function cycleProblems(sources: Sources): string[] {
  const done = new Set<string>();
  const problems: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start !== -1) problems.push([...trail.slice(start), path].join(" → "));
    if (start !== -1 || done.has(path)) return;
    for (const target of targetsOf(path, sources)) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return problems;
}

function targetsOf(path: string, sources: Sources): string[] {
  return importsOf(sources.get(path) ?? "")
    .map(({ specifier }) => resolve(path, specifier))
    .filter((target): target is string => target !== undefined && sources.has(target));
}

/** Files that nothing leads to from the doors. */
export function deadFiles(doors: readonly string[], sources: Sources): string[] {
  const reached = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    targetsOf(path, sources).forEach(visit);
  };
  doors.forEach(visit);
  return [...sources.keys()].filter((path) => !reached.has(path));
}

/** Relative imports of files that are not there. */
export function missingFiles(sources: Sources, exists: (path: string) => boolean): string[] {
  return [...sources].flatMap(([path, text]) =>
    importsOf(text)
      .map(({ specifier }) => resolve(path, specifier))
      .filter((target) => target !== undefined && isCodeOrAsset(target) && !exists(target))
      .map((target) => `${path} names ${target}, which is not there`),
  );
}

/** What is built or written at run time may be missing. */
function isCodeOrAsset(target: string): boolean {
  return /\.(ts|mjs|js|lua|proto)$/.test(target) && !target.includes("/dist/");
}

/** Packages that are imported but not declared by the package that the file is in. */
export function undeclaredPackages(text: string, manifest: Manifest): string[] {
  const declared = new Set([
    manifest.name,
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.peerDependencies ?? {}),
  ]);
  return importsOf(text)
    .map(({ specifier }) => specifier)
    .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
    .map((specifier) =>
      specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/"),
    )
    .filter((name) => !declared.has(name))
    .map((name) => `imports ${name}, which its package.json does not declare`);
}

/** What tidy reads of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const SOURCE = "@tidegate/source";

/** The source files that a package's exports name. */
export function doorsOf(manifest: Manifest): string[] {
  return Object.values(manifest.exports ?? {}).flatMap((target) =>
    typeof target === "string" ? [] : [target[SOURCE] ?? ""],
  );
}

/** Exports that name no file, or whose build is not the build of their source; index files that no export names. */
export function doorProblems(manifest: Manifest, files: readonly string[]): string[] {
  const wrong = Object.entries(manifest.exports ?? {}).flatMap(([door, target]) => {
    const source = typeof target === "string" ? target : (target[SOURCE] ?? "");
    if (!files.includes(source))
      return [`${door} names ${source || "no source"}, which is not there`];
    if (typeof target === "string") return [];
    const built = source.replace(/^\.\/src\//, "./dist/").replace(/\.ts$/, "");
    const fits =
      Object.keys(target).join() === `${SOURCE},types,default` &&
      target.types === `${built}.d.ts` &&
      target.default === `${built}.js`;
    return fits
      ? []
      : [`${door} must have ${SOURCE}, types, default, in this order, all of ${built}`];
  });
  const doors = doorsOf(manifest);
  const indexes = files.filter(
    (file) => /^\.\/src\/(.*\/)?index\.ts$/.test(file) && !doors.includes(file),
  );
  return [...wrong, ...indexes.map((file) => `${file} looks like a door, and no export names it`)];
}
