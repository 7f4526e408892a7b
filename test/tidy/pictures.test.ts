// The pictures of docs/algorithms.md are what `npm run pictures` draws of the library as it is, byte for byte: where an
// algorithm decides otherwise, its picture must not go on telling what it did before.

import assert from "node:assert/strict";
import { test } from "node:test";
import { algorithmPictures } from "../../docs/pictures/generator/algorithm-pictures.ts";
import { allFiles, read } from "./repository-files.ts";

const FOLDER = "docs/pictures/algorithms/";
const drawn = await algorithmPictures();

test("there is a picture of each algorithm, and no other", () => {
  const files = allFiles().filter((path) => path.startsWith(FOLDER));
  assert.deepEqual(files.map((path) => path.slice(FOLDER.length)).sort(), [...drawn.keys()].sort());
});

for (const [file, svg] of drawn) {
  test(`${FOLDER}${file} is as npm run pictures draws it`, () => {
    assert.equal(read(`${FOLDER}${file}`), svg);
  });

  test(`${file} is shown in docs/algorithms.md, with words for those who do not see it`, () => {
    assert.match(
      read("docs/algorithms.md"),
      new RegExp(`!\\[[^\\]]{40,}\\]\\(pictures/algorithms/${file}\\)`),
    );
    assert.match(svg, /<title id="title">[^<]+<\/title>\n<desc id="desc">[^<]+<\/desc>/);
  });
}

test("drawing again draws the same", async () => {
  assert.deepEqual(await algorithmPictures(), drawn);
});
