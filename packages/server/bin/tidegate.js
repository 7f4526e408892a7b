#!/usr/bin/env node
// Starts the command: the compiled one where it is installed, the source in the repository. It must parse on Node
// versions that are too old for the rest, so that they say so: no static imports, no syntax newer than ES2020.

const NEEDED = [22, 18];

start().catch((error) => {
  console.error(error);
  process.exit(1);
});

async function start() {
  const [{ existsSync }, module] = await Promise.all([import("node:fs"), import("node:module")]);
  // Sources are packed too, so it takes what only the repository has to tell that this is it.
  const fromSource = existsSync(new URL("../tsconfig.build.json", import.meta.url));
  checkVersion(fromSource);
  // Half of the time to start is compiling; what is compiled once is kept in the temporary directory.
  module.enableCompileCache();
  const source = new URL("../src/cli/main.ts", import.meta.url);
  if (fromSource) {
    module.registerHooks({
      resolve: (specifier, context, next) =>
        next(specifier, { ...context, conditions: [...context.conditions, "@tidegate/source"] }),
    });
  }
  const { main } = await import(fromSource ? source.href : "../dist/cli/main.js");
  await main();
}

function checkVersion(fromSource) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return;
  const remedy = fromSource
    ? "In this repository, `npm start` and `npm run tidegate -- demo` use one that fits."
    : "Install a newer one from https://nodejs.org.";
  console.error(
    `tidegate needs Node.js ${NEEDED.join(".")} or later, and this is ${process.versions.node} ` +
      `(${process.execPath}).\n${remedy}`,
  );
  process.exit(2);
}
