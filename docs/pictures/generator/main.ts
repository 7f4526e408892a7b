// `npm run pictures`: writes the pictures of docs/algorithms.md anew. A test holds the committed ones equal to these.

import { mkdirSync, writeFileSync } from "node:fs";
import { algorithmPictures } from "./algorithm-pictures.ts";

const folder = new URL("../algorithms/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const [file, svg] of await algorithmPictures()) {
  writeFileSync(new URL(file, folder), svg);
  console.log(`docs/pictures/algorithms/${file}`);
}
