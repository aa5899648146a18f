import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { transform } from "../src/index.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "perdure-origin-")));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "dist"));
});

const marked = 'export async function charge() { "use step"; }\n';
const ofSource = { id: "step//./src/orders//charge", warnings: [] };
const ofOutput = { id: "step//./dist/orders//charge", warnings: ["unmapped-output"] };

it("names a compiler's output by its source, which the map beside it names", () => {
  writeMap({ sources: ["../src/orders.ts"] });
  expect(compile(`${marked}//# sourceMappingURL=orders.js.map\n`)).toEqual(ofSource);
});

it("takes what is in the comment, absolute paths, URLs, and a root of the sources", () => {
  for (const map of [
    { sources: ["../src/orders.ts"] },
    { sources: [join(root, "src/orders.ts")] },
    { sources: [pathToFileURL(join(root, "src/orders.ts")).href] },
    { sourceRoot: "../src/", sources: ["orders.ts"] },
    { sourceRoot: pathToFileURL(join(root, "src")).href, sources: ["orders.ts"] },
  ]) {
    expect(compile(marked + inline(map)), JSON.stringify(map)).toEqual(ofSource);
  }
});

it("says of output without such a map that its ids are its own", () => {
  expect(compile(marked)).toEqual(ofOutput);
  expect(compile(`${marked}//# sourceMappingURL=orders.js.map`)).toEqual(ofOutput);
  expect(compile(marked + inline({ sources: ["../src/orders.ts", "../src/other.ts"] }))).toEqual(ofOutput);
  expect(compile(marked + inline({ sources: ["webpack://shop/src/orders.ts"] }))).toEqual(ofOutput);
  expect(compile(`${marked}//# sourceMappingURL=data:application/json;base64,e`)).toEqual(ofOutput);
});

it("leaves alone what only looks like such a comment", () => {
  const code = `${inline({ sources: ["../src/other.ts"] })}\n${marked}`;
  expect(compile(code)).toEqual(ofOutput);
});

it("names packages by their own files, which are theirs wherever they were built", () => {
  const folder = join(root, "node_modules/media");
  mkdirSync(join(folder, "dist"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "name": "media", "version": "3.1.0" }');
  const code = marked + inline({ sources: ["../src/orders.ts"] });
  expect(compile(code, join(folder, "dist/orders.js"))).toEqual({
    id: "step//media@3/dist/orders//charge",
    warnings: [],
  });
});

function writeMap(map: object): void {
  writeFileSync(
    join(root, "dist/orders.js.map"),
    JSON.stringify({ version: 3, names: [], mappings: "AAAA", ...map }),
  );
}

function inline(map: object): string {
  const text = JSON.stringify({ version: 3, names: [], mappings: "AAAA", ...map });
  return `//# sourceMappingURL=data:application/json;charset=utf-8;base64,${Buffer.from(text).toString("base64")}`;
}

function compile(code: string, filename = join(root, "dist/orders.js")): unknown {
  const result = transform(code, { filename, root, runtime: "perdure/compiled" });
  return {
    id: /step\/\/[^"]+/.exec(result?.code ?? "")?.[0],
    warnings: result?.diagnostics.map((diagnostic) => diagnostic.code),
  };
}
