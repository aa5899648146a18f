import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { place } from "./process.ts";

test("a copy of Perdure in a bundle, with other names in its code, and the installed one are one in a process", async () => {
  const here = place();
  const copy = join(here.directory, "copy.mjs");
  await build({
    stdin: {
      contents: 'export * from "perdure"; export * from "perdure/api"; export * from "perdure/errors";',
      resolveDir: import.meta.dirname,
    },
    outfile: copy,
    minify: true,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    logLevel: "silent",
  });
  const running = here.start("second-copy", copy);
  expect(await running.line((each) => each.startsWith("result"))).toBe(
    "result [ 'hello1', 'Ann, attempt 1', 'at last', 'paid' ] true",
  );
  await running.end();
});
